"""Registry of the tasks with a scripted expert. An expert's module is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Mapping, Protocol, cast

import numpy as np

from robot.errors import InputError, nearest

EXPERTS: Mapping[str, str] = {
    "robosuite/Lift": "sim.experts.lift:LiftExpert",
    "robosuite/PickPlaceCan": "sim.experts.place_can:PlaceCanExpert",
}
"""Task id -> `module:class` of its expert, made without arguments."""

SUITES: Mapping[str, str] = {
    "maze": "sim.experts.maze",
    "metaworld": "sim.experts.metaworld",
    "twin": "sim.experts.twin",
}
"""Prefix of task ids -> module of an `ExpertSuite`, which makes the expert of each of its tasks from the name."""


class Expert(Protocol):
    """Solves a task by a script.

    Attributes:
        strategy: how this episode is done, as plain values, for the record.
    """

    strategy: dict[str, Any]

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Begin an episode.

        Args:
            observation: name -> row of the task, raw units.
            random: decides everything that is drawn in it.
        """
        ...

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action (dim,) of the task for the next control period, raw units.

        Args:
            observation: name -> row of the task, raw units.
        """
        ...


class ExpertSuite(Protocol):
    """The interface of a module of experts for a whole suite. Names are ids without the suite's prefix."""

    def names(self) -> tuple[str, ...]:
        """Tasks of the suite that have an expert."""
        ...

    def make(self, name: str) -> Expert:
        """The expert of a task, or an InputError that offers the nearest name."""
        ...


def expert_ids() -> tuple[str, ...]:
    """Tasks that have an expert."""
    return (*EXPERTS, *(f"{prefix}/{name}" for prefix in SUITES for name in _suite(prefix).names()))


def make_expert(task_id: str) -> Expert:
    """The expert of a task.

    Raises:
        InputError: the task has none.
        MissingExtraError: the expert is part of a suite that is not installed.
    """
    if task_id in EXPERTS:
        module, _, name = EXPERTS[task_id].partition(":")
        return cast(Expert, getattr(import_module(module), name)())
    prefix, _, name = task_id.partition("/")
    if prefix in SUITES:
        return _suite(prefix).make(name)
    raise InputError(
        "scripted expert", expected="a task that has one", got=f"'{task_id}'", way_out=nearest(task_id, expert_ids())
    )


def _suite(prefix: str) -> ExpertSuite:
    return cast(ExpertSuite, import_module(SUITES[prefix]))
