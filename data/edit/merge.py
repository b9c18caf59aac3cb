"""One store out of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.copy import Progress, carry_out
from data.edit.copying.history import edited_attributes
from data.edit.copying.mapping import SourceMap
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Edit, Take
from data.edit.merging.alignment import Alignment, align
from data.edit.merging.options import Mapped
from data.edit.merging.robots import merged_attributes, merged_subtasks, subtasks_of
from data.edit.merging.view import require_known, view
from data.edit.outcome import Outcome
from data.edit.single import open_source
from data.store.names import GROUP, SUBTASK
from data.store.schema import Schema
from data.store.writing.resuming import require_free
from robot.description import to_json
from robot.errors import InputError


def merge(
    sources: Sequence[str | Path],
    target: str | Path,
    *,
    mapped: Mapped | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write the episodes of several stores as one new store, in the order in which the stores are given.

    Rows, samples and encoded images are taken as they are, but where `mapped` says otherwise. Groups are counted on, so
    that those of one store are none of another's; subtasks point into one list.

    Args:
        sources: at least two stores.
        target: a folder that does not exist yet.
        mapped: how stores that differ go together; by default they must not differ.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: stores that differ (all differences are shown), one store twice, an option that fits none, or the
            target exists.
        TillerError: as `carry_out`.
    """
    options = mapped or Mapped()
    if len(sources) < 2:
        raise InputError("merge", expected="at least two stores", got=", ".join(map(str, sources)) or "none")
    origins = [open_source(source) for source in sources]
    _require_different(origins)
    require_known(origins, options)
    aligned = align([view(origin, options) for origin in origins], options)
    attributes, notes = merged_attributes(origins)
    maps = _with_subtasks(origins, aligned)
    takes = _takes(origins, aligned)
    edit = Edit(
        tuple(origins),
        maps,
        aligned.schema,
        tuple(takes),
        edited_attributes("merge", to_json(options), origins, takes, kept=attributes),
    )
    require_free(target)
    notes = [*aligned.notes, *notes]
    if not dry_run:
        digests = carry_out({"": edit}, target, "merging", on_progress or (lambda done, of: None)).get("", ())
        notes += _doubled(edit, digests)
    details = tuple(
        f"{origin.name}: {len(origin)} episodes, {int(origin.episode_ends[-1])} rows, content {origin.fingerprint}"
        for origin in origins
    )
    rows = sum(int(origin.episode_ends[-1]) for origin in origins)
    title = f"{'Would merge' if dry_run else 'Merged'} {len(origins)} stores"
    return Outcome(title, str(target), [("", len(takes), rows)], tuple(notes), details, done=not dry_run)


def _takes(origins: Sequence[Origin], aligned: Alignment) -> list[Take]:
    takes, offset = [], 0
    for number, origin in enumerate(origins):
        names, constants, largest = aligned.renamed[number], aligned.constants[number], -1
        for index in range(len(origin)):
            own = origin.facts(index)
            facts = {**{name: own[old] for name, old in names.items()}, **constants}
            if aligned.schema.meta_fields.get(GROUP.name) == GROUP and facts[GROUP.name] >= 0:
                largest = max(largest, facts[GROUP.name])
                facts[GROUP.name] += offset
            ordered = {name: facts[name] for name in aligned.schema.meta_fields}
            takes.append(Take(number, index, 0, origin.length(index), ordered))
        offset += largest + 1
    return takes


def _with_subtasks(origins: Sequence[Origin], aligned: Alignment) -> tuple[SourceMap, ...]:
    """The maps, with numbers of subtasks as indices into the list of all of them."""
    merged = merged_subtasks(origins)
    if merged is None or not _has_subtasks(aligned.schema):
        return aligned.maps
    maps = []
    for origin, mapped in zip(origins, aligned.maps):
        own, column = subtasks_of(origin), mapped.rows[SUBTASK.name]
        if column.source is None or own == merged:
            maps.append(mapped)
            continue
        if own is None:
            raise InputError(
                f"'{origin.name}': attribute 'subtasks'",
                expected="a list of what the numbers of its subtasks stand for, as the other stores have",
                got="none",
                way_out=f"Leave them out with without=[{SUBTASK.name}]",
            )
        table = tuple(merged.index(name) for name in own)
        maps.append(replace(mapped, rows={**mapped.rows, SUBTASK.name: replace(column, table=table)}))
    return tuple(maps)


def _has_subtasks(schema: Schema) -> bool:
    return SUBTASK in schema.columns


def _require_different(origins: Sequence[Origin]) -> None:
    seen: dict[Any, Origin] = {}
    for origin in origins:
        before = seen.setdefault(origin.fingerprint, origin)
        if before is not origin:
            same = "given twice" if before.absolute_name == origin.absolute_name else f"a copy of '{before.name}'"
            raise InputError(f"'{origin.name}'", expected="different stores", got=f"one {same}", way_out="Give it once")


def _doubled(edit: Edit, digests: Sequence[str]) -> list[str]:
    """A note for episodes that are the same, which two parts of one recording may have in common."""
    _, first, counts = np.unique(np.array(digests), return_index=True, return_counts=True)
    doubled = [int(first[index]) for index in np.flatnonzero(counts > 1)]
    if not doubled:
        return []
    return [
        f"{len(doubled)} episodes are there more than once, the first is episode {min(doubled)}: "
        "'tiller data delete' leaves them out"
    ]
