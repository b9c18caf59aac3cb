"""Cut off the ends of episodes at which nothing moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.blocks import row_blocks
from data.edit.copying.copy import Progress
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Block, Edit, Take
from data.edit.outcome import Outcome
from data.edit.selection import chosen
from data.edit.single import do, edit_of, open_source
from data.store import layout
from data.store.names import BRANCHED_AT, REWARD, STARTED, TERMINATED, TIME, TRUNCATED, has_column, has_fact
from data.store.schema import ACTION
from robot.errors import InputError, nearest, shortened

ENDS = ("both", "start", "end")
_BLOCK_BYTES = 1 << 22
_FLAGS = (TERMINATED, TRUNCATED)


@dataclass(frozen=True)
class Idle:
    """When nothing moves.

    Args:
        keys: row arrays that are looked at.
        tolerance: in the unit of each component: what has not come further than that from where it stood, stands.
        keep_s: seconds of standing that stay at either end.
        ends: `both`, `start` or `end`.
    """

    keys: tuple[str, ...] = (ACTION,)
    tolerance: float = 1e-3
    keep_s: float = 0.2
    ends: str = "both"

    def __post_init__(self) -> None:
        if self.ends not in ENDS:
            raise InputError(
                "ends", expected=f"one of {', '.join(ENDS)}", got=shortened(self.ends), way_out=nearest(self.ends, ENDS)
            )
        for name, value in (("tolerance", self.tolerance), ("keep_s", self.keep_s)):
            if not 0 <= value < np.inf:
                raise InputError(name, expected="a finite number, at least 0", got=str(value))


def trim(
    source: str | Path,
    target: str | Path,
    *,
    idle: Idle | None = None,
    episodes: str | Sequence[str | int] = (),
    where: Mapping[str, str] | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store without the rows at the ends of episodes in which nothing moves.

    Rows that stay keep their stamps; `started_ns` and `branched_at` follow the first of them. Samples of streams before
    the first row that stays and after the interval of the last one go with the rows. A reward, and the flags of an end,
    in rows that are cut off come to the last row that stays. An episode in which nothing moves at all stays whole.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        idle: when nothing moves.
        episodes: those that are trimmed, numbers and ranges; empty for all.
        where: fact -> value of those that are trimmed, as typed; with `episodes`, of these.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: a key is not there or holds no numbers, an episode is not there, streams without stamps of the rows,
            nothing is idle, or the target exists.
        TillerError: as `carry_out`.
    """
    origin, idle = open_source(source), idle or Idle()
    _require_keys(origin, idle)
    require_stamps(origin)
    which = set(chosen(origin, episodes, where or {}, default_all=True))
    takes = [_take(origin, index, idle if index in which else None) for index in range(len(origin))]
    cut = [take for take in takes if (take.first, take.stop) != (0, origin.length(take.episode))]
    details = [_detail(origin, take) for take in cut]
    still = [take.episode for take in takes if take.episode in which and _never_moves(origin, take.episode, idle)]
    if not cut:
        raise InputError(
            f"'{origin.name}'",
            expected=f"ends at which nothing of {', '.join(idle.keys)} moves for more than {idle.keep_s:g} s",
            got=f"none, and {len(still)} episodes in which nothing ever moves" if still else "none",
            way_out="A smaller tolerance= finds motion in them, and tiller data delete leaves them out"
            if still
            else "A larger tolerance=, or a smaller keep_s=, finds more",
        )
    notes = [f"episode {index} never moves, and stays whole: tiller data delete leaves it out" for index in still]
    edit = edit_of("trim", {"idle": idle, "episodes": sorted(which)}, origin, takes, rows=rows_with_outcome)
    rows = sum(take.stop - take.first for take in takes)
    left = int(origin.episode_ends[-1]) - rows
    title = f"{'Would cut' if dry_run else 'Cut'} {left} rows off the ends of {len(cut)} episodes of {origin.name}"
    return do(
        edit,
        target,
        "trimming",
        title,
        rows=rows,
        dry_run=dry_run,
        on_progress=on_progress,
        notes=notes,
        details=details,
    )


def require_stamps(origin: Origin) -> None:
    """Refuse a store in which nothing says which samples are of which rows.

    Raises:
        InputError: it has streams, and no stamps of its rows.
    """
    if origin.schema.streams and not has_column(origin.schema, TIME):
        raise InputError(
            f"'{origin.name}'",
            expected=f"the column '{TIME.name}', which says which samples of '{origin.schema.streams[0].name}' are of "
            "the rows that stay",
            got="none",
            way_out="Convert it from its source with time stamps",
        )


