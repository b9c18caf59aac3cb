"""Checkpoints of actors: folders of plain JSON and safetensors.

model.safetensors   the weights and the normaliser
actor.json          format, spec, recipe, provenance
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from policies.actors.actor import LearntActor, build_actor
from policies.actors.spec import ActorSpec
from policies.model.checkpoint_folder import ACTOR_HEADER, ACTOR_RECORD, WEIGHTS, find, fingerprint, read_head
from policies.model.device import choose_device
from policies.model.files import fill, new_checkpoint, read_tensors, write_json, write_tensors
from policies.model.provenance import Provenance, versions
from policies.recipe.critic import CriticRecipe
from robot.description import from_json, to_json

FORMAT, VERSION = ACTOR_HEADER


@dataclass(frozen=True)
class ActorRecord:
    """The content of actor.json."""

    format: str
    version: int
    spec: ActorSpec
    recipe: CriticRecipe
    provenance: Provenance


def save_actor(actor: LearntActor, path: Path | str, provenance: Provenance | None = None) -> Path:
    """Write an actor as a new checkpoint folder; an existing one is replaced only once the new one is complete."""
    path = Path(path)
    record = ActorRecord(FORMAT, VERSION, actor.spec, actor.recipe, provenance or Provenance(versions=versions()))
    with new_checkpoint(path) as folder:
        write_tensors(folder / WEIGHTS, actor.model.state_dict())
        write_json(folder / ACTOR_RECORD, to_json(record))
    return path


def load_actor(path: Path | str, device: str = "cpu") -> LearntActor:
    """Load an actor.

    Args:
        path: a checkpoint folder.
        device: as in `choose_device`.

    Raises:
        InputError: no actor there but something else, another format version, or a file that is missing, cut short or
            incomplete.
    """
    folder = find(path, ACTOR_RECORD)
    record = from_json(ActorRecord, read_head(folder, ACTOR_RECORD, ACTOR_HEADER), where=str(folder / ACTOR_RECORD))
    actor = build_actor(record.recipe, record.spec)
    fill(actor.model, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    actor.model.to(choose_device(device))
    return actor


def actor_fingerprint(path: Path | str) -> str:
    """A hash, 16 hexadecimal digits, of what decides an actor: its weights, spec and recipe."""
    return fingerprint(find(path, ACTOR_RECORD), ACTOR_RECORD, ACTOR_HEADER)
