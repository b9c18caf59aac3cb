"""Meta-World's own scripted policies, one per task, as experts. They have one strategy and draw nothing."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from sim.tasks.metaworld import facts
from sim.tasks.metaworld.package import import_metaworld


def names() -> tuple[str, ...]:
    return facts.names()


def make(name: str) -> MetaworldExpert:
    return MetaworldExpert(facts.task_name(name))


class MetaworldExpert:
    """The expert of one task of `metaworld/*`.

    Args:
        name: of the task, without the suite.

    Raises:
        MissingExtraError: Meta-World is not installed.
    """

    def __init__(self, name: str) -> None:
        suite = import_metaworld()
        self._policy = suite.policies.ENV_POLICY_MAP[name + facts.VERSION]()
        self.strategy: dict[str, Any] = {}

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Begin an episode; nothing is drawn."""
        self.strategy = {"policy": type(self._policy).__name__}

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action (4,) for the next period, each in [-1, 1]."""
        # The policies look at the hand, the gripper, the objects' positions and the goal in Meta-World's row, at
        # neither orientations nor the step before.
        row = np.zeros(39)
        row[0:3], row[3:4] = observation["hand.position"], observation["gripper.opening"]
        row[4:7], row[11:14] = observation["object.position"], observation["object2.position"]
        row[36:39] = observation["goal.position"]
        return np.clip(self._policy.get_action(row), -1.0, 1.0).astype(np.float64)
