"""The twin's own tasks: arms and hands in contact with things, at the rate of the physics."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError, nearest
from sim.tasks.info import TaskInfo
from sim.tasks.options import read_options

if TYPE_CHECKING:
    from sim.tasks.twin.env import TwinEnv
    from sim.tasks.twin.task import TwinTask

# Task -> module and class. Modules are imported on first use.
TASKS: Mapping[str, tuple[str, str]] = {
    "door": ("sim.tasks.twin.door", "Door"),
    "drawer": ("sim.tasks.twin.drawer", "Drawer"),
    "hand_grasp": ("sim.tasks.twin.hand_grasp", "HandGrasp"),
    "hand_turn": ("sim.tasks.twin.hand_turn", "HandTurn"),
    "lift": ("sim.tasks.twin.lift", "Lift"),
    "peg": ("sim.tasks.twin.peg", "Peg"),
    "place": ("sim.tasks.twin.place", "Place"),
    "press": ("sim.tasks.twin.press", "Press"),
    "stack": ("sim.tasks.twin.stack", "Stack"),
    "wipe": ("sim.tasks.twin.wipe", "Wipe"),
}


def names() -> tuple[str, ...]:
    """Names of the tasks."""
    return tuple(TASKS)


def task_info(name: str) -> TaskInfo:
    """The facts of a task.

    Raises:
        InputError: there is none of that name.
    """
    return task_class(name).info


@cache
def task_class(name: str) -> type[TwinTask]:
    """The class of a task.

    Raises:
        InputError: there is none of that name.
    """
    if name not in TASKS:
        raise InputError(
            "task",
            expected=f"one of {', '.join(f'twin/{each}' for each in TASKS)}",
            got=f"'twin/{name}'",
            way_out=nearest(f"twin/{name}", [f"twin/{each}" for each in TASKS]),
        )
    module, kind = TASKS[name]
    return getattr(import_module(module), kind)  # type: ignore[no-any-return]


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> TwinEnv:
    """As `sim.make`, without the suite's prefix.

    Raises:
        InputError: the task, the option or its value is unknown, or the robot cannot do the task.
    """
    task = task_class(name)()

    from sim.tasks.twin.env import TwinEnv, TwinOptions

    settings = read_options(TwinOptions, options, task.info.id)
    if settings.starts == "ambiguous":
        task.make_ambiguous()
    return TwinEnv(task, reward=reward, options=settings)
