"""The devices by name: those of tiller, and those that other packages bring by the entry point group `tiller.devices`.

A device is described by a `DeviceKind`. A package enters its own in its `pyproject.toml`:

    [project.entry-points."tiller.devices"]
    space_mouse = "space_mouse.tiller:DEVICE"

Names are listed without loading anything; a device is loaded when it is chosen. This module imports no ROS.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Callable, Mapping

from real.teleop.bindings import Vocabulary
from real.teleop.device import Device
from robot.errors import InputError, TillerError, nearest, one_line

GROUP = "tiller.devices"
BUILT_IN = ("keyboard", "gamepad", "evdev_keyboard")
"""Modules of `real.teleop.devices`; no package replaces one of them."""


@dataclass(frozen=True)
class Option:
    """A parameter of the node that one kind of device has.

    Args:
        name: of the parameter.
        default: its value where none is given; its type is the parameter's.
        text: what it is, with its unit.
        low, high: range of a number; both or none.
        choices: of a word.
    """

    name: str
    default: Any
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device.

    Args:
        help: one line for a person.
        make: called with the value of each option by its name, and of `hold_s`, `path`, `deadband` and `bindings`
            (read, where there is a vocabulary); returns the device, or raises an InputError.
        options: further parameters of it.
        needs_terminal: whether it reads standard input.
        hold_s: how long one grip of the enabling device counts, where the person does not say.
        vocabulary: of its bindings, whose file has the device's name; None for a device without.
    """

    help: str
    make: Callable[[Mapping[str, Any]], Device]
    options: tuple[Option, ...] = ()
    needs_terminal: bool = False
    hold_s: float = 600.0
    vocabulary: Vocabulary | None = None


def device_names() -> tuple[str, ...]:
    """Names of all devices, tiller's first. Nothing is loaded."""
    return tuple(dict.fromkeys([*BUILT_IN, *sorted(entry.name for entry in entry_points(group=GROUP))]))


def device_kind(name: str) -> DeviceKind:
    """The kind of a name; its module is imported.

    Raises:
        InputError: there is none of that name, two packages bring it, or it cannot be loaded.
    """
    if name in BUILT_IN:
        kind = import_module(f"real.teleop.devices.{name}").DEVICE
        assert isinstance(kind, DeviceKind)
        return kind
    entries = list(entry_points(group=GROUP, name=name))
    if not entries:
        names = device_names()
        raise InputError("device", expected=f"one of {', '.join(names)}", got=f"'{name}'", way_out=nearest(name, names))
    return _loaded(name, entries)


def _loaded(name: str, entries: list[EntryPoint]) -> DeviceKind:
    entry = entries[0]
    package = entry.dist.name if entry.dist is not None else entry.module
    if len({each.value for each in entries}) > 1:
        raise InputError(
            f"device '{name}'",
            expected="one package that brings it",
            got=", ".join(sorted(each.value for each in entries)),
            way_out="Uninstall the others",
        )
    try:
        kind = entry.load()
        problem = "" if isinstance(kind, DeviceKind) else f"an object of type {type(kind).__name__}"
    except TillerError as error:
        problem = str(error)
    except Exception as error:  # what another package does when it is imported can be anything
        problem = f"{type(error).__name__}: {one_line(error)}"
    if problem:
        raise InputError(
            f"device '{name}'",
            expected=f"a DeviceKind at {entry.value}, from the package {package}",
            got=problem,
            way_out=f"Update or uninstall {package}",
        )
    return kind  # type: ignore[no-any-return]
