"""Build a task of Meta-World, which is imported then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from sim.tasks.metaworld.facts import MetaworldOptions, task_info
from sim.tasks.metaworld.package import import_metaworld
from sim.tasks.options import read_options

if TYPE_CHECKING:
    from sim.tasks.metaworld.env import MetaworldEnv


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> MetaworldEnv:
    """As `sim.make`, without the suite's prefix.

    Raises:
        InputError: the task, the option or its value is unknown.
        MissingExtraError: Meta-World is not installed.
    """
    task = task_info(name)
    read = read_options(MetaworldOptions, options, task.id)
    suite = import_metaworld()

    from sim.tasks.metaworld.env import MetaworldEnv

    return MetaworldEnv(suite, task, reward=reward, options=read)
