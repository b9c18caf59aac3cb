"""Actions of sets that recorded none: the target of a row is the pose in which the row after it was."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from data.formats.preset import NextPart
from data.formats.source import ACTIONS, Description, Rows, Source, SourceField
from data.store.schema import ACTION
from robot.control.rotation import matrix_from_rotvec, rotation_6d_from_matrix
from robot.errors import InputError


class NextRows(Description):
    """A `Source` with actions made of what the row after observed; the last row of an episode keeps its own.

    Args:
        source: without actions.
        parts: keys of it, in the order of the action.

    Raises:
        InputError: a part is no vector of numbers, or a rotation has not three.
    """

    def __init__(self, source: Source, parts: Sequence[NextPart]) -> None:
        size, kinds = 0, []
        for part in parts:
            field = source.fields[part.key]
            if len(field.shape) != 1 or field.dtype.kind != "f" or (part.rotation and field.shape != (3,)):
                raise InputError(
                    field.label,
                    expected="a rotation vector of 3 numbers" if part.rotation else "a vector of floating numbers",
                    got=f"{field.shape} of {field.dtype}",
                    way_out="Name the actions with rename.KEY=action",
                )
            size += 6 if part.rotation else field.shape[0]
            kinds.append(field.dtype)
        action = SourceField(source.path, ACTION, (size,), np.result_type(*kinds), ACTIONS)
        names = ", ".join(f"'{part.key}'" for part in parts)
        super().__init__(
            source.path,
            source.format,
            {**source.fields, ACTION: action},
            source.lengths,
            source.facts,
            source.missing,
            source.period_s,
            source.action,
            source.attributes,
            (*source.notes, f"actions are {names} of the row after; the last row of an episode keeps its own"),
            source.streams,
        )
        self._source, self._parts = source, parts

    def read(self, name: str, episode: int, start: int, stop: int) -> Rows:
        if name != ACTION:
            return self._source.read(name, episode, start, stop)
        length = int(self.lengths[episode])
        following = np.minimum(np.arange(start, stop) + 1, length - 1)
        parts = []
        for part in self._parts:
            first, end = int(following[0]), int(following[-1]) + 1
            rows = np.asarray(self._source.read(part.key, episode, first, end))[following - first]
            if part.rotation:
                rows = rotation_6d_from_matrix(matrix_from_rotvec(rows))
            parts.append(rows)
        return np.concatenate(parts, axis=1).astype(self.fields[ACTION].dtype)

    def read_stream(self, name: str, episode: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        return self._source.read_stream(name, episode, start, stop)

    def close(self) -> None:
        self._source.close()


def with_actions(source: Source, parts: Sequence[NextPart], rename: Sequence[str]) -> Source:
    """A source with actions: itself where it has them, or where a person says which key they are.

    Args:
        source: any.
        parts: of the actions, where it is known that it has none.
        rename: new names that a person gives.
    """
    there = bool(parts) and all(part.key in source.fields for part in parts)
    if not there or ACTION in source.fields or ACTION in rename:
        return source
    return NextRows(source, parts)
