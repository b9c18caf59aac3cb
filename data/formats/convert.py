"""Foreign demonstrations into a store of ours, with the period, units and provenance that they lack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from data.formats import Preset, Source, find_preset, open_source, recognise
from data.formats.facts import Fact, episode_facts, replaced_facts
from data.formats.meaning import completed, meaning_of
from data.formats.plan import ConversionPlan, make_plan
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import INSTRUCTION, SOURCE
from data.store.schema import Schema
from data.store.writing.staging import written_aside
from data.store.writing.target import free_folder
from robot.description import ActionField
from robot.errors import InputError

_BYTES_PER_COMMIT = 64 * 2**20


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Args:
        source, target: paths.
        format: what the source was read as.
        episodes, rows: written.
        keys: (name in the source, name in the target).
        period_s: control period.
        units: name in the target -> unit.
        notes: what was recognised, decided or changed, in words.
    """

    source: str
    target: str
    format: str
    episodes: int
    rows: int
    keys: tuple[tuple[str, str], ...]
    period_s: float
    units: Mapping[str, str]
    notes: tuple[str, ...]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    period_s: float | None = None,
    units: str | Mapping[str, str] | None = None,
    rename: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    action: Sequence[ActionField] = (),
    exclude: Collection[str] = (),
    skip_episodes: Collection[int] = (),
    instruction: str | None = None,
    source_note: str | None = None,
    preset: str | None = None,
    ask: Callable[[str], str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Read a foreign store and write it as one of ours; the target appears whole or not at all.

    Args:
        source: a replay-buffer zarr (folder, zip, zip with a folder inside, URL) or an npz with `episode_ends`.
        target: a folder that does not exist yet.
        period_s: seconds between rows.
        units: one for all keys, or key -> unit ("m", or one per component: "m m rad"; "1" where there is none). Time
            stamps may be in s, ms, us or ns; else floating numbers are s and integers ns.
        rename: key -> name in the target; the key of the actions becomes `action`.
        kinds: key -> kind of observation, where the shape does not tell.
        action: fields of the action vector; one `native` field when empty.
        exclude: keys to leave out.
        skip_episodes: episodes of the source to leave out.
        instruction: what every episode does, in words.
        source_note: where the demonstrations come from, for the record.
        preset: name of a file under `configs/source`; None recognises a published set by its keys.
        ask: asks a person one question; None where nobody can be asked.
        on_progress: called with rows done and rows in all.

    Raises:
        InputError: the source cannot be read, something is missing that nobody can be asked for, or the target
            exists or cannot be written.
    """
    folder = free_folder(target)
    opened = open_source(source, exclude=exclude, skip=skip_episodes)
    known = find_preset(preset) if preset else recognise(opened, exclude)
    given = Preset(
        period_s=period_s,
        instruction=instruction,
        rename=rename or {},
        units=dict.fromkeys(opened.arrays, units)
        if isinstance(units, str)
        else {key: str(unit) for key, unit in (units or {}).items()},  # a 1 typed as a number is a unit too
        kinds=kinds or {},
        action=tuple(action),
    )
    meaning = completed(opened, meaning_of(opened, known or Preset(), given), ask)
    name = Path(os.path.abspath(source)).name  # of the folder, where it is given as a dot
    note = source_note or (known.name if known else name)
    same = {SOURCE.name: note, **({INSTRUCTION.name: meaning.instruction} if meaning.instruction else {})}
    facts = episode_facts(opened, given.rename, same, skip_episodes)
    _require_episodes(opened, skip_episodes)
    plan = make_plan(opened, meaning, tuple(fact.field for fact in facts), skip_episodes)
    keys = tuple((column.array.name, column.name) for column in plan.columns)
    provenance = {
        "converted_from": name,
        "format": opened.format,
        "note": note,
        "keys": {new: old for old, new in keys},
        "source_attributes": dict(opened.attributes),
    }
    episodes = _episodes(opened, plan, facts, set(skip_episodes))
    written = _write(
        episodes,
        plan.schema,
        {"provenance": provenance},
        folder,
        lambda rows: on_progress(rows, opened.rows) if on_progress else None,
    )
    taken = [fact.field.name for fact in facts if fact.field.name not in (SOURCE.name, INSTRUCTION.name)]
    fact_notes = (f"facts of each episode: {', '.join(taken)}",) if taken else ()
    recognised = (f"recognised as {known.name}",) if known and not preset else ()
    units_written = {name: field.unit for name, field in plan.schema.row_fields.items()}
    return Conversion(
        str(source),
        str(target),
        opened.format,
        *written,
        keys,
        plan.schema.period_s,
        units_written,
        (*recognised, *opened.notes, *fact_notes, *replaced_facts(opened, given.rename, same), *plan.notes),
    )


def _require_episodes(source: Source, skipped: Collection[int]) -> None:
    count = len(source.episode_ends)
    unknown = sorted(set(skipped) - set(range(count)))
    if unknown or len(set(skipped)) == count:
        raise InputError(
            "skip_episodes",
            expected=f"some of the episodes 0 to {count - 1}, not all",
            got=", ".join(map(str, unknown)) or "all",
        )


def _write(
    episodes: Iterator[tuple[int, Episode]],
    schema: Schema,
    attributes: Mapping[str, object],
    target: Path,
    on_rows: Callable[[int], None],
) -> tuple[int, int]:
    """Write beside the target under a temporary name and rename at the end; returns episodes and rows written."""
    with (
        written_aside(target, str(target), "converting") as aside,
        Dataset.create(aside, schema, attributes) as dataset,
    ):
        pending: list[Episode] = []
        for stop, episode in episodes:
            pending.append(episode)
            if sum(rows.nbytes for waiting in pending for rows in waiting.data.values()) >= _BYTES_PER_COMMIT:
                dataset.extend(pending)
                pending = []
            on_rows(stop)
        if pending:
            dataset.extend(pending)
        return len(dataset), dataset.rows


def _episodes(
    source: Source, plan: ConversionPlan, facts: Sequence[Fact], skip: set[int]
) -> Iterator[tuple[int, Episode]]:
    """(row in the source after its last, episode) for all that are not skipped; each key is read front to back once."""
    readers = {column.name: column.reader() for column in plan.columns}
    ends = source.episode_ends.tolist()
    for number, (start, stop) in enumerate(zip([0, *ends], ends)):
        if number in skip:
            continue
        rows = {name: reader.read(start, stop) for name, reader in readers.items()}
        for name, values in rows.items():
            _require_finite(source, number, name, values)
        yield stop, Episode(data=rows, meta={fact.field.name: fact.values[number] for fact in facts})


def _require_finite(source: Source, episode: int, name: str, rows: np.ndarray) -> None:
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return
    row, *component = np.argwhere(~np.isfinite(rows))[0].tolist()
    where = f", component {', '.join(map(str, component))}" if component else ""
    raise InputError(
        f"'{source.path}': '{name}', episode {episode}, row {row}{where}",
        expected="a finite number",
        got=str(rows[(row, *component)]),
        way_out=f"Leave the episode out with skip_episodes=[{episode}]",
    )
