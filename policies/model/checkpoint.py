"""Checkpoints: folders of plain JSON and safetensors, whole or not there at all.

model.safetensors   averaged weights and the normaliser
policy.json         format, spec, recipe, provenance
training/           what an exact resume needs, see `policies.training.state`
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from policies.model.build import build_policy
from policies.model.checkpoint_folder import FORMAT, RECORD, VERSION, WEIGHTS, find, fingerprint, read_head
from policies.model.device import choose_device
from policies.model.files import fill, new_checkpoint, read_tensors, write_json, write_tensors
from policies.model.model import PolicyModel
from policies.model.policy import DiffusionPolicy
from policies.model.provenance import Provenance, versions
from policies.recipe.recipe import PolicyRecipe
from robot.description import PolicySpec, from_json, to_json
from robot.errors import InputError


@dataclass(frozen=True)
class PolicyRecord:
    """The content of policy.json."""

    format: str
    version: int
    spec: PolicySpec
    recipe: PolicyRecipe
    provenance: Provenance


def save(policy: DiffusionPolicy, path: Path | str, provenance: Provenance | None = None) -> Path:
    """Write a policy as a new checkpoint folder; an existing one is replaced only once the new one is complete."""
    path = Path(path)
    if policy.embodiment:
        raise InputError(
            "policy to save", expected="the one of all embodiments", got=f"that of '{policy.embodiment}' alone"
        )
    with new_checkpoint(path) as folder:
        write_policy(folder, policy, provenance or Provenance(versions=versions()))
    return path


def write_policy(folder: Path, policy: DiffusionPolicy, provenance: Provenance) -> None:
    """Write the files of a policy into an existing folder."""
    record = PolicyRecord(FORMAT, VERSION, policy.spec, policy.recipe, provenance)
    write_tensors(folder / WEIGHTS, policy.model.state_dict())
    write_json(folder / RECORD, to_json(record))


def load_learnt(path: Path | str, device: str = "cpu") -> DiffusionPolicy:
    """Load a learnt policy. `policies.loading.load` loads checkpoints of every kind.

    Args:
        path: a checkpoint folder, or the output folder of a training run: its final checkpoint, else its last one.
        device: as in `choose_device`.

    Raises:
        InputError: no checkpoint there, another format version, or a file that is missing, cut short or incomplete.
    """
    folder = find(path)
    record = read_record(folder)
    policy = build_policy(record.recipe, record.spec)
    fill(policy.model, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    policy.model.to(choose_device(device))
    policy.semantic_hash = record.provenance.semantic_hash
    policy.fingerprint = fingerprint(folder)
    return policy


def read_record(folder: Path) -> PolicyRecord:
    """The content of policy.json.

    Raises:
        InputError: it is no JSON, of another format version, or not what this version writes.
    """
    return from_json(PolicyRecord, read_head(folder), where=str(folder / RECORD))


@dataclass(frozen=True)
class TrainablePolicy:
    """A policy as the trainer trains it.

    Args:
        policy: its model is the learnt part.
    """

    policy: DiffusionPolicy
    kind: str = "policy"

    @property
    def trained(self) -> DiffusionPolicy:
        return self.policy

    @property
    def model(self) -> PolicyModel:
        return self.policy.model

    @property
    def recipe(self) -> PolicyRecipe:
        return self.policy.recipe

    def with_model(self, model: PolicyModel) -> TrainablePolicy:
        return TrainablePolicy(DiffusionPolicy(model, self.policy.spec, self.policy.recipe))

    def write(self, folder: Path, provenance: Provenance) -> None:
        write_policy(folder, self.policy, provenance)

    def read_origin(self, folder: Path) -> tuple[PolicyRecipe, Provenance]:
        record = read_record(folder)
        return record.recipe, record.provenance
