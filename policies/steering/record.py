"""What a checkpoint of a steered policy says: which base it stands on, how that is sampled, and what steers it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Mapping

from policies.model.checkpoint_folder import (
    ACTOR_HEADER,
    ACTOR_RECORD,
    CRITIC_HEADER,
    CRITIC_RECORD,
    RECORD,
    read_json,
)
from robot.description import from_json
from robot.description.ranges import Range
from robot.errors import InputError

FORMAT, VERSION = "tiller-steered-policy", 1


@dataclass(frozen=True)
class BaseReference:
    """The policy that is steered, itself a checkpoint.

    Args:
        path: of its folder, absolute, when it was steered.
        relative: the same from the folder of the steered checkpoint, for the two moved together.
        hash: of its content: weights, spec, recipe.
        sampler, steps: that it was steered with.
        embodiment: that it acts as, of a base of several; else empty.
    """

    path: str
    relative: str
    hash: str
    sampler: str
    steps: Annotated[int, Range(1, 100_000)]
    embodiment: str = ""

    def folders(self, steered: Path) -> list[Path]:
        """Where the base may be now: beside the steered checkpoint, or at its path.

        Raises:
            InputError: at neither; names its hash.
        """
        return _folders(steered, self, RECORD, "base", "policy")


@dataclass(frozen=True)
class PartReference:
    """The checkpoint of something learnt that steers, a critic or an actor.

    Args:
        path, relative, hash: as of a base.

    Attributes:
        kind: in one word, and the option of what steers by it.
        record, header: of its checkpoints: the file, its format and version.
    """

    path: str
    relative: str
    hash: str

    kind: ClassVar[str]
    record: ClassVar[str]
    header: ClassVar[tuple[str, int]]

    def folders(self, steered: Path) -> list[Path]:
        """Where it may be now: beside the steered checkpoint, or at its path.

        Raises:
            InputError: at neither; names its hash.
        """
        return _folders(steered, self, self.record, self.kind, self.kind)


@dataclass(frozen=True)
class CriticReference(PartReference):
    """The checkpoint of a critic that steers."""

    kind: ClassVar[str] = "critic"
    record: ClassVar[str] = CRITIC_RECORD
    header: ClassVar[tuple[str, int]] = CRITIC_HEADER


@dataclass(frozen=True)
class ActorReference(PartReference):
    """The checkpoint of an actor that steers."""

    kind: ClassVar[str] = "actor"
    record: ClassVar[str] = ACTOR_RECORD
    header: ClassVar[tuple[str, int]] = ACTOR_HEADER


def _folders(steered: Path, reference: BaseReference | PartReference, record: str, part: str, kind: str) -> list[Path]:
    there: list[Path] = []
    for folder in (steered / reference.relative, Path(reference.path)):
        with suppress(OSError, ValueError, RuntimeError):  # a name that no file can have, a link to itself
            if (folder / record).is_file():
                there.append(folder.resolve())
    if there:
        return list(dict.fromkeys(there))
    raise InputError(
        f"{part} of the steered checkpoint '{steered}'",
        expected=f"the {kind} of hash {reference.hash} at '{reference.path}'",
        got="nothing there",
        way_out=f"Put the {part} back there, or steer another one anew" if kind == "policy" else "Put it back there",
    )


@dataclass(frozen=True)
class SteeredRecord:
    """The content of policy.json of a steered checkpoint.

    Args:
        base: that is steered.
        steering: name and options of each layer of what steers, from the inside out, as
            `policies.steering.registry.steer` takes them; a critic or an actor stands there by its hash.
        versions: package -> version it was made with.
        critics, actors: where those are.
    """

    format: str
    version: int
    base: BaseReference
    steering: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    critics: tuple[CriticReference, ...] = ()
    actors: tuple[ActorReference, ...] = ()

    @property
    def parts(self) -> tuple[PartReference, ...]:
        """All that was learnt to steer."""
        return self.critics + self.actors


def read_steered(folder: Path) -> SteeredRecord:
    """The record of a steered checkpoint.

    Raises:
        InputError: it is no JSON, of another format version, or not what this version writes.
    """
    values = read_json(folder / RECORD)
    header = (values.get("format"), values.get("version")) if isinstance(values, dict) else (None, None)
    if header != (FORMAT, VERSION) or isinstance(header[1], bool):
        raise InputError(
            f"checkpoint '{folder / RECORD}'",
            expected=f"format {FORMAT} version {VERSION}",
            got=f"format {header[0]} version {header[1]}",
            way_out="Load it with the version of tiller that wrote it, or steer anew",
        )
    if isinstance(values.get("steering"), dict):  # one layer, as it was written before there could be several
        values = {**values, "steering": [values["steering"]]}
    return from_json(SteeredRecord, values, where=str(folder / RECORD))
