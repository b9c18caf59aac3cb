"""Foreign demonstrations into a store of ours, with the period, units and provenance that they lack."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from data.dataset import Dataset
from data.episode import Episode
from data.schema import MetaField
from data.sources import Preset, Source, find_preset, open_source, recognise
from data.sources.plan import Plan, make_plan, needs_unit, target_names
from data.sources.source import require_known
from robot.description import OBSERVATION_KINDS, ActionField
from robot.errors import InputError, nearest

_BYTES_A_COMMIT = 64 * 2**20


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
        units: one for all keys, or key -> unit ("m", or one a component: "m m rad"; "1" where there is none).
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
    target = Path(target)
    _require_free(target)
    opened = open_source(source, exclude=exclude)
    known = find_preset(preset) if preset else recognise(opened)
    meaning = known or Preset(name="unknown source")
    meaning = _with_options(opened, meaning, period_s, units, rename, kinds, action, instruction)
    meaning = _completed(opened, meaning, ask)
    note = source_note or (known.name if known else "")
    facts = {"source": note or Path(source).name}
    if meaning.instruction:
        facts["instruction"] = meaning.instruction
    plan = make_plan(opened, meaning, tuple(MetaField(name, "string") for name in facts))
    keys = tuple((column.array.name, column.name) for column in plan.columns)
    provenance = {"provenance": {
        "converted_from": Path(source).name, "format": opened.format, "note": note,
        "keys": {new: old for old, new in keys}, "source_attributes": dict(opened.attributes),
    }}
    _require_episodes(opened, skip_episodes)
    episodes, rows = _write(opened, plan, facts, target, provenance, set(skip_episodes), on_progress)
    notes = [f"recognised as {known.name}"] if known and not preset else []
    notes += [*opened.notes, *plan.notes]
    return Conversion(str(source), str(target), opened.format, episodes, rows, keys, plan.schema.period_s,
                      {name: field.unit for name, field in plan.schema.row_fields.items()}, tuple(notes))


def _require_free(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(str(target), expected="an output that does not exist yet", got="something there",
                         way_out="Choose another path, or remove it first")


def _require_episodes(source: Source, skipped: Collection[int]) -> None:
    count = len(source.episode_ends)
    unknown = sorted(set(skipped) - set(range(count)))
    if unknown or len(set(skipped)) == count:
        raise InputError("skip_episodes", expected=f"some of the episodes 0 to {count - 1}, not all",
                         got=", ".join(map(str, unknown)) or "all")


def _with_options(
    source: Source,
    meaning: Preset,
    period_s: float | None,
    units: str | Mapping[str, str] | None,
    rename: Mapping[str, str] | None,
    kinds: Mapping[str, str] | None,
    action: Sequence[ActionField],
    instruction: str | None,
) -> Preset:
    """What is known, with what the person says put over it. Keys may be called by their old or their new name."""
    require_known("rename", rename or {}, source.arrays)
    for name, kind in (kinds or {}).items():
        if kind not in OBSERVATION_KINDS:
            raise InputError(f"kinds.{name}", expected=f"one of {', '.join(OBSERVATION_KINDS)}", got=f"'{kind}'",
                             way_out=nearest(kind, OBSERVATION_KINDS))
    meaning = replace(meaning, rename={**meaning.rename, **(rename or {})})
    keys = target_names(source, meaning)
    new_names = {key: name for name, key in keys.items()}

    def by_new_name(option: str, given: Mapping[str, str]) -> dict[str, str]:
        require_known(option, given, {*keys, *new_names, *meaning.derive})
        return {name if name in keys else new_names.get(name, name): value for name, value in given.items()}

    if isinstance(units, str):
        units = dict.fromkeys((*keys, *meaning.derive), units)
    return replace(
        meaning,
        period_s=meaning.period_s if period_s is None else period_s,
        units={**meaning.units, **by_new_name("units", units or {})},
        kinds={**meaning.kinds, **by_new_name("kinds", kinds or {})},
        action=tuple(action) or meaning.action,
        instruction=meaning.instruction if instruction is None else instruction,
    )


def _completed(source: Source, meaning: Preset, ask: Callable[[str], str] | None) -> Preset:
    """The meaning with nothing missing: asked for, or refused with the options to type."""
    without_unit = needs_unit(source, meaning)
    if meaning.period_s is not None and not without_unit:
        return meaning
    if ask is None:
        options = ["period_s=SECONDS"] * (meaning.period_s is None) + [f"units.{name}=UNIT" for name in without_unit]
        raise InputError(
            f"'{source.path}'",
            expected="the control period and a unit for every key, which this format does not say",
            got=f"nothing for {', '.join(option.partition('=')[0] for option in options)}",
            way_out=f"Add {' '.join(options)} (for example period_s=0.1 units.{next(iter(without_unit), 'state')}=m; "
                    "units=1 gives every key the unit 1)",
        )
    period_s = meaning.period_s
    if period_s is None:
        period_s = _number(ask("Control period in seconds (0.1 for 10 Hz): "))
    answers = {
        name: ask(f"Unit of '{name}' (one, or {size} separated by spaces; 1 where there is none): ").strip() or "1"
        for name, size in without_unit.items()
    }
    return replace(meaning, period_s=period_s, units={**meaning.units, **answers})


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("period_s", expected="a number of seconds", got=f"'{text.strip()}'") from None


def _write(
    source: Source,
    plan: Plan,
    facts: Mapping[str, str],
    target: Path,
    attributes: Mapping[str, object],
    skip: set[int],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    """Write beside the target under a temporary name and rename at the end; returns episodes and rows written."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.converting")
    try:
        with Dataset.create(aside, plan.schema, attributes) as dataset:
            pending: list[Episode] = []
            size = 0
            for stop, episode in _episodes(source, plan, facts, skip):
                pending.append(episode)
                size += sum(rows.nbytes for rows in episode.data.values())
                if size >= _BYTES_A_COMMIT:
                    dataset.extend(pending)
                    pending, size = [], 0
                if on_progress is not None:
                    on_progress(stop, source.rows)
            if pending:
                dataset.extend(pending)
            written = len(dataset), dataset.rows
        os.replace(aside, target)
    except OSError as error:
        raise InputError(str(target), expected="an output that can be written", got=str(error.strerror)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return written


def _episodes(source: Source, plan: Plan, facts: Mapping[str, str], skip: set[int]) -> Iterator[tuple[int, Episode]]:
    """(last row in the source, episode) of all that are wanted, each key read front to back once."""
    readers = {column.name: column.reader() for column in plan.columns}
    start = 0
    for number, stop in enumerate(source.episode_ends.tolist()):
        if number not in skip:
            rows = {name: reader.read(start, stop) for name, reader in readers.items()}
            for column in plan.columns:
                _require_finite(source, number, column.name, rows[column.name])
            yield stop, Episode(data=rows, meta=dict(facts))
        start = stop


def _require_finite(source: Source, episode: int, name: str, rows: np.ndarray) -> None:
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return
    row, *component = np.argwhere(~np.isfinite(rows))[0].tolist()
    raise InputError(f"'{source.path}': '{name}', episode {episode}, row {row}, component "
                     f"{', '.join(map(str, component))}", expected="a finite number", got=str(rows[(row, *component)]),
                     way_out=f"Leave the episode out with skip_episodes=[{episode}]")
