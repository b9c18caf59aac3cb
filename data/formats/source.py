"""What every foreign format is read as: episodes, each with rows of several fields and with facts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Protocol, Sequence

import numpy as np

from data.store.images.encoding import Encoding
from data.store.schema import ColumnField
from robot.description import ActionField
from robot.errors import InputError, nearest

BLOCK_BYTES = 32 * 2**20
"""Bytes that a reader decodes at once, where one row is not larger."""
SKIP_BAD_ENDS = "Leave out episodes whose ends make no sense with skip_episodes=[...]"
OBSERVATION, ACTIONS, COLUMN, UNKNOWN = "observation", "action", "column", ""

Rows = np.ndarray | list[bytes]
"""(k, ...) rows as stored; of a field of encoded images the bytes of each."""


@dataclass(frozen=True)
class SourceField:
    """One key, which has one entry for each row of every episode, and what is known of it.

    Args:
        path: of the source, as given.
        name: its name in the source.
        shape: of one row.
        dtype: as stored; of encoded images that of their pixels.
        role: `OBSERVATION`, `ACTIONS` or `COLUMN`, where the format says it, else `UNKNOWN`.
        target: name in a store, where the format has a custom that says more than its own name; else empty.
        unit: empty where the format does not say.
        kind: of an observation; empty where the format does not say.
        components: names of the numbers of a row; empty where the format does not say.
        encoding: how rows are read: `raw` as an array, else as the bytes of images that are stored so.
        stored: how they are best stored.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    role: str = UNKNOWN
    target: str = ""
    unit: str = ""
    kind: str = ""
    components: tuple[str, ...] = ()
    encoding: Encoding = Encoding()
    stored: Encoding = Encoding()

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"'{self.path}': key '{self.name}'"

    def at(self, episode: int, row: int) -> str:
        """Name of one row of it in messages."""
        return f"{self.label}, episode {episode}, row {row}"

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as numbers."""
        return max(1, math.prod(self.shape) * self.dtype.itemsize)


@dataclass(frozen=True, eq=False)
class SourceStream:
    """Something sampled faster than rows.

    Args:
        name: its name in the source.
        shape: of one sample.
        dtype: as stored.
        unit: one, or one per component.
        lengths: (episodes,) int64, samples of each.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    unit: str
    lengths: np.ndarray


class Source(Protocol):
    """A foreign set of demonstrations.

    Attributes:
        path: as given.
        format: what it was recognised as, in words.
        fields: name -> what is known of a key that has one entry for each row.
        lengths: (episodes,) int64, rows of each; of episodes that nobody wants it may be anything.
        streams: name -> what is known of what runs faster than rows.
        facts: name -> (episodes, ...) what it records of each episode.
        missing: episode -> what of it is not there, for those that cannot be read.
        period_s: control period, where the format says it.
        action: fields of the action vector, where the format says more of them than their names.
        attributes: the store's own attributes, plain JSON values.
        notes: what a person should know about how it is read, and what of it is not.
    """

    path: str
    format: str
    fields: Mapping[str, SourceField]
    lengths: np.ndarray
    streams: Mapping[str, SourceStream]
    facts: Mapping[str, np.ndarray]
    missing: Mapping[int, str]
    period_s: float | None
    action: tuple[ActionField, ...]
    attributes: Mapping[str, Any]
    notes: tuple[str, ...]

    def read(self, name: str, episode: int, start: int, stop: int) -> Rows:
        """Rows [start, stop) of an episode. Reading front to back is fast, however large the source is.

        Raises:
            InputError, DamagedChunkError: they are damaged.
        """

    def read_stream(self, name: str, episode: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples [start, stop) of an episode, (k, ...), and their stamps, (k,) int64, ns.

        Raises:
            InputError, DamagedChunkError: they are damaged.
        """

    def close(self) -> None:
        """Close its files."""


@dataclass(eq=False)
class Description:
    """The attributes of a `Source`, for classes that read one.

    Raises:
        InputError: no keys or no episodes.
    """

    path: str
    format: str
    fields: Mapping[str, SourceField]
    lengths: np.ndarray
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)
    missing: Mapping[int, str] = field(default_factory=dict)
    period_s: float | None = None
    action: tuple[ActionField, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    streams: Mapping[str, SourceStream] = field(default_factory=dict)

    def read_stream(self, name: str, episode: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a format without streams there is none.

        Raises:
            InputError: always.
        """
        raise InputError(f"'{self.path}': stream '{name}'", expected="a stream of the source", got="none")

    def __post_init__(self) -> None:
        if len(self.lengths) == 0 or not self.fields:
            raise InputError(
                f"'{self.path}'",
                expected="at least one episode and one key",
                got=f"{len(self.lengths)} episodes and {len(self.fields)} keys",
            )


def kept_episodes(source: Source, skip: Collection[int]) -> list[int]:
    """Numbers of the episodes that are not skipped."""
    return [number for number in range(len(source.lengths)) if number not in skip]


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in words: 0, 3 to 99."""
    words, at = [], 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        words.append(str(numbers[at]) if end == at else f"{numbers[at]} to {numbers[end]}")
        at = end + 1
    return ", ".join(words)


def require_known(option: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse an option that names keys which the source does not have."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{option}={name}", expected="a key of the source", got=f"'{name}'", way_out=nearest(name, known)
            )


def require_name(path: str, key: str, name: str) -> None:
    """Refuse a name that no array of the target can have, with the option that gives the key another."""
    try:
        ColumnField(name, (), "float32", "1")
    except InputError as error:
        raise InputError(
            f"'{path}': '{key}'",
            expected=f"a name of {error.expected}",
            got=f"'{name}'",
            way_out=f"Give it another name with rename.{key}=NAME, or leave it out with exclude=[{key}]",
        ) from None
