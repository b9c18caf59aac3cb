"""What is known of published sets: files under `configs/source` that declare what their keys mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Collection, Mapping

import yaml

from data.formats.source import Source
from robot.description import ActionField, from_json
from robot.errors import InputError, nearest
from robot.folders import configs_folder


@dataclass(frozen=True)
class Derived:
    """A key made of components of the last axis of a key of the source."""

    key: str
    components: tuple[int, ...]


@dataclass(frozen=True)
class NextPart:
    """A part of actions that are made of what the row after observed.

    Args:
        key: of the source.
        rotation: whether it is a rotation vector, rad, which becomes the 6-D form.
    """

    key: str
    rotation: bool = False


@dataclass(frozen=True)
class Preset:
    """What a file or a person declares about a source; every field is optional.

    Args:
        name: what the set is, in words.
        match: keys that identify the set, with the shape of one row; it may have others.
        period_s: control period.
        instruction: what every episode does, in words.
        rename: key of the source -> name in the target.
        units: key of the source, or derived key -> unit.
        kinds: key of the source, or derived key -> kind of observation.
        derive: new key -> how it is made.
        action: fields of the action vector.
        next_action: of a set without actions: what the row after observed, which makes the action of each row.
        encodings: key of the source, or derived key -> how its images are stored: raw, png, or jpeg with a quality,
            jpeg:90.
    """

    name: str = ""
    match: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    period_s: float | None = None
    instruction: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    derive: Mapping[str, Derived] = field(default_factory=dict)
    action: tuple[ActionField, ...] = ()
    next_action: tuple[NextPart, ...] = ()
    encodings: Mapping[str, str] = field(default_factory=dict)

    def fits(self, source: Source, excluded: Collection[str] = ()) -> bool:
        """Whether a source has the keys that identify this set, but for those that were left out on purpose."""
        expected = {name: tuple(shape) for name, shape in self.match.items() if name not in excluded}
        return bool(expected) and all(
            name in source.fields and source.fields[name].shape == shape for name, shape in expected.items()
        )


def presets() -> dict[str, Preset]:
    """All presets by file name."""
    files = sorted((configs_folder() / "source").glob("*.yaml"))
    return {file.stem: from_json(Preset, yaml.safe_load(file.read_text()), where=str(file)) for file in files}


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        InputError: there is none, or a file of `configs/source` has a wrong key or value.
    """
    known = presets()
    if name not in known:
        raise InputError("preset", expected="a known source", got=f"'{name}'", way_out=nearest(name, known))
    return known[name]


def recognise(source: Source, excluded: Collection[str] = ()) -> Preset | None:
    """The preset that fits a source, the one with the most keys of several; None where none or two such do.

    Args:
        source: to find the preset of.
        excluded: keys that were left out of it on purpose.

    Raises:
        InputError: a file of `configs/source` has a wrong key or value.
    """
    fitting = [preset for preset in presets().values() if preset.fits(source, excluded)]
    most = max((len(preset.match) for preset in fitting), default=0)
    fitting = [preset for preset in fitting if len(preset.match) == most]
    return fitting[0] if len(fitting) == 1 else None
