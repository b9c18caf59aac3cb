"""Change the control period of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.blocks import block_rows, entries, require_finite
from data.edit.copying.copy import Progress
from data.edit.copying.mapping import FieldMap
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Block, Edit, Take, whole
from data.edit.grid import Grid, grid
from data.edit.outcome import Outcome
from data.edit.single import do, edit_of, open_source
from data.store import layout
from data.store.names import (
    ACTOR,
    BRANCHED_AT,
    INTERVENTION,
    QUALITY,
    REWARD,
    TERMINATED,
    TIME,
    TRUNCATED,
    Actor,
    Quality,
    has_column,
    has_fact,
)
from data.store.schema import ACTION, ColumnField, Schema
from robot.control.trajectory import Trajectory
from robot.description import fingerprint
from robot.errors import InputError

MOST_TIMES = 100
"""By so much a period can be changed at once."""


def resample(
    source: str | Path,
    target: str | Path,
    *,
    period_s: float,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store whose rows have another period.

    A new row has the newest observation at or before its stamp, and as its action the target that the source's reach at
    the end of its interval: on the path that the twin and the gate move on, straight for positions, joints, widths,
    stiffnesses and wrenches, along the shorter arc for rotations. Native actions are held: the one in force then. Over
    gaps no rows are made up. Rewards are added up, and the flags of an end kept, in the row in whose interval they
    come; a row in which a person intervened, or that was taken back in part, is marked so. Streams stay as they are.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        period_s: the new control period, s.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: a period that is none, or the one that it has, or the target exists.
        TillerError: as `carry_out`.
    """
    origin = open_source(source)
    old = origin.schema.period_s
    if not old / MOST_TIMES <= period_s <= old * MOST_TIMES or abs(period_s - old) <= 1e-6 * old:
        raise InputError(
            f"'{origin.name}': period_s",
            expected=f"another period than {old:g} s, between {old / MOST_TIMES:g} and {old * MOST_TIMES:g} s",
            got=f"{period_s:g} s",
        )
    schema = replace(origin.schema, period_s=period_s, action=replace(origin.schema.action, period_s=period_s))
    counts, takes = [], []
    for index in range(len(origin)):
        laid = _grid(origin, index, period_s)
        counts.append(len(laid))
        takes.append(whole(origin, 0, index, _facts(origin, index, laid)))
    edit = edit_of("resample", {"period_s": period_s, "before_s": old}, origin, takes, schema=schema, rows=_rows)
    attributes, said = _contract(edit.attributes, period_s)
    edit = replace(edit, attributes=attributes)
    verb = "Would resample" if dry_run else "Resampled"
    title = f"{verb} {origin.name} from {old:g} s to {period_s:g} s"
    return do(
        edit,
        target,
        "resampling",
        title,
        rows=sum(counts),
        dry_run=dry_run,
        on_progress=on_progress,
        notes=[*_notes(origin.schema), *said],
        details=[f"episode {n}: {origin.length(n)} rows become {count}" for n, count in enumerate(counts)],
    )


def _grid(origin: Origin, index: int, period_s: float) -> Grid:
    rows, old = origin.rows(index), origin.schema.period_s
    if has_column(origin.schema, TIME):
        stamps = origin.read(layout.row_path(TIME.name), rows.start, rows.stop)
        if (np.diff(stamps) <= 0).any():
            row = int(np.flatnonzero(stamps[1:] <= stamps[:-1])[0]) + 1
            raise InputError(
                f"{origin.episode(index)}: '{TIME.name}', row {row}",
                expected="a later stamp than the row before",
                got=f"{stamps[row]} after {stamps[row - 1]}",
                way_out=f"tiller data repair {origin.name} TARGET",
            )
    else:
        stamps = np.rint(np.arange(origin.length(index)) * old * 1e9).astype(np.int64)
    return grid(stamps, old, period_s)


