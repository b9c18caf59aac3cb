"""Which key, button or axis does what: small files of `configs/bindings`, checked when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Mapping

import yaml

from real.teleop.device import EVENTS
from robot.errors import InputError, nearest, one_line
from robot.folders import configs_folder

DIRECTIONS = tuple(f"{axis}{sign}" for axis in ("x", "y", "z", "about_x", "about_y", "about_z") for sign in ("+", "-"))
"""Motions of keys, along and about the axes; of joints where the contract controls joints."""
AXES = ("x", "y", "z", "about_x", "about_y", "about_z")
"""Motions of sticks."""
GRIPS = ("close", "open")

ReadControl = Callable[[str, str], str]


@dataclass(frozen=True)
class Vocabulary:
    """What the bindings of a device may say.

    Args:
        actions: that can be bound.
        required: of them, those that must be bound.
        controls: keys, buttons or axes by name, for the nearest one.
        read: (action, text of the file) -> the control's own name; raises ValueError with what would have been right.
    """

    actions: tuple[str, ...]
    required: tuple[str, ...]
    controls: tuple[str, ...]
    read: ReadControl


@dataclass(frozen=True)
class Bindings:
    """The bindings of a device in force.

    Args:
        file: where they are from.
        controls: action -> key, button or axis; an action without one is left out.
    """

    file: str
    controls: Mapping[str, str]

    def control(self, action: str) -> str:
        """Of an action; empty when it has none."""
        return self.controls.get(action, "")

    @property
    def actions(self) -> dict[str, str]:
        """Control -> action."""
        return {control: action for action, control in self.controls.items()}

    def line(self) -> str:
        """All of them for a person, opposite motions together: `e hold | w s x | ...`."""
        parts: list[str] = []
        for action, control in self.controls.items():
            if action.endswith("+") and f"{action[:-1]}-" in self.controls:
                parts.append(f"{control} {self.controls[f'{action[:-1]}-']} {_words(action[:-1])}")
            elif not (action.endswith("-") and f"{action[:-1]}+" in self.controls):
                parts.append(f"{control} {_words(action)}")
        return " | ".join(parts)

    def table(self) -> str:
        """All of them for a person, a line each."""
        width = max(map(len, self.controls), default=0)
        return "\n".join(f"  {_words(action).ljust(width)}  {control}" for action, control in self.controls.items())


def bindings_folder() -> Path:
    """The folder of the bindings."""
    return configs_folder() / "bindings"


def load_bindings(name: str, vocabulary: Vocabulary) -> Bindings:
    """Read bindings.

    Args:
        name: of a file in `configs/bindings`, or the path of a file.
        vocabulary: of the device that they are for.

    Raises:
        InputError: no such file, or it names an unknown action or control, gives two actions one control, or leaves out
            an action that is needed; with file, action, control and the nearest right name.
    """
    known = bindings_folder() / f"{name}.yaml"
    file = known if known.is_file() else Path(name).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = [each.stem for each in bindings_folder().glob("*.yaml")]
        raise InputError(
            "bindings",
            expected=f"one of {', '.join(sorted(names))}, or a file",
            got=f"'{name}', {getattr(error, 'strerror', None) or one_line(error)}",
            way_out=nearest(name, names),
        ) from None
    return _checked(str(file), _pairs(str(file), text), vocabulary)


def _pairs(file: str, text: str) -> list[tuple[str, str]]:
    """Actions and controls as they stand in a file; scalars as typed, so that `1` and `y` are keys."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(file, expected="a YAML file", got=one_line(error)) from None
    if not isinstance(node, yaml.MappingNode):
        raise InputError(file, expected="lines 'action: key'", got="something else")
    pairs = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise InputError(
                f"{file}, line {key.start_mark.line + 1}", expected="'action: key'", got="a list or a mapping"
            )
        pairs.append((key.value, "" if value.tag == "tag:yaml.org,2002:null" else value.value))
    return pairs


def _checked(file: str, pairs: Iterable[tuple[str, str]], vocabulary: Vocabulary) -> Bindings:
    controls: dict[str, str] = {}
    users: dict[str, str] = {}
    for action, text in pairs:
        thing = f"{file}: action '{action}'"
        if action not in vocabulary.actions:
            raise InputError(thing, expected="an action of the device", way_out=nearest(action, vocabulary.actions))
        if action in controls:
            raise InputError(thing, expected="one line", got=f"two, '{controls[action]}' and '{text}'")
        if not text:
            continue
        try:
            control = vocabulary.read(action, text)
        except ValueError as error:
            raise InputError(
                thing, expected=str(error), got=f"'{text}'", way_out=nearest(text, vocabulary.controls)
            ) from None
        # One axis in both directions is one axis.
        user = users.setdefault(control.lstrip("-") or control, action)
        if user != action:
            raise InputError(
                thing, expected=f"a key of its own, '{control}' is that of '{user}'", way_out="Change one of the two"
            )
        controls[action] = control
    for action in vocabulary.required:
        if action not in controls:
            raise InputError(
                f"{file}: action '{action}'",
                expected="a key: without it the device cannot be used safely",
                got="none",
                way_out=f"Add a line '{action}: KEY'",
            )
    return Bindings(file, controls)


def of_keys(names: Iterable[str]) -> Vocabulary:
    """The vocabulary of a device whose keys each do one thing.

    Args:
        names: of the keys.
    """
    keys = tuple(names)

    def read(action: str, text: str) -> str:
        if text not in keys:
            raise ValueError("a key")
        return text

    return Vocabulary(("hold", "let_go", "next", *DIRECTIONS, *GRIPS, *EVENTS), ("hold", "let_go"), keys, read)


def direction(action: str) -> tuple[int, int] | None:
    """Axis and sign of an action that moves, 6 for the tool; None for another action."""
    if action in GRIPS:
        return 6, 1 if action == "close" else -1
    return (AXES.index(action[:-1]), 1 if action[-1] == "+" else -1) if action in DIRECTIONS else None


def _words(action: str) -> str:
    return action.replace("_", " ")
