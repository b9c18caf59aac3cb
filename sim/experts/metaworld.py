"""Meta-World's own scripted policies, one per task, as experts. They draw nothing; here each episode has its way:
where the hand goes first, its pace, and how unsteady it is.
"""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from sim.tasks.metaworld import facts
from sim.tasks.metaworld.package import import_metaworld

ASIDE, UP = 0.04, 0.05  # m, of the first waypoint from where the hand starts, at most
NEAR, PATIENCE = 0.015, 15  # m and steps until the first waypoint is left
PACE = (0.9, 1.0)  # of the script's steps
UNSTEADY = 0.12  # of a step, deviation of the noise at most
MEMORY = 0.8  # of the noise, from step to step
STEP_M = 0.01  # by which an action of 1 moves the hand's target


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
        self._random = np.random.default_rng(0)
        self._first: np.ndarray | None = None
        self._steps, self._noise = 0, np.zeros(3)

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Draw the way of an episode: the first waypoint, m from where the hand starts; the pace; the noise."""
        offset = random.uniform([-ASIDE, -ASIDE, 0.0], [ASIDE, ASIDE, UP]).round(4)
        self.strategy = {
            "policy": type(self._policy).__name__,
            "first": offset.tolist(),
            "pace": round(float(random.uniform(*PACE)), 3),
            "unsteady": round(float(random.uniform(0.0, UNSTEADY)), 3),
        }
        self._random, self._noise, self._steps = random, np.zeros(3), 0
        self._first = np.asarray(observation["hand.position"], dtype=np.float64) + offset

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action (4,) for the next period, each in [-1, 1]."""
        # The policies look at the hand, the gripper, the objects' positions and the goal in Meta-World's row, at
        # neither orientations nor the step before.
        row = np.zeros(39)
        row[0:3], row[3:4] = observation["hand.position"], observation["gripper.opening"]
        row[4:7], row[11:14] = observation["object.position"], observation["object2.position"]
        row[36:39] = observation["goal.position"]
        action = np.clip(self._policy.get_action(row), -1.0, 1.0).astype(np.float64)
        if self._first is not None:
            left = self._first - row[:3]
            if np.linalg.norm(left) < NEAR or self._steps >= PATIENCE:
                self._first = None
            else:
                action = np.append(np.clip(left / STEP_M, -1.0, 1.0), -1.0)
        self._steps += 1
        drawn = self._random.standard_normal(3) * np.sqrt(1 - MEMORY**2)
        self._noise = MEMORY * self._noise + self.strategy["unsteady"] * drawn
        moving = min(float(np.linalg.norm(action[:3])), 1.0)  # a hand that hardly moves is steady
        action[:3] = np.clip(self.strategy["pace"] * action[:3] + moving * self._noise, -1.0, 1.0)
        return action
