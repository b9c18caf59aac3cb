"""Foreign demonstrations into a store of ours, with the period, units and provenance that they lack."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Mapping, Sequence

from data.formats import Preset, Source, find_preset, open_source, recognise
from data.formats.facts import episode_facts, replaced_facts
from data.formats.hdf5.absolute import FindReplay, with_absolute
from data.formats.meaning import completed, meaning_of
from data.formats.next_rows import with_actions
from data.formats.plan import make_plan
from data.formats.source import kept_episodes, ranges
from data.formats.writing import write_episodes
from data.store.names import INSTRUCTION, SOURCE
from data.store.writing.target import free_folder
from robot.description import ActionField
from robot.errors import InputError


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
    encodings: Mapping[str, str] | None = None,
    skip_missing: bool = False,
    ignore_names: bool = False,
    replay: FindReplay | None = None,
    ask: Callable[[str], str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Read a foreign store and write it as one of ours; the target appears whole or not at all.

    Args:
        source: a replay-buffer zarr (folder, zip, zip with a folder inside, URL), an npz with `episode_ends`, HDF5 with
            groups `data/demo_N`, or a LeRobot dataset.
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
        encodings: key -> how its images are stored: `raw`, `png`, `jpeg` or `jpeg:QUALITY`.
        skip_missing: leave out episodes of which files are not there.
        ignore_names: read numbers whose names do not fit without names.
        replay: finds the controller that the actions of a simulator were for, which makes absolute ones of them; None
            leaves them as they are.
        ask: asks a person one question; None where nobody can be asked.
        on_progress: called with rows done and rows in all.

    Raises:
        InputError: the source cannot be read, something is missing that nobody can be asked for, or the target
            exists or cannot be written.
    """
    folder = free_folder(target)
    opened = open_source(source, exclude=exclude, skip=skip_episodes, ignore_names=ignore_names)
    with ExitStack() as files:
        files.callback(lambda: opened.close())
        known = find_preset(preset) if preset else recognise(opened, exclude)
        skip = _require_there(opened, set(skip_episodes), skip_missing)
        if replay and not action and not (known and known.action):
            opened = with_absolute(opened, replay, skip)
        return _convert(
            with_actions(opened, known.next_action, tuple((rename or {}).values())) if known else opened,
            folder,
            str(source),
            str(target),
            Preset(
                period_s=period_s,
                instruction=instruction,
                rename=rename or {},
                units=_units(opened, units),
                kinds=kinds or {},
                action=tuple(action),
                encodings=encodings or {},
            ),
            known,
            by_name=preset is not None,
            skip=skip,
            source_note=source_note,
            ask=ask,
            on_progress=on_progress,
        )


def _convert(
    opened: Source,
    folder: Path,
    source: str,
    target: str,
    given: Preset,
    known: Preset | None,
    *,
    by_name: bool,
    skip: set[int],
    source_note: str | None,
    ask: Callable[[str], str] | None,
    on_progress: Callable[[int, int], None] | None,
) -> Conversion:
    meaning = completed(opened, meaning_of(opened, known or Preset(), given), ask)
    name = Path(os.path.abspath(source)).name  # of the folder, where it is given as a dot
    note = source_note or (known.name if known else name)
    same = {SOURCE.name: note, **({INSTRUCTION.name: meaning.instruction} if meaning.instruction else {})}
    facts = episode_facts(opened, given.rename, same, skip)
    episodes = _episodes(opened, skip)
    plan = make_plan(opened, meaning, tuple(fact.field for fact in facts), episodes)
    keys = tuple((column.field.name, column.name) for column in plan.columns)
    provenance = {
        "converted_from": name,
        "format": opened.format,
        "note": note,
        "keys": {new: old for old, new in keys},
        "source_attributes": dict(opened.attributes),
    }
    components = {column.name: list(column.field.components) for column in plan.columns if column.field.components}
    if components:
        provenance["components"] = components
    written = write_episodes(opened, plan, facts, episodes, {"provenance": provenance}, folder, target, on_progress)
    taken = [fact.field.name for fact in facts if fact.field.name not in (SOURCE.name, INSTRUCTION.name)]
    fact_notes = (f"facts of each episode: {', '.join(taken)}",) if taken else ()
    absent = [episode for episode in opened.missing if episode in skip]
    holes = (f"left out, as files are missing: {len(absent)} episodes, {ranges(absent)}",) if absent else ()
    recognised = (f"recognised as {known.name}",) if known and not by_name else ()
    units_written = {name: field.unit for name, field in plan.schema.row_fields.items()}
    return Conversion(
        source,
        target,
        opened.format,
        *written,
        keys,
        plan.schema.period_s,
        units_written,
        (*recognised, *holes, *opened.notes, *fact_notes, *replaced_facts(opened, given.rename, same), *plan.notes),
    )


def _require_there(source: Source, skip: set[int], skip_missing: bool) -> set[int]:
    """Episodes to skip, with those of which files are missing."""
    missing = {episode: what for episode, what in source.missing.items() if episode not in skip}
    if missing and not skip_missing:
        episode, what = next(iter(missing.items()))
        others = f", and files of {len(missing) - 1} more episodes" if len(missing) > 1 else ""
        raise InputError(
            f"'{source.path}', episode {episode}",
            expected="all files of every episode",
            got=f"no {ascii(what)[1:-1]}{others}",
            way_out="Leave out what is incomplete with skip_missing=true, or a camera with exclude=[KEY]",
        )
    return skip | set(missing)


def _units(source: Source, units: str | Mapping[str, str] | None) -> dict[str, str]:
    """Units by key; one for all is of those keys whose unit the format does not say."""
    if isinstance(units, str):
        return {key: units for key, field in source.fields.items() if not field.unit}
    return {key: str(unit) for key, unit in (units or {}).items()}  # a 1 typed as a number is a unit too


def _episodes(source: Source, skipped: Collection[int]) -> list[int]:
    """Numbers of the episodes to convert."""
    count = len(source.lengths)
    unknown = sorted(set(skipped) - set(range(count)))
    if unknown or len(set(skipped)) == count:
        raise InputError(
            "skip_episodes",
            expected=f"some of the episodes 0 to {count - 1}, not all",
            got=", ".join(map(str, unknown)) or "all",
        )
    return kept_episodes(source, skipped)