def _facts(origin: Origin, index: int, laid: Grid) -> dict[str, Any]:
    if not has_fact(origin.schema, BRANCHED_AT):
        return {}
    row = origin.all_facts[BRANCHED_AT.name][index]
    # Rows that are shared are those that only rows which are shared make.
    return {BRANCHED_AT.name: row if row < 0 else int(np.searchsorted(laid.last, row, side="left"))}


def _notes(schema: Schema) -> list[str]:
    native = [field.name for field in schema.action.fields if field.kind == "native"]
    moved = [field.name for field in schema.action.fields if field.kind != "native"]
    notes = []
    if moved:
        notes.append(f"interpolated: {', '.join(moved)}")
    if native:
        notes.append(f"held: {', '.join(native)}; where these are increments, the new rows are wrong")
    if alike := [column.name for column in schema.columns if _is_alike(schema, column)]:
        notes.append(f"as the action: {', '.join(alike)}")
    return notes


def _contract(attributes: Mapping[str, Any], period_s: float) -> tuple[dict[str, Any], list[str]]:
    """Attributes with the contract of the new period, as its hash is also of the period."""
    contract = attributes.get("contract")
    if not isinstance(contract, Mapping):
        return dict(attributes), []
    semantic = contract.get("semantic")
    if isinstance(semantic, Mapping) and fingerprint(semantic) == contract.get("semantic_hash"):
        new = {**semantic, "period_s": period_s}
        return {**attributes, "contract": {**contract, "semantic": new, "semantic_hash": fingerprint(new)}}, [
            "the contract's semantic hash is that of the new period"
        ]
    rest = {key: value for key, value in attributes.items() if key != "contract"}
    return rest, ["it is of no contract any more: that of its robot has another period"]


def _rows(edit: Edit, take: Take) -> Iterator[Block]:
    """The new rows of an episode, block by block."""
    origin = edit.origins[take.source]
    laid = _grid(origin, take.episode, edit.schema.period_s)
    shrink = min(1.0, origin.schema.period_s / edit.schema.period_s)
    step = max(1, int(block_rows(edit.schema) * shrink))
    for first in range(0, len(laid), step):
        part = _Part(edit, take, laid, first, min(first + step, len(laid)))
        yield {name: part.rows(column) for name, column in edit.schema.row_fields.items()}


