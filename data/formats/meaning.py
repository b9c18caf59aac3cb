"""What every key of a source means: its name in the target, its unit, its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Callable, Mapping

from data.formats.images import looks_like_images
from data.formats.preset import Derived, Preset
from data.formats.source import ACTIONS, COLUMN, Source, require_known, require_name
from data.store.images.encoding import AS_IT_CAME, JPEG, Encoding
from data.store.names import REWARD, TIME
from data.store.schema import ACTION
from robot.description import OBSERVATION_KINDS, ActionField
from robot.errors import InputError, nearest

# Names that other recorders use -> ours.
_ALIASES = {"actions": ACTION, "timestamp": TIME.name}


@dataclass(frozen=True)
class Meaning:
    """What is known of a source, from its preset, a person's options and its shapes.

    Args:
        keys: name in the target -> key of the source.
        period_s: control period, None until it is given.
        instruction: what every episode does, in words; empty when unknown.
        units: name in the target -> unit, of those that are known.
        kinds: name in the target -> kind of observation, of those that are given.
        derive: name in the target -> how it is made.
        action: fields of the action vector; empty for one native field.
        encodings: name in the target -> how its images are stored, of those for which it is given.
    """

    keys: Mapping[str, str]
    period_s: float | None
    instruction: str
    units: Mapping[str, str]
    kinds: Mapping[str, str]
    derive: Mapping[str, Derived]
    action: tuple[ActionField, ...]
    encodings: Mapping[str, Encoding]

    def without_unit(self, source: Source) -> dict[str, int]:
        """Names in the target that lack a unit and need one, with their number of components."""
        needing = {
            name: (source.fields[key].shape or (1,))[-1]
            for name, key in self.keys.items()
            if name not in (REWARD.name, TIME.name)
            and source.fields[key].role != COLUMN
            and not self.is_image(source, name)
        }
        needing |= {name: len(derived.components) for name, derived in self.derive.items()}
        if self.action:
            needing.pop(ACTION, None)
        return {name: size for name, size in needing.items() if name not in self.units}

    def is_image(self, source: Source, name: str) -> bool:
        """Whether a key holds images: by its given kind, else by its shape."""
        if name in self.kinds:
            return self.kinds[name] == "image"
        return name != ACTION and looks_like_images(source.fields[self.keys[name]])


def meaning_of(source: Source, preset: Preset, overrides: Preset) -> Meaning:
    """What the format says, overridden by a preset, overridden by what a person gives.

    Args:
        source: that has the keys.
        preset: of the published dataset; empty where it is none.
        overrides: given by a person, who may call keys by their old or their new names.

    Raises:
        InputError: an option names a key that is not there, two keys would get one name, or none is the action.
    """
    require_known("rename", overrides.rename, (*source.fields, *source.facts))
    for name, kind in overrides.kinds.items():
        if kind not in OBSERVATION_KINDS:
            raise InputError(
                f"kinds.{name}",
                expected=f"one of {', '.join(OBSERVATION_KINDS)}",
                got=f"'{kind}'",
                way_out=nearest(kind, OBSERVATION_KINDS),
            )
    keys = _target_names(source, {**preset.rename, **overrides.rename})
    derive = {name: derived for name, derived in preset.derive.items() if derived.key in source.fields}
    names = {**{key: name for name, key in keys.items()}, **{name: name for name in (*keys, *derive)}}
    options = (("units", overrides.units), ("kinds", overrides.kinds), ("encodings", overrides.encodings))
    for option, given in options:
        require_known(option, given, names)

    def by_name(*layers: Mapping[str, str]) -> dict[str, str]:
        return {names[key]: value for layer in layers for key, value in layer.items() if key in names}

    of_format = {key: field.unit for key, field in source.fields.items() if field.unit}
    kinds = {key: field.kind for key, field in source.fields.items() if field.kind}
    periods = (overrides.period_s, preset.period_s, source.period_s)
    return Meaning(
        keys=keys,
        period_s=next((period_s for period_s in periods if period_s is not None), None),
        instruction=(preset.instruction or "") if overrides.instruction is None else overrides.instruction,
        units=by_name(of_format, preset.units, overrides.units),
        kinds=by_name(kinds, preset.kinds, overrides.kinds),
        derive=derive,
        action=overrides.action or preset.action or source.action,
        encodings={
            name: encoding_of(name, words) for name, words in by_name(preset.encodings, overrides.encodings).items()
        },
    )


def encoding_of(name: str, words: str) -> Encoding:
    """The encoding that is typed as `raw`, `png`, `jpeg` or `jpeg:80`.

    Raises:
        InputError: there is no such one.
    """
    kind, _, quality = words.partition(":")
    if kind == AS_IT_CAME or (quality and (kind != JPEG or not quality.isdecimal())):
        raise InputError(f"encodings.{name}", expected="raw, png, jpeg or jpeg:QUALITY", got=f"'{words}'")
    return Encoding(kind, int(quality)) if quality else Encoding(kind)


def completed(source: Source, meaning: Meaning, ask: Callable[[str], str] | None) -> Meaning:
    """Ask for what is missing of the meaning, or raise with the options that give it.

    Raises:
        InputError: something is missing and nobody can be asked, or the answer is not a number.
    """
    without_unit = meaning.without_unit(source)
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
        period_s = _seconds(ask("Control period in seconds (0.1 for 10 Hz):"))
    answers = {
        name: ask(f"Unit of '{name}' (one, or {size} separated by spaces; 1 where there is none):").strip() or "1"
        for name, size in without_unit.items()
    }
    return replace(meaning, period_s=period_s, units={**meaning.units, **answers})


def _target_names(source: Source, rename: Mapping[str, str]) -> dict[str, str]:
    """Name in the target -> key of the source, for every key."""
    keys: dict[str, str] = {}
    aliases = {
        key: ACTION if field.role == ACTIONS else field.target or _ALIASES.get(key, key)
        for key, field in source.fields.items()
    }
    given = Counter((*aliases.values(), *rename.values()))
    for key, alias in aliases.items():
        name = rename.get(key, (key if given[alias] > 1 else alias).replace("/", "."))
        if name in keys:
            raise InputError(
                f"'{source.path}': keys",
                expected="different names in the target",
                got=f"'{keys[name]}' and '{key}' both as '{name}'",
                way_out="Rename one with rename.KEY=NAME, or leave it out with exclude=[KEY]",
            )
        require_name(source.path, key, name)
        keys[name] = key
    if ACTION not in keys:
        raise InputError(
            f"'{source.path}': actions",
            expected="a key 'action'",
            got=", ".join(source.fields),
            way_out="Say which one it is with rename.KEY=action",
        )
    return keys


def _seconds(answer: str) -> float:
    try:
        return float(answer)
    except ValueError:
        raise InputError("period_s", expected="a number of seconds", got=f"'{answer.strip()}'") from None
