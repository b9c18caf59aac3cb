"""Scripted experts of `twin/*`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Mapping

from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from sim.experts.registry import Expert

# Task -> `module:class`, imported on first use.
EXPERTS: Mapping[str, str] = {
    "door": "sim.experts.twin.door:DoorExpert",
    "drawer": "sim.experts.twin.drawer:DrawerExpert",
    "hand_grasp": "sim.experts.twin.hand_grasp:HandGraspExpert",
    "hand_turn": "sim.experts.twin.hand_turn:HandTurnExpert",
    "lift": "sim.experts.twin.lift:LiftExpert",
    "peg": "sim.experts.twin.peg:PegExpert",
    "place": "sim.experts.twin.place:PlaceExpert",
    "press": "sim.experts.twin.press:PressExpert",
    "stack": "sim.experts.twin.stack:StackExpert",
    "wipe": "sim.experts.twin.wipe:WipeExpert",
}


def names() -> tuple[str, ...]:
    """Tasks that have an expert."""
    return tuple(EXPERTS)


def make(name: str) -> Expert:
    """The expert of a task.

    Raises:
        InputError: the task has none.
    """
    if name not in EXPERTS:
        raise InputError(
            "scripted expert",
            expected=f"one of {', '.join(f'twin/{each}' for each in EXPERTS)}",
            got=f"'twin/{name}'",
            way_out=nearest(name, EXPERTS),
        )
    module, _, kind = EXPERTS[name].partition(":")
    return getattr(import_module(module), kind)()  # type: ignore[no-any-return]
