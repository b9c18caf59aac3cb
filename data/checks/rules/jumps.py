"""Actions that step further from one row to the next than the data make plausible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.extents import Extents
from data.checks.rules.spans import Spans
from data.store import layout
from data.store.contents import Contents
from data.store.schema import ACTION

LEAST_EPISODES = 5
"""Fewer say too little about their largest steps; then stretches of them are compared."""
FEW_VALUES = 8
"""Different values, at most, of a component that is a switch."""
LEAST = {"m": 0.01, "rad": 0.05, "deg": 3.0}
"""No jump is smaller: a controller takes a centimetre or three degrees in a period without a jerk."""
LEAST_ROTATION = 0.1  # of the 6 numbers of a rotation together, about 4 degrees
_OF_STRETCHES = 0.9  # quantile of the largest steps of stretches
_OF_RANGE = 0.2  # share of its usual range that a jump has at least
_TURNS = {"rad": 2 * np.pi, "deg": 360.0}
_ROWS_A_STRETCH = 64


@dataclass(frozen=True)
class Part:
    """What steps as one: a component of the action, or a position or rotation as a whole.

    Args:
        name: for messages.
        components: of the action.
        unit: of it; `1` for none.
        least: the smallest jump.
        turn: a full turn where it counts angles that may wrap around; joints do not.
    """

    name: str
    components: slice
    unit: str = "1"
    least: float = 0.0
    turn: float = 0.0

    @property
    def size(self) -> int:
        """Number of components."""
        return self.components.stop - self.components.start


def parts_of(contents: Contents, size: int) -> list[Part]:
    """The parts of a store's action of so many components."""
    schema = contents.schema
    if schema is None or schema.action.dim != size:
        return [Part(str(index), slice(index, index + 1)) for index in range(size)]
    names, units = schema.action.component_names, schema.row_fields[ACTION].unit.split()
    parts = []
    for field in schema.action.fields:
        where = schema.action.slices[field.name]
        if field.kind == "pose":
            least = LEAST_ROTATION if field.is_rotation else LEAST.get(units[where.start], 0.0)
            parts.append(Part(field.name, where, units[where.start], least))
            continue
        for index in range(where.start, where.stop):
            turn = 0.0 if field.kind == "joint" else _TURNS.get(units[index], 0.0)
            parts.append(Part(names[index], slice(index, index + 1), units[index], LEAST.get(units[index], 0.0), turn))
    return parts


class Steps:
    """Looks at the actions of a store; what is not finite counts as no step.

    Args:
        spans: the episodes.
        parts: of the action.

    Attributes:
        largest: (episodes, parts) float64, the largest step from one row to the next.
        rows: (episodes, parts) int64, the row that it leads to.
        stretches: (parts,) of the largest steps within 64 rows, of some stretches of a store of few episodes.
        values: part -> its different values, of those that have few.
    """

    def __init__(self, spans: Spans, parts: list[Part]) -> None:
        self._spans, self.parts = spans, parts
        self.largest = np.zeros((len(spans), len(parts)))
        self.rows = np.zeros((len(spans), len(parts)), np.int64)
        self.stretches: list[np.ndarray] = []
        self.values = {number: np.empty(0) for number, part in enumerate(parts) if part.size == 1}
        self._last: np.ndarray | None = None
        self._next = -1

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the rows from `first` on."""
        assert isinstance(entries, np.ndarray)
        rows = entries.reshape(len(entries), -1).astype(np.float64)
        for at, start, end in self._spans.within(first, first + len(rows)):
            part = rows[start - first : end - first]
            if start == self._next and start != self._spans.starts[at] and self._last is not None:
                part, start = np.concatenate([self._last[None], part]), start - 1
            self._last, self._next = part[-1].copy(), end
            if len(part) > 1:
                self._step(at, start + 1, self._lengths(part))
        for number, seen in [*self.values.items()]:
            values = np.unique(np.concatenate([seen, rows[:, self.parts[number].components.start]]))
            if len(values) > FEW_VALUES:
                del self.values[number]
            else:
                self.values[number] = values

    def _lengths(self, rows: np.ndarray) -> np.ndarray:
        """(rows - 1, parts) how far each part steps."""
        lengths = np.empty((len(rows) - 1, len(self.parts)))
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.abs(np.diff(rows, axis=0))
            for number, part in enumerate(self.parts):
                own = steps[:, part.components]
                if part.turn:
                    own = np.mod(own, part.turn)
                    own = np.minimum(own, part.turn - own)
                lengths[:, number] = np.sqrt(np.square(own).sum(axis=1)) if part.size > 1 else own[:, 0]
        return np.where(np.isfinite(lengths), lengths, 0.0)

    def _step(self, at: int, first: int, steps: np.ndarray) -> None:
        index = steps.argmax(axis=0)
        step = steps[index, np.arange(len(index))]
        larger = step > self.largest[at]
        self.largest[at][larger] = step[larger]
        self.rows[at][larger] = (index + first)[larger]
        if len(self._spans) < LEAST_EPISODES:
            for start in range(0, min(len(steps), 16 * _ROWS_A_STRETCH), _ROWS_A_STRETCH):
                self.stretches.append(steps[start : start + _ROWS_A_STRETCH].max(axis=0))

    @property
    def usual(self) -> np.ndarray | None:
        """(parts,) the largest step of the median episode, 0 for a switch; None where there is too little to say."""
        if len(self._spans) >= LEAST_EPISODES:
            usual = np.median(self.largest, axis=0)
        elif len(self.stretches) >= LEAST_EPISODES:
            usual = np.quantile(np.array(self.stretches), _OF_STRETCHES, axis=0, method="lower")
        else:
            return None
        usual[list(self.values)] = 0
        return usual


def judge_jumps(judgement: Judgement, steps: Steps, extents: Extents) -> None:
    """Judge the largest step of each part of the action in each episode.

    It is a jump where it is `jump` times the largest step of the median episode, a fifth of the range that the part has
    in that, and no less than `LEAST` of its unit. That holds for any period: what one allows shows in the other
    episodes. A component of few values, as of a gripper that opens and closes, is a switch and steps as it likes.
    """
    limit, spans, usual = judgement.thresholds, judgement.spans, steps.usual
    assert limit is not None
    if usual is None:
        return
    ranges = extents.scale(np.zeros(extents.low.shape[1]))
    ranges = np.array([np.sqrt(np.square(ranges[part.components]).sum()) for part in steps.parts])
    least = np.array([part.least for part in steps.parts])
    most = np.where(usual > 0, np.maximum(np.maximum(limit.jump * usual, _OF_RANGE * ranges), least), np.inf)
    for at in np.flatnonzero((steps.largest > most).any(axis=1)).tolist():
        number = int(np.argmax(steps.largest[at] / most))
        part, step, row = steps.parts[number], steps.largest[at, number], int(steps.rows[at, number])
        unit = "" if part.unit == "1" else f" {part.unit}"
        judgement.suspect(
            "jump",
            layout.row_path(ACTION),
            f"'{part.name}' steps by {step:.3g}{unit} in row {row}, {step / usual[number]:.1f} times the usual largest "
            f"step of {usual[number]:.3g}{unit}",
            episode=int(spans.episodes[at]),
            row=row,
        )