def cut_to(origin: Origin, index: int, first: int, stop: int, facts: Mapping[str, Any] | None = None) -> Take:
    """Rows first..stop-1 of an episode as an episode of its own, with the samples and facts that belong to them.

    Args:
        origin: the store; number 0 of the edit.
        index: of the episode.
        first, stop: rows within it, at least one.
        facts: those that change.
    """
    length, own = origin.length(index), origin.facts(index)
    if not 0 <= first < stop <= length:
        raise InputError(f"{origin.episode(index)}: rows", expected=f"some of 0 to {length}", got=f"{first} to {stop}")
    from_ns = until_ns = None
    if has_column(origin.schema, TIME):
        path, base = layout.row_path(TIME.name), origin.rows(index).start
        if first:
            begun, from_ns = (int(origin.read(path, base + row, base + row + 1)[0]) for row in (0, first))
            if has_fact(origin.schema, STARTED) and own[STARTED.name] > 0:
                own[STARTED.name] += from_ns - begun
        if stop < length:
            until_ns = int(origin.read(path, base + stop, base + stop + 1)[0])
    if has_fact(origin.schema, BRANCHED_AT) and own[BRANCHED_AT.name] >= 0:
        own[BRANCHED_AT.name] = max(own[BRANCHED_AT.name] - first, 0)
    return Take(0, index, first, stop, {**own, **(facts or {})}, from_ns, until_ns)


def rows_with_outcome(edit: Edit, take: Take) -> Iterator[Block]:
    """Rows that stay; the last one has the reward and the flags of those that are cut off after it."""
    at = take.first
    for block in row_blocks(edit, take):
        at += len(block[ACTION])
        yield _with_outcome(edit.origins[take.source], take, block) if at == take.stop else block


def _with_outcome(origin: Origin, take: Take, block: Block) -> Block:
    rows = origin.rows(take.episode)
    after = slice(rows.start + take.stop, rows.stop)
    changed = {}
    for column in (REWARD, *_FLAGS):
        if has_column(origin.schema, column) and after.stop > after.start:
            cut = origin.read(layout.row_path(column.name), after.start, after.stop)
            values = np.array(block[column.name])
            values[-1] = values[-1] + cut.sum() if column == REWARD else values[-1] | cut.any()
            changed[column.name] = values
    return {**block, **changed}


def _take(origin: Origin, index: int, idle: Idle | None) -> Take:
    if idle is None:
        return cut_to(origin, index, 0, origin.length(index))
    length, keep = origin.length(index), round(idle.keep_s / origin.schema.period_s)
    begins = _first_motion(origin, index, idle)
    if begins is None:
        return cut_to(origin, index, 0, length)
    first = max(0, begins - keep) if idle.ends != "end" else 0
    ends = max(_last_motion(origin, index, idle), begins)
    stop = min(length, ends + 1 + keep) if idle.ends != "start" else length
    return cut_to(origin, index, first, stop)


def _never_moves(origin: Origin, index: int, idle: Idle) -> bool:
    return _first_motion(origin, index, idle) is None


def _first_motion(origin: Origin, index: int, idle: Idle) -> int | None:
    """The first row in which something has left where it stood, or that is rewarded; None without any."""
    rows = origin.rows(index)
    firsts = [_moved(origin, key, rows, range(rows.start, rows.stop), rows.start, idle.tolerance) for key in idle.keys]
    moved = [each for each in firsts if each is not None]
    if moved and has_column(origin.schema, REWARD):
        rewards = origin.read(layout.row_path(REWARD.name), rows.start, rows.start + min(moved))
        moved += np.flatnonzero(rewards)[:1].tolist()
    return min(moved) if moved else None


def _last_motion(origin: Origin, index: int, idle: Idle) -> int:
    """The last row at which something arrives where it stands to the end."""
    rows = origin.rows(index)
    lasts = [
        _moved(origin, key, rows, range(rows.stop, rows.start, -1), rows.stop - 1, idle.tolerance) for key in idle.keys
    ]
    return max((each + 1 for each in lasts if each is not None), default=0)


def _moved(origin: Origin, key: str, rows: slice, order: range, stand: int, tolerance: float) -> int | None:
    """The first row within the episode, in an order, whose numbers are further from those of a row than a tolerance."""
    path = layout.row_path(key)
    reference = origin.read(path, stand, stand + 1).astype(np.float64)
    field = origin.schema.row_fields[key]
    step = max(1, _BLOCK_BYTES // max(8, prod(field.shape) * 8))
    forward = order.step > 0
    for at in range(order.start, order.stop, step * order.step):
        start, stop = (at, min(at + step, rows.stop)) if forward else (max(at - step, rows.start), at)
        values = origin.read(path, start, stop).astype(np.float64)
        far = np.flatnonzero((np.abs(values - reference) > tolerance).reshape(len(values), -1).any(axis=1))
        if len(far):
            return int(far[0 if forward else -1]) + start - rows.start
    return None


def _require_keys(origin: Origin, idle: Idle) -> None:
    fields = origin.schema.row_fields
    for key in idle.keys:
        if key not in fields:
            raise InputError(
                f"'{origin.name}': keys: {shortened(key)}", expected="a row array", way_out=nearest(key, fields)
            )
        if origin.schema.encoding(key).of_images or fields[key].dtype == "uint8" or key == TIME.name:
            raise InputError(
                f"'{origin.name}': keys: '{key}'",
                expected="numbers that stand still when nothing moves",
                got="stamps" if key == TIME.name else "images",
            )
    if not idle.keys:
        raise InputError("keys", expected="at least one, such as [action]", got="none")


def _detail(origin: Origin, take: Take) -> str:
    length, period = origin.length(take.episode), origin.schema.period_s
    start, end = take.first, length - take.stop
    return (
        f"episode {take.episode}: {start} rows ({start * period:.2f} s) at the start, "
        f"{end} ({end * period:.2f} s) at the end, of {length}"
    )
