"""The numbers of a store, one episode at a time: states and actions; images are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np

from data.learning.rewound import taken_back
from data.store.dataset import Dataset
from data.store.names import QUALITY, Quality, has_column, require_schema
from data.store.schema import ACTION
from robot.errors import InputError

ROWS_AT_ONCE = 1 << 15
"""Read in one go; a longer episode is read whole, so that memory is bounded by the longest one."""
LARGEST = 1e100
"""A number beyond it is as good as infinite: its square still has to be one."""
LARGEST_KEY = 512
"""Numbers in a row of a key; what has more, such as a cloud of points, is left out as an image is."""
LONGEST_EPISODE = 4_000_000
"""Rows of an episode."""
MOST_EPISODES = 1_000_000


@dataclass(frozen=True)
class Key:
    """A key of the rows that is looked at.

    Args:
        name: of the array.
        shape: of one row.
        units: of each component.
        moves: whether it says where the robot and things are; what a sensor feels is no motion.
    """

    name: str
    shape: tuple[int, ...]
    units: tuple[str, ...]
    moves: bool = True

    @property
    def size(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class Columns:
    """What is read of a store.

    Args:
        observation: keys of the state, side by side in this order.
        action: the key of the actions.
        ignored: keys that are not looked at.
        flags: whether rows have bits of quality.
    """

    observation: tuple[Key, ...]
    action: Key
    ignored: tuple[str, ...]
    flags: bool


@dataclass(frozen=True, eq=False)
class Rows:
    """One episode.

    Args:
        number: of the episode.
        state: (T, D) float64.
        action: (T, A) float64.
        limited: of its rows, the share of which the gate changed the target.
    """

    number: int
    state: np.ndarray
    action: np.ndarray
    limited: float = 0.0

    def __len__(self) -> int:
        return len(self.action)


def columns_of(dataset: Dataset) -> Columns:
    """The keys of a store that can be compared.

    Raises:
        InputError: a store of another program, one with less than two episodes, or one without a key of numbers.
    """
    schema = require_schema(dataset.path, dataset.schema)
    if not 2 <= len(dataset) <= MOST_EPISODES:
        raise InputError(
            f"'{dataset.path}': episodes",
            expected=f"2 to {MOST_EPISODES:,}, as each is judged by the others",
            got=str(len(dataset) or "none"),
            way_out=("Record more of them" if len(dataset) == 1 else "tiller data split makes smaller ones")
            if len(dataset)
            else "Record some first",
        )
    seen = [field for field in schema.observation if not field.is_image and 0 < field.size <= LARGEST_KEY]
    ignored = tuple(field.name for field in schema.observation if field not in seen)
    if not seen:
        raise InputError(
            f"'{dataset.path}': observations",
            expected=f"at least one key of 1 to {LARGEST_KEY} numbers, such as a pose or joints",
            got=f"only {', '.join(ignored)}" if ignored else "none",
            way_out="Quality is measured on states, not on images: record the robot's state beside them",
        )
    keys = tuple(Key(field.name, field.shape, _units(field.unit, field.size), field.kind != "wrench") for field in seen)
    action = schema.row_fields[ACTION]
    return Columns(
        keys,
        Key(ACTION, action.shape, _units(action.unit, schema.action.dim)),
        ignored,
        has_column(schema, QUALITY),
    )


def read_episodes(dataset: Dataset, columns: Columns) -> Iterator[Rows]:
    """Every episode in turn, without the rows that a person took back, as nobody learns their actions.

    Args:
        dataset: with a schema.
        columns: of it.

    Raises:
        InputError: a number is NaN or infinite, an array has another shape than the schema says, or an episode is
            too long.
        DamagedChunkError: a chunk is missing or broken.
    """
    ends = np.asarray(dataset.episode_ends)
    first = 0
    while first < len(ends):
        start = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, start + ROWS_AT_ONCE, side="right")))
        if ends[first] - start > LONGEST_EPISODE:
            raise InputError(
                f"'{dataset.path}': episode {first}",
                expected=f"at most {LONGEST_EPISODE:,} rows",
                got=f"{ends[first] - start:,}",
            )
        block = _read(dataset, columns, start, int(ends[last - 1]))
        for number in range(first, last):
            begin = int(ends[number - 1]) - start if number else 0
            yield _episode(dataset, columns, block, number, slice(begin, int(ends[number]) - start))
        first = last


def _read(dataset: Dataset, columns: Columns, start: int, stop: int) -> dict[str, np.ndarray]:
    block = {}
    for key in (*columns.observation, columns.action):
        rows = np.asarray(dataset.read(key.name, start, stop))
        if rows.shape != (stop - start, *key.shape) or rows.dtype.kind not in "biuf":
            raise InputError(
                f"'{dataset.path}': '{key.name}'",
                expected=f"rows of shape {key.shape} of numbers, as the schema says",
                got=f"{rows.shape[1:]} of {rows.dtype}",
                way_out=f"See all that is wrong: tiller data validate {dataset.path}",
            )
        block[key.name] = rows.reshape(stop - start, -1)
    if columns.flags:
        block[QUALITY.name] = np.asarray(dataset.read(QUALITY.name, start, stop))
    return block


def _episode(dataset: Dataset, columns: Columns, block: dict[str, np.ndarray], number: int, rows: slice) -> Rows:
    limited, kept = 0.0, np.ones(rows.stop - rows.start, bool)
    if columns.flags:
        flags = block[QUALITY.name][rows]
        limited = float(((flags & Quality.LIMITED) != 0).mean())
        rewound = taken_back(flags)
        if rewound is not None and not rewound.all():  # of an episode that was taken back whole nothing is learnt
            kept = ~rewound
    parts = {}
    for key in (*columns.observation, columns.action):
        values = block[key.name][rows][kept].astype(np.float64)
        finite = np.abs(values) < LARGEST
        if not finite.all():
            row, component = np.argwhere(~finite)[0].tolist()
            raise InputError(
                f"'{dataset.path}': '{key.name}' of episode {number}, row {np.flatnonzero(kept)[row]}, "
                f"component {component}",
                expected="finite numbers",
                got="NaN or infinity",
                way_out=f"Leave out what cannot be used: tiller data repair {dataset.path} TARGET",
            )
        parts[key.name] = values
    state = np.concatenate([parts[key.name] for key in columns.observation], axis=1)
    return Rows(number, state, parts[columns.action.name], limited)


def _units(unit: str, size: int) -> tuple[str, ...]:
    """The unit of each of so many components; those of an axis repeat."""
    units = unit.split() or ["1"]
    return tuple(units[index % len(units)] for index in range(size))
