"""Task ids and the suites that build them. A suite is imported when one of its tasks is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Mapping, Protocol, cast

from robot.errors import InputError, nearest
from sim.tasks.environment import TaskEnv
from sim.tasks.info import TaskInfo

SUITES: Mapping[str, str] = {
    "twin": "sim.tasks.twin",
    "pusht": "sim.tasks.pusht",
    "robosuite": "sim.tasks.robosuite",
    "metaworld": "sim.tasks.metaworld",
    "maze": "sim.tasks.maze",
    "gym": "sim.tasks.gym.suite",
}


class Suite(Protocol):
    """The interface of the module of a suite. Names are ids without the suite's prefix."""

    def names(self) -> tuple[str, ...]:
        """Tasks that are always there; a suite may know others."""
        ...

    def task_info(self, name: str) -> TaskInfo:
        """The facts of a task, or an InputError that offers the nearest name."""
        ...

    def make(self, name: str, *, reward: str, options: Mapping[str, Any]) -> TaskEnv:
        """As `sim.make`, without the suite's prefix."""
        ...


def suite_of(task_id: str) -> tuple[Suite, str]:
    """The suite of an id, and the task's name within it.

    Raises:
        InputError: no such suite, or an id without a name.
    """
    prefix, slash, name = str(task_id).partition("/")
    if prefix not in SUITES or not slash or not name:
        raise InputError(
            "task",
            expected=f"SUITE/NAME with one of the suites {', '.join(SUITES)}",
            got=f"'{task_id}'",
            way_out=nearest(str(task_id), task_ids()),
        )
    return cast(Suite, import_module(SUITES[prefix])), name


def suite_ids(prefix: str) -> tuple[str, ...]:
    """Ids of the tasks of one suite that are always there.

    Raises:
        KeyError: there is no such suite.
    """
    suite = cast(Suite, import_module(SUITES[prefix]))
    return tuple(f"{prefix}/{name}" for name in suite.names())


def task_ids() -> tuple[str, ...]:
    """Ids of all tasks that are always there; `gym/` takes any other id that is registered with Gymnasium."""
    return tuple(task_id for prefix in SUITES for task_id in suite_ids(prefix))


def task_info(task_id: str) -> TaskInfo:
    """The facts of a task.

    Args:
        task_id: as `sim.make` takes it.

    Raises:
        InputError: there is no such task.
    """
    suite, name = suite_of(task_id)
    return suite.task_info(name)
