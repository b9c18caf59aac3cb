"""Hands at handles: their poses follow furniture that is turned and moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.control.rotation import matrix_from_6d, matrix_from_rotvec
from sim.experts.twin.poses import UP, hand_down, yaw_of
from sim.experts.waypoints import Observation, Phase

TIP = 0.01  # m, from the tcp to the tips of a Panda's fingers


def leaning(lean: float, *, upright: bool) -> np.ndarray:
    """The orientation (3, 3) of a hand that points forward and down.

    Args:
        lean: rad, from straight down towards x.
        upright: the fingers open in the vertical plane, one above the other, instead of side by side.
    """
    return matrix_from_rotvec(np.array([0.0, -lean, 0.0])) @ hand_down(np.pi / 2 if upright else 0.0)


def pointing(lean: float) -> np.ndarray:
    """The direction (3,) in which a leaning hand points."""
    return np.array([np.sin(lean), 0.0, -np.cos(lean)])


def facing(observation: Observation) -> np.ndarray:
    """The frame (3, 3) of the handle's furniture as it is turned now: upright, x into it."""
    return matrix_from_rotvec(yaw_of(observation["handle.rotation"]) * UP)


@dataclass(frozen=True, eq=False)
class ByHandle(Phase):
    """A phase whose position is relative to the handle; its orientation follows the furniture's yaw only."""

    def goal(self, observation: Observation) -> np.ndarray:
        return observation["handle.position"] + matrix_from_6d(observation["handle.rotation"]) @ self.position

    def orientation(self, observation: Observation) -> np.ndarray:
        return facing(observation) @ self.rotation


@dataclass(frozen=True, eq=False)
class Gripping(ByHandle):
    """A phase relative to the handle, of a hand that has gripped the lever and turns with it."""

    def orientation(self, observation: Observation) -> np.ndarray:
        return matrix_from_6d(observation["handle.rotation"]) @ self.rotation
