"""Set facts of episodes: instruction, success, operator, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.edit.copying.copy import Progress
from data.edit.copying.origin import Origin
from data.edit.copying.plan import whole
from data.edit.outcome import Outcome
from data.edit.selection import chosen, fact_value
from data.edit.single import do, edit_of, open_source
from data.store.names import FACTS
from data.store.schema import MetaField
from robot.errors import InputError, nearest, shortened


def relabel(
    source: str | Path,
    target: str | Path,
    *,
    facts: Mapping[str, Any],
    others: Mapping[str, Any] | None = None,
    episodes: str | Sequence[str | int] = (),
    where: Mapping[str, str] | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store in which some episodes have other facts; rows and samples keep every byte.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        facts: fact -> value, as typed, of the chosen episodes. A standard fact (`data.store.names`) that the store does
            not have is added.
        others: fact that is added -> value of the episodes that are not chosen.
        episodes: those that are chosen, numbers and ranges; empty for all.
        where: fact -> value of those that are chosen, as typed; with `episodes`, of these.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: an episode or a fact is not there, a value is of another type, or the target exists.
        TillerError: as `carry_out`.
    """
    origin, others = open_source(source), others or {}
    if not facts:
        raise InputError("facts", expected="at least one, such as set.success=true", got="none")
    which = set(chosen(origin, episodes, where or {}, default_all=True))
    fields = {name: _field(origin, name) for name in facts}
    values = {name: fact_value(field, facts[name], f"set.{name}") for name, field in fields.items()}
    added = [field for name, field in fields.items() if name not in origin.schema.meta_fields]
    require_added(added, others)
    left = added if len(which) < len(origin) else []
    rest = {field.name: value_of_others(origin, field, others, len(which)) for field in left}
    takes = [whole(origin, 0, index, values if index in which else rest) for index in range(len(origin))]
    schema = replace(origin.schema, meta=(*origin.schema.meta, *added))
    details = [
        f"episode {index}: {name} {_shown(origin, name, index)} becomes {shortened(str(values[name]))}"
        for index in sorted(which)
        for name in values
        if _before(origin, name, index) != values[name]
    ]
    options = {"facts": values, "others": rest, "episodes": sorted(which) if len(which) < len(origin) else "all"}
    edit = edit_of("relabel", options, origin, takes, schema=schema)
    title = f"{'Would relabel' if dry_run else 'Relabelled'} {len(which)} of {len(origin)} episodes of {origin.name}"
    notes = [f"added the fact {field.name}" for field in added] + ([] if details else ["every value is there already"])
    rows = int(origin.episode_ends[-1])
    return do(
        edit,
        target,
        "relabelling",
        title,
        rows=rows,
        dry_run=dry_run,
        on_progress=on_progress,
        notes=notes,
        details=details,
    )


def _field(origin: Origin, name: str) -> MetaField:
    """The fact that is set: one of the store's, or a standard one that it lacks."""
    known = {**{fact.name: fact for fact in FACTS}, **origin.schema.meta_fields}
    if name not in known:
        raise InputError(
            f"set.{shortened(name)}",
            expected=f"a fact of '{origin.name}', or a standard one",
            way_out=nearest(name, known),
        )
    return known[name]


def require_added(added: Sequence[MetaField], others: Mapping[str, Any]) -> None:
    """Refuse values of episodes that were not chosen, of facts that they have already.

    Args:
        added: the facts that an edit adds.
        others: fact -> value, as typed.
    """
    for name in others:
        if name not in [field.name for field in added]:
            raise InputError(f"others.{shortened(name)}", expected="a fact that is added", got="one that is not")


def value_of_others(origin: Origin, field: MetaField, others: Mapping[str, Any], count: int) -> Any:
    """The value of a fact that is added, of episodes that were not chosen.

    Args:
        origin: the store that lacks it.
        field: the fact.
        others: fact -> value, as typed.
        count: of the episodes that were chosen.

    Raises:
        InputError: it is not given, and is no text, which may be empty.
    """
    if field.name in others:
        return fact_value(field, others[field.name], f"others.{field.name}")
    if field.dtype == "string":
        return ""
    raise InputError(
        f"'{origin.name}': fact '{field.name}'",
        expected="a value for every episode",
        got=f"one for {count} of {len(origin)}",
        way_out=f"Say what the others have with others.{field.name}=VALUE, or set it for all",
    )


def _before(origin: Origin, name: str, index: int) -> Any:
    return origin.all_facts[name][index] if name in origin.all_facts else None


def _shown(origin: Origin, name: str, index: int) -> str:
    return shortened(str(origin.all_facts[name][index])) if name in origin.all_facts else "nothing"
