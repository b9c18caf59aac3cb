"""Rows of a take: what was observed at t, and what was sent for the interval that begins there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from data.store.names import ACTOR, INTERVENTION, QUALITY, REWARD, TERMINATED, TIME, TRUNCATED, Actor, Quality
from data.store.schema import ACTION, ColumnField, Schema
from robot.control.observation.action_rows import action_rows
from robot.control.observation.observer import ObservedRow
from robot.description.action import ActionSpec
from robot.safety.gate.actor import Actor as GateActor
from robot.safety.gate.actor import actor_of
from robot.safety.gate.inputs import ChunkSample

PLANNED = ColumnField("planned", (), "bool", "1")
"""The policy has planned an action for the row, whoever acts."""
COLUMNS = (TIME, ACTOR, INTERVENTION, REWARD, TERMINATED, TRUNCATED, QUALITY, PLANNED)
WISH = "wish"
PATIENCE_NS = 500_000_000  # for a command of an interval that has passed: after it the gate has sent none
KEPT_NS = 2_000_000_000  # of commands: by so much a row may come after them
CHUNKS = 32  # of the policy, of which the newest that covers a moment counts
CUT = 1e-6  # of any unit: by less a limit has changed nothing
LARGEST = 1e30  # of a planned number: what float32 holds, and no number that is not finite
IDLE = 1e-4  # of any unit per row: by less nobody moves

_ACTORS = {GateActor.PERSON: Actor.PERSON, GateActor.POLICY: Actor.POLICY, GateActor.HOLD: Actor.HOLD}

Columns = dict[str, Any]
"""Name -> (k, ...) of rows; of encoded pictures a list of k."""


def wish_column(dim: int, unit: str) -> ColumnField:
    """The policy's own target for each row's interval, sent or not; the action where it has planned none."""
    return ColumnField(WISH, (dim,), "float32", unit)


def load_machine_code(spec: ActionSpec) -> None:
    """Compile or load what the first row of a take needs: half a second, in which nothing else is read."""
    times = np.array([0, spec.period_ns, 2 * spec.period_ns], np.int64)
    action_rows(spec, times, np.ones((3, spec.dim)), times[:1] + 1, spec.period_ns, hole_ns=spec.period_ns)


@dataclass(frozen=True, eq=False)
class _Sent:
    time_ns: int
    requested: np.ndarray
    commanded: np.ndarray
    reason: str


class RowAssembler:
    """Puts observations and commands of one take together, in the order of time.

    A row is complete once the command of its interval's end is known. The last one is kept back until `finish`, which
    knows how the take has ended.

    Args:
        schema: of the store.

    Attributes:
        rows, idle: complete rows so far, and those of them in which the command rested.
        end_ns: end of the last one's interval; 0 before the first.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema, self._period_ns = schema, schema.action.period_ns
        self._observed: deque[ObservedRow] = deque()
        self._sent: deque[_Sent] = deque()
        self._chunks: deque[ChunkSample] = deque(maxlen=CHUNKS)
        self._kept: Columns | None = None  # the last complete row
        self._before: np.ndarray | None = None
        self.rows = self.idle = self.end_ns = 0

    def observe(self, row: ObservedRow) -> None:
        """Add an observation."""
        self._observed.append(row)

    def sent(self, time_ns: int, requested: np.ndarray, commanded: np.ndarray, reason: str) -> None:
        """Add a command of the gate: both (dim,), and when it is reached."""
        if self._sent and time_ns <= self._sent[-1].time_ns:
            return
        self._sent.append(_Sent(time_ns, requested, commanded, reason))
        oldest = self._observed[0].stamp_ns if self._observed else time_ns
        while self._sent[0].time_ns < min(oldest, time_ns) - KEPT_NS:
            self._sent.popleft()

    def planned(self, chunk: ChunkSample) -> None:
        """Add a chunk of the policy; one that no gate would follow is left out."""
        action = self._schema.action
        fits = not chunk.fault and chunk.values.ndim == 2 and chunk.values.shape[1] == action.dim
        if not fits or tuple(chunk.names) != action.component_names:
            return
        if len(chunk.values) > 1 and not abs(chunk.period_s - action.period_s) < 1e-6:
            return
        if np.abs(chunk.values).max(initial=0.0) < LARGEST:
            self._chunks.append(chunk)

    @property
    def waiting(self) -> bool:
        """Whether an observation waits for its command."""
        return bool(self._observed)

    def complete(self) -> Columns | None:
        """The rows that have become complete, but for the last; None where there are none."""
        rows = self._due()
        if not rows:
            return None
        columns = self._columns(rows)
        if columns is None:
            return None
        joined = columns if self._kept is None else _joined(self._kept, columns)
        head, self._kept = _split(joined)
        return None if head is None else self._written(head)

    def finish(self, *, success: bool, terminated: bool, truncated: bool) -> Columns | None:
        """The rows that are left, the last with the reward and the end of the episode; None where there is none.

        Args:
            success: rewarded with 1.
            terminated: the task has ended.
            truncated: it was cut off.
        """
        rows = self._due()
        columns = self._columns(rows) if rows else None
        kept = [each for each in (self._kept, columns) if each is not None]
        if not kept:
            return None
        last = kept[0] if len(kept) == 1 else _joined(*kept)
        for column, value in ((REWARD, float(success)), (TERMINATED, terminated), (TRUNCATED, truncated)):
            last[column.name][-1] = value
        self._kept = None
        return self._written(last)

    def _due(self) -> list[ObservedRow]:
        """Observations whose interval has passed, with its command or without."""
        due: list[ObservedRow] = []
        newest_sent = self._sent[-1].time_ns if self._sent else None
        newest = self._observed[-1].stamp_ns if self._observed else 0
        while self._observed:
            end_ns = self._observed[0].stamp_ns + self._period_ns
            if (newest_sent is None or newest_sent < end_ns) and newest - end_ns < PATIENCE_NS:
                break
            due.append(self._observed.popleft())
        return due

    def _columns(self, rows: Sequence[ObservedRow]) -> Columns | None:
        """Complete rows; None where nothing was ever sent for them."""
        stamps = np.array([row.stamp_ns for row in rows], dtype=np.int64)
        commands = list(self._sent)
        times = np.array([each.time_ns for each in commands], dtype=np.int64)
        last = np.searchsorted(times, stamps + self._period_ns, side="right") - 1
        known = last >= 0  # before the first command there is no action
        if not known.any():
            return None
        rows = [row for row, is_known in zip(rows, known) if is_known]
        stamps, last = stamps[known], last[known]
        sent = [commands[index] for index in last]
        first = max(int(last.min()) - 1, 0)  # no row needs an older one
        commanded = np.stack([each.commanded for each in commands[first:]])
        action, found = action_rows(self._schema.action, times[first:], commanded, stamps, self._period_ns)
        action = np.where(found[:, None], action, commanded[last - first])
        actors = [_ACTORS[actor_of(each.reason)] if is_found else Actor.HOLD for each, is_found in zip(sent, found)]
        wishes = [self._wish(int(stamp)) for stamp in stamps]
        planned = np.array([wish is not None for wish in wishes])
        wish = np.stack([own if own is not None else sent for own, sent in zip(wishes, action)])
        cut = [float(np.abs(each.requested - each.commanded).max()) > CUT for each in sent]
        quality = np.array([row.quality for row in rows], dtype=np.int64)
        quality |= np.where(cut, Quality.LIMITED, 0) | np.where(found, 0, Quality.DROPPED)
        columns: Columns = {
            ACTION: action.astype(self._schema.action_dtype),
            TIME.name: stamps,
            ACTOR.name: np.array(actors, dtype=ACTOR.dtype),
            INTERVENTION.name: planned & np.array([actor is Actor.PERSON for actor in actors]),
            QUALITY.name: quality.astype(QUALITY.dtype),
            PLANNED.name: planned,
            WISH: wish.astype(np.float32),
            **{each.name: np.zeros(len(rows), each.dtype) for each in (REWARD, TERMINATED, TRUNCATED)},
            **self._seen(rows),
        }
        self._count_idle(action)
        self.rows += len(rows)
        self.end_ns = int(stamps[-1]) + self._period_ns
        return columns

    def _seen(self, rows: Sequence[ObservedRow]) -> Columns:
        """The observed columns; pictures that are stored encoded as a list, since some come so and others do not."""
        columns: Columns = {}
        for field in self._schema.observation:
            values = [row.values[field.name] for row in rows]
            encoded = self._schema.encoding(field.name).of_images
            columns[field.name] = values if encoded else np.stack(values).astype(field.dtype, copy=False)
        return columns

    def _written(self, columns: Columns) -> Columns:
        """Columns as the store takes them: pictures of one column are all encoded, or all pixels."""
        written = dict(columns)
        for name, values in columns.items():
            if isinstance(values, list):
                if not any(isinstance(value, bytes) for value in values):
                    written[name] = np.stack(values)
                elif not all(isinstance(value, bytes) for value in values):
                    written[name] = [self._schema.encoding(name).encode(value) for value in values]
        return written

    def _wish(self, stamp_ns: int) -> np.ndarray | None:
        """(dim,) the row of the newest chunk for the interval that begins then; None where there is none."""
        for chunk in reversed(self._chunks):
            row = (stamp_ns + self._period_ns // 2 - chunk.start_ns) // self._period_ns
            if 0 <= row < len(chunk.values):
                return chunk.values[row]
        return None

    def _count_idle(self, action: np.ndarray) -> None:
        path = action if self._before is None else np.concatenate([self._before[None], action])
        self.idle += int((np.abs(np.diff(path, axis=0)).max(axis=1, initial=0.0) < IDLE).sum())
        self._before = action[-1]


def _joined(first: Columns, second: Columns) -> Columns:
    return {
        name: [*value, *second[name]] if isinstance(value, list) else np.concatenate([value, second[name]])
        for name, value in first.items()
    }


def _split(columns: Columns) -> tuple[Columns | None, Columns]:
    """All rows but the last, and the last."""
    count = len(columns[ACTION])
    head = {name: value[: count - 1] for name, value in columns.items()}
    return (head if count > 1 else None), {name: value[count - 1 :] for name, value in columns.items()}
