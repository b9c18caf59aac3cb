"""Checkpoints of critics: folders of plain JSON and safetensors.

model.safetensors   averaged weights, the normaliser, and what the objective learns with
critic.json         format, spec, recipe, provenance
training/           what an exact resume needs, as of a policy
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from policies.critics.build import build_critic
from policies.critics.critic import LearntCritic
from policies.critics.model import CriticModel
from policies.model.checkpoint_folder import CRITIC_RECORD, WEIGHTS, find, fingerprint, read_head
from policies.model.device import choose_device
from policies.model.files import fill, new_checkpoint, read_tensors, write_json, write_tensors
from policies.model.provenance import Provenance, versions
from policies.recipe.critic import CriticRecipe
from robot.description import CriticSpec, from_json, to_json
from robot.errors import InputError

FORMAT, VERSION = "tiller-critic", 1
LEARNING = "learning."
"""Begins the names of tensors that a critic learns with, such as a target network, and does without when it scores."""


@dataclass(frozen=True)
class CriticRecord:
    """The content of critic.json."""

    format: str
    version: int
    spec: CriticSpec
    recipe: CriticRecipe
    provenance: Provenance


@dataclass(frozen=True)
class TrainableCritic:
    """A critic as the trainer trains it.

    Args:
        critic: its model is the learnt part.
    """

    critic: LearntCritic
    kind: str = "critic"

    @property
    def trained(self) -> LearntCritic:
        return self.critic

    @property
    def model(self) -> CriticModel:
        return self.critic.model

    @property
    def recipe(self) -> CriticRecipe:
        return self.critic.recipe

    def with_model(self, model: CriticModel) -> TrainableCritic:
        return TrainableCritic(LearntCritic(model, self.critic.spec, self.critic.recipe))

    def write(self, folder: Path, provenance: Provenance) -> None:
        record = CriticRecord(FORMAT, VERSION, self.critic.spec, self.critic.recipe, provenance)
        write_tensors(folder / WEIGHTS, self.critic.model.state_dict())
        write_json(folder / CRITIC_RECORD, to_json(record))

    def read_origin(self, folder: Path) -> tuple[CriticRecipe, Provenance]:
        record = read_critic_record(folder)
        return record.recipe, record.provenance


def save_critic(critic: LearntCritic, path: Path | str, provenance: Provenance | None = None) -> Path:
    """Write a critic as a new checkpoint folder; an existing one is replaced only once the new one is complete."""
    path = Path(path)
    with new_checkpoint(path) as folder:
        TrainableCritic(critic).write(folder, provenance or Provenance(versions=versions()))
    return path


def load_critic(path: Path | str, device: str = "cpu") -> LearntCritic:
    """Load a critic.

    Args:
        path: a checkpoint folder, or the output folder of a training run: its final checkpoint, else its last one.
        device: as in `choose_device`.

    Raises:
        InputError: no critic there but something else, another format version, or a file that is missing, cut short or
            incomplete.
    """
    folder = find(path, CRITIC_RECORD)
    record = read_critic_record(folder)
    if (record.recipe.steps, record.recipe.gamma) != (record.spec.steps, record.spec.gamma):
        raise InputError(
            f"checkpoint '{folder / CRITIC_RECORD}'",
            expected=f"the steps and gamma of its recipe, {record.recipe.steps} and {record.recipe.gamma:g}",
            got=f"{record.spec.steps} and {record.spec.gamma:g} in its spec",
        )
    critic = build_critic(record.recipe, record.spec)
    tensors = read_tensors(folder / WEIGHTS)
    scoring = {name: tensor for name, tensor in tensors.items() if not name.startswith(LEARNING)}
    fill(critic.model, scoring, folder / WEIGHTS)
    critic.model.to(choose_device(device))
    return critic


def read_critic_record(folder: Path) -> CriticRecord:
    """The content of critic.json.

    Raises:
        InputError: it is no JSON, of another format version, or not what this version writes.
    """
    return from_json(
        CriticRecord, read_head(folder, CRITIC_RECORD, (FORMAT, VERSION)), where=str(folder / CRITIC_RECORD)
    )


def critic_fingerprint(path: Path | str) -> str:
    """A hash, 16 hexadecimal digits, of what decides a critic: its weights, spec and recipe."""
    return fingerprint(find(path, CRITIC_RECORD), CRITIC_RECORD, (FORMAT, VERSION))
