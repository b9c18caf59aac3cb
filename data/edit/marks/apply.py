"""Carry out what a person marked: leave episodes out, cut them, and set what they are called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.copy import Progress
from data.edit.copying.history import listed
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Take, whole
from data.edit.marks.changes import changes_of, lines, table
from data.edit.marks.file import marks_path, read_marks, store_of
from data.edit.marks.mark import EpisodeMark, Marks
from data.edit.marks.matching import require_marked
from data.edit.outcome import Outcome
from data.edit.relabel import require_added, value_of_others
from data.edit.single import do, edit_of, open_source
from data.edit.trim import cut_to, require_stamps, rows_with_outcome
from data.store import layout
from data.store.names import INSTRUCTION, LABELS, NOTE, REWARD, SUCCESS, has_column
from data.store.schema import MetaField
from data.store.writing.resuming import require_free
from data.store.writing.target import is_url
from robot.errors import InputError

_MARKED = (SUCCESS, INSTRUCTION, LABELS, NOTE)  # facts that a mark can set


def apply(
    marks: str | Path,
    target: str | Path,
    *,
    store: str | Path | None = None,
    others: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store as a file of marks says; what is not marked keeps every byte.

    Episodes are left out as `delete` does, cut as `trim` does, and their facts set as `relabel` does. Labels become the
    fact `labels`, a list as JSON, and a note the fact `note`.

    Args:
        marks: a file beside a store.
        target: a folder that does not exist yet.
        store: that was marked; None for the one beside the file.
        others: fact that is added -> value of the episodes that have no mark of it.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: the file is none, a marked episode is another one now or not there, every episode would be left out,
            a fact is of another type than its marks, streams of an episode that is cut have no stamps of rows, or the
            target exists.
        TillerError: as `carry_out`.
    """
    require_free(target)
    read = _read(marks)
    origin = open_source(store_of(marks) if store is None else store)
    require_marked(origin, read, str(marks))
    kept = [index for index in range(len(origin)) if index not in read.episodes or not read.episodes[index].leaves_out]
    _require_some(origin, kept)
    of_kept = {index: mark for index, mark in sorted(read.episodes.items()) if not mark.leaves_out}
    if any(mark.cuts for mark in of_kept.values()):
        require_stamps(origin)
    added = _added(origin, of_kept)
    rest = _of_others(origin, added, kept, of_kept, others or {})
    takes = [_take(origin, index, of_kept.get(index), rest) for index in kept]
    edit = edit_of(
        "apply",
        _options(marks, read, of_kept, rest),
        origin,
        takes,
        schema=replace(origin.schema, meta=(*origin.schema.meta, *added)),
        rows=rows_with_outcome,
    )
    changes = changes_of(origin, read)
    notes = [*table(changes, read), *(f"added the fact {field.name}" for field in added), *_lost(origin, takes)]
    verb = "Would apply" if dry_run else "Applied"
    return do(
        edit,
        target,
        "applying",
        f"{verb} the marks of {os.path.basename(marks)} to {len(changes)} of {len(origin)} episodes of {origin.name}",
        rows=sum(take.stop - take.first for take in takes),
        dry_run=dry_run,
        on_progress=on_progress,
        notes=notes,
        details=lines(changes, kept),
    )


def _read(file: str | Path) -> Marks:
    """The marks of a file.

    Raises:
        InputError: it is none; of a folder, the file beside it is named.
    """
    if not is_url(file) and os.path.isdir(file):
        raise InputError(
            f"marks '{file}'",
            expected="a file of marks",
            got="a folder",
            way_out=f"The marks of a store are beside it: '{marks_path(file)}'",
        )
    return read_marks(file)


def _require_some(origin: Origin, kept: Sequence[int]) -> None:
    if not kept:
        raise InputError(
            f"'{origin.name}'",
            expected="an episode that is kept",
            got=f"keep: false of all {len(origin)}",
            way_out="To be rid of the whole store delete its folder",
        )


def _added(origin: Origin, marks: Mapping[int, EpisodeMark]) -> list[MetaField]:
    """The facts that are marked and that the store does not have.

    Raises:
        InputError: it has one of another type.
    """
    marked = {name for mark in marks.values() for name in mark.facts}
    added = []
    for field in _MARKED:
        own = origin.schema.meta_fields.get(field.name)
        if field.name in marked and own is None:
            added.append(field)
        elif field.name in marked and own is not None and own.dtype != field.dtype:
            raise InputError(
                f"'{origin.name}': fact '{field.name}'",
                expected=f"a {field.dtype}, as it was marked",
                got=own.dtype,
                way_out=f"Take {field.name} out of the marks",
            )
    return added


def _of_others(
    origin: Origin,
    added: Sequence[MetaField],
    kept: Sequence[int],
    marks: Mapping[int, EpisodeMark],
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """Facts that are added, of the episodes that have no mark of them."""
    require_added([field for field in added if field != LABELS], others)
    rest: dict[str, Any] = {}
    for field in added:
        count = sum(field.name in mark.facts for mark in marks.values())
        if count < len(kept):
            rest[field.name] = "[]" if field == LABELS else value_of_others(origin, field, others, count)
    return rest


def _take(origin: Origin, index: int, mark: EpisodeMark | None, rest: Mapping[str, Any]) -> Take:
    """An episode as it is marked."""
    facts = {**rest, **(mark.facts if mark is not None else {})}
    if mark is not None and mark.cut is not None and mark.cuts:
        return cut_to(origin, index, *mark.cut, facts)
    return whole(origin, 0, index, facts)


def _options(
    file: str | Path, read: Marks, of_kept: Mapping[int, EpisodeMark], rest: Mapping[str, Any]
) -> dict[str, Any]:
    """What the history of the new store says of the marks."""
    options: dict[str, Any] = {
        "marks": os.path.abspath(file),
        "left_out": listed(sorted(set(read.episodes) - set(of_kept))),
        "cut": {str(index): mark.cut for index, mark in of_kept.items() if mark.cuts},
        "others": rest,
    }
    for value in (True, False):
        options[f"success={value}".lower()] = listed(
            [index for index, mark in of_kept.items() if mark.success is value]
        )
    for field in (INSTRUCTION, LABELS, NOTE):
        options[field.name] = listed([index for index, mark in of_kept.items() if field.name in mark.facts])
    return {name: value for name, value in options.items() if value}


def _lost(origin: Origin, takes: Sequence[Take]) -> list[str]:
    """Rewards that are cut off at the start, where no row before can take them."""
    lost = []
    for take in takes if has_column(origin.schema, REWARD) else ():
        if take.first:
            start = origin.rows(take.episode).start
            rewards = origin.read(layout.row_path(REWARD.name), start, start + take.first)
            if np.any(rewards):
                lost.append(f"episode {take.episode}: a reward of {rewards.sum():g} is cut off with its first rows")
    return lost
