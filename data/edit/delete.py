"""Leave episodes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.edit.copying.copy import Progress
from data.edit.copying.history import listed
from data.edit.copying.plan import whole
from data.edit.outcome import Outcome
from data.edit.selection import chosen
from data.edit.single import do, edit_of, open_source
from robot.errors import InputError


def delete(
    source: str | Path,
    target: str | Path,
    *,
    episodes: str | Sequence[str | int] = (),
    where: Mapping[str, str] | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store without some episodes; the others keep every byte, and their order.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        episodes: those to leave out, numbers and ranges.
        where: fact -> value of those to leave out, as typed; with `episodes`, of these.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: an episode is not there, none or all would be left out, or the target exists.
        TillerError: as `carry_out`.
    """
    origin = open_source(source)
    out = chosen(origin, episodes, where or {}, default_all=False)
    kept = sorted(set(range(len(origin))) - set(out))
    if not kept:
        raise InputError(
            f"'{origin.name}'",
            expected="an episode that is kept",
            got=f"all {len(origin)} to delete",
            way_out="To be rid of the whole store delete its folder",
        )
    takes = [whole(origin, 0, index) for index in kept]
    edit = edit_of("delete", {"episodes": listed(sorted(out))}, origin, takes)
    details = [f"left out: episode {index}, {origin.length(index)} rows" for index in sorted(out)]
    title = f"{'Would leave' if dry_run else 'Left'} {len(out)} of {len(origin)} episodes of {origin.name} out"
    rows = sum(map(origin.length, kept))
    return do(edit, target, "deleting", title, rows=rows, dry_run=dry_run, on_progress=on_progress, details=details)
