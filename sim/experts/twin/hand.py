"""Experts whose tool is a hand: its orientation at what it grips, and when it has gripped.

A hand grips between the thumb and the tips of its bent fingers, along an axis that slants through the frame of its tcp;
the palm is then behind the gripped object.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sim.experts.waypoints import Observation, WaypointExpert

SLANT_RAD = 1.0  # of the axis from thumb to fingertips, from y of the tcp to its z
GRIP = np.array([0.0, -0.021, 0.010])  # m, the middle between thumb and fingertips, in the frame of the tcp
BESIDE = 1.3  # rad, the thumb laid across the palm
STOPPED_RAD = 0.01  # per row: slower fingers have met something
FINGERS, THUMB = slice(0, 4), 4  # pinky to index, thumb, among joints and touches


def fingers(bend: float, thumb: float, spared: int = 0) -> np.ndarray:
    """Joint positions (6,) rad of a hand whose thumb is laid across the palm.

    Args:
        bend: of the four fingers, rad.
        thumb: bend of the thumb, rad.
        spared: fingers, from the pinky on, that stay half as bent.
    """
    bends = np.full(4, bend)
    bends[:spared] *= 0.5
    return np.array([*bends, thumb, BESIDE])


def gripping(approach: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The tcp's orientation (3, 3) of a hand that comes along `approach` (3,) and closes along `across` (3,): from the
    thumb's side to that of the fingers. Both are unit vectors at right angles.
    """
    cosine, sine = np.cos(SLANT_RAD), np.sin(SLANT_RAD)
    return np.stack(
        [np.cross(across, approach), cosine * across - sine * approach, sine * across + cosine * approach], axis=1
    )


def wrapping(heading: float) -> np.ndarray:
    """The tcp's orientation (3, 3) of a level hand, thumb up, its fingers pointing along `heading`, rad about the
    vertical; the palm looks to their left.
    """
    out = np.array([np.cos(heading), np.sin(heading), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    return np.stack([up, np.cross(out, up), out], axis=1)


class HandExpert(WaypointExpert):
    """An expert with a hand. It has gripped when the thumb and enough fingers touch and all have stopped.

    Attributes:
        others: fingers that touch beside the thumb, at least.
    """

    others: ClassVar[int] = 2

    def opening(self, observation: Observation) -> float:
        """Minus the bend of thumb and fingers, summed, rad: it falls while the hand closes."""
        return -float(observation["hand.joints"][: THUMB + 1].sum())

    def touching(self, observation: Observation) -> bool:
        """Whether the thumb and enough fingers touch."""
        touch = observation["hand.touch"]
        return bool(touch[THUMB] and touch[FINGERS].sum() >= self.others)

    def gripped(self, observation: Observation, closing: float) -> bool:
        return self.touching(observation) and abs(closing) < STOPPED_RAD

    def lost(self, observation: Observation) -> bool:
        return not observation["hand.touch"].any()

    def released(self, observation: Observation) -> bool:
        return not observation["hand.touch"].any()
