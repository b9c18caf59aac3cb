"""Which tasks have a scripted expert."""

from __future__ import annotations

from typing import Mapping

from robot.errors import InputError, nearest
from sim.experts.lift import LiftExpert
from sim.experts.place_can import PlaceCanExpert
from sim.experts.waypoints import WaypointExpert

EXPERTS: Mapping[str, type[WaypointExpert]] = {
    "robosuite/Lift": LiftExpert,
    "robosuite/PickPlaceCan": PlaceCanExpert,
}


def expert_ids() -> tuple[str, ...]:
    """Tasks that have an expert."""
    return tuple(EXPERTS)


def make_expert(task_id: str) -> WaypointExpert:
    """The expert of a task.

    Raises:
        InputError: the task has none.
    """
    if task_id not in EXPERTS:
        raise InputError(f"scripted expert for '{task_id}'", expected=f"one of {', '.join(EXPERTS)}",
                         way_out=nearest(task_id, EXPERTS))
    return EXPERTS[task_id]()