@dataclass(frozen=True, eq=False)
class _Part:
    """New rows first..stop-1 of an episode."""

    edit: Edit
    take: Take
    laid: Grid
    first: int
    stop: int

    @property
    def origin(self) -> Origin:
        return self.edit.origins[self.take.source]

    @property
    def seen(self) -> np.ndarray:
        return self.laid.seen[self.first : self.stop]

    @property
    def last(self) -> np.ndarray:
        return self.laid.last[self.first : self.stop]

    def rows(self, column: ColumnField) -> Any:
        """The new rows of an array: numbers, or encoded images."""
        if column == TIME:
            return self.laid.times_ns[self.first : self.stop]
        if column.name == ACTION or _is_alike(self.edit.schema, column):
            return self._targets(column)
        if column == REWARD:
            return self._credited(column, np.add)
        if column in (TERMINATED, TRUNCATED):
            return self._credited(column, np.logical_or)
        if column == INTERVENTION:
            return self._within(self._read(column), np.logical_or)
        if column == ACTOR:
            return self._actors(column)
        return self._qualities(column) if column == QUALITY else self._seen(column)

    def _read(self, column: ColumnField, before: int = 0) -> np.ndarray:
        """Rows of the source that these are made of, and so many before."""
        base = self.origin.rows(self.take.episode).start
        begin = int(self.seen[0]) - before
        values = self.origin.read(layout.row_path(column.name), base + begin, base + int(self.last[-1]) + 1)
        require_finite(self.origin, self.take.episode, column.name, values, begin)
        return values

    def _seen(self, column: ColumnField) -> Any:
        base, parts = self.origin.rows(self.take.episode).start, []
        picked, back = np.unique(self.seen, return_inverse=True)
        for run in np.split(picked, np.flatnonzero(np.diff(picked) > 1) + 1):
            start, stop = base + int(run[0]), base + int(run[-1]) + 1
            parts.append(entries(self.edit, self.take, column.name, FieldMap(column.name), start, stop))
        if isinstance(parts[0], list):
            images = [image for part in parts for image in part]
            return [images[index] for index in back]
        return np.concatenate(parts)[back]

    def _targets(self, column: ColumnField) -> np.ndarray:
        """Targets that are reached when the new intervals end."""
        spec, first = self.edit.schema.action, int(self.seen[0])
        before = int(first > 0)  # the path to the first target begins at the one before
        values = self._read(column, before)
        held = values[self.last - first + before]
        reached = self.laid.reached[self.first : self.stop]
        result = held.copy()
        pieces = self.laid.pieces[first - before : int(self.last[-1]) + 1]
        knots = self.laid.rows_end_ns[first - before : int(self.last[-1]) + 1]
        native = [index for field in spec.fields if field.kind == "native" for index in _components(spec, field.name)]
        for piece in np.unique(pieces):
            own = np.flatnonzero(pieces == piece)
            rows = np.flatnonzero(~reached & (self.laid.pieces[self.last] == piece))
            if len(rows):
                path = Trajectory(spec, knots[own], values[own].astype(np.float64))
                moved = path.at(self.laid.end_ns[self.first : self.stop][rows])
                result[rows] = np.rint(moved) if values.dtype.kind in "iu" else moved
        result[:, native] = held[:, native]
        return result

    def _credited(self, column: ColumnField, join: np.ufunc) -> np.ndarray:
        """Numbers of rows of the source, each joined to the new row in whose interval it ends."""
        begin, end = np.searchsorted(self.laid.credited, [self.first, self.stop])
        base = self.origin.rows(self.take.episode).start
        values = self.origin.read(layout.row_path(column.name), base + int(begin), base + int(end))
        require_finite(self.origin, self.take.episode, column.name, values, int(begin))
        result = np.zeros(self.stop - self.first, column.dtype)
        join.at(result, self.laid.credited[begin:end] - self.first, values)
        return result

    def _within(self, values: np.ndarray, join: np.ufunc) -> np.ndarray:
        """Numbers of all rows that are in force within each new interval, joined."""
        first = int(self.seen[0])
        borders = np.stack([self.seen - first, self.last - first + 1], axis=1).ravel()
        joined: np.ndarray = join.reduceat(np.append(values, values[-1:]), borders)[::2]
        return joined.astype(values.dtype)

    def _actors(self, column: ColumnField) -> np.ndarray:
        """Who decided the action that a new row has; a person, where one did within it."""
        actors = self._read(column)
        person = self._within(actors == Actor.PERSON, np.logical_or)
        return np.where(person, Actor.PERSON, actors[self.last - int(self.seen[0])]).astype(actors.dtype)

    def _qualities(self, column: ColumnField) -> np.ndarray:
        bits = self._read(column)
        joined = self._within(bits, np.bitwise_or)
        # Rows were lost before a row of the source once, not before each new row that it makes.
        repeated = np.zeros(len(joined), bool)
        repeated[1:] = self.seen[1:] == self.seen[:-1]
        if self.first:
            repeated[0] = self.laid.seen[self.first - 1] == self.seen[0]
        only = repeated & (self.last == self.seen)
        joined[only] &= ~np.uint16(Quality.GAP)
        if any(field.kind != "native" for field in self.edit.schema.action.fields):
            joined[~self.laid.reached[self.first : self.stop]] |= np.uint16(Quality.INTERPOLATED)
        return joined


def _is_alike(schema: Schema, column: ColumnField) -> bool:
    """Whether a column holds targets as the action does, such as what a policy wished for."""
    action = schema.row_fields[ACTION]
    same = (column.shape, column.unit) == (action.shape, action.unit)
    return same and column in schema.columns and np.dtype(column.dtype).kind == "f"


def _components(spec: Any, name: str) -> range:
    part = spec.slices[name]
    return range(part.start, part.stop)
