"""Build a task of robosuite, which is imported then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from sim.tasks.options import read_options
from sim.tasks.robosuite.facts import RobosuiteOptions, task_info
from sim.tasks.robosuite.package import import_robosuite

if TYPE_CHECKING:
    from sim.tasks.robosuite.env import RobosuiteEnv


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> RobosuiteEnv:
    """As `sim.make`, without the suite's prefix.

    Raises:
        InputError: the task, the option or its value is unknown.
    """
    task = task_info(name)
    read = read_options(RobosuiteOptions, options, task.id)
    suite = import_robosuite()

    from sim.tasks.robosuite.env import RobosuiteEnv

    return RobosuiteEnv(suite, task, reward=reward, options=read)
