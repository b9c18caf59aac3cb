"""One new store out of another: what deletion, relabelling, trimming and others have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.edit.copying.copy import Progress, carry_out
from data.edit.copying.history import edited_attributes
from data.edit.copying.mapping import SourceMap
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Edit, Take
from data.edit.outcome import Outcome
from data.store.writing.resuming import require_free
from robot.errors import InputError


def edit_of(verb: str, options: Mapping[str, Any], origin: Origin, takes: Sequence[Take], **changes: Any) -> Edit:
    """An edit of one store that keeps what no change is given for.

    Args:
        verb: that makes it.
        options: of the verb, for the record.
        origin: the store.
        takes: episodes of the new one.
        changes: of the edit's `schema`, `maps` and `rows`.
    """
    attributes = edited_attributes(verb, options, [origin], takes)
    rest = {"schema": origin.schema, "maps": (SourceMap.same(origin.schema),), **changes}
    return Edit((origin,), takes=tuple(takes), attributes=attributes, **rest)


def do(
    edit: Edit,
    target: str | Path,
    doing: str,
    title: str,
    *,
    rows: int,
    dry_run: bool,
    on_progress: Progress | None,
    notes: Sequence[str] = (),
    details: Sequence[str] = (),
) -> Outcome:
    """Carry out an edit of one new store, or say what it would do.

    Args:
        edit: the edit.
        target: where the new store goes.
        doing: what is done, such as `trimming`.
        title: of the outcome.
        rows: of the new store.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.
        notes, details: of the outcome.

    Raises:
        InputError, TillerError: as `carry_out`.
    """
    require_free(target)
    if not dry_run:
        carry_out({"": edit}, target, doing, on_progress or (lambda done, of: None))
    stores = [("", len(edit.takes), rows)]
    return Outcome(title, str(target), stores, tuple(notes), tuple(details), done=not dry_run)


def open_source(source: str | Path) -> Origin:
    """A store to edit, with episodes in it.

    Raises:
        InputError: there is no store, tiller did not write it, or it is empty.
    """
    origin = Origin(source)
    if not len(origin):
        raise InputError(f"'{origin.name}'", expected="a store with episodes", got="none")
    return origin
