"""Insert the peg: straight down, with one edge first and then upright, or by a search that spirals in over the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec
from sim.experts.twin.poses import CLOSED, OPEN, UP, across, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert
from sim.tasks.twin.peg import HALF_LENGTH, WIDTH

INSERTIONS = ("straight", "edge", "spiral")
APPROACHES = ("above", "slant")
SLANT = 0.05  # m sideways at the height of the hover
TIP = np.array([0.0, 0.0, -HALF_LENGTH])  # m, in the peg's frame
GRASP = 0.022  # m above the peg's middle
DEEP = -0.028  # m, where the tip is sent in the end
DIP = 0.0025  # m: how deep the low edge goes in before the peg is set upright
NEAR = 0.006  # m above the block: where the hand stops to align before it goes down
ALONG, TURNED, HIGH = 0.0004, 0.03, 0.002  # m, rad, m: what is aligned there
LAST_SPEED, TOUCH_SPEED = 0.09, 0.025  # m/s, down to there and from there: the arm carries on a little where it stops
# m that the tip is sent beyond where it is, at most: with an arm of 1000 N/m a peg that sticks is pressed with 10 N,
# one that searches on the block with 3 N.
PUSH, PRESS = 0.010, 0.003
DROPPED = 0.002  # m below the face: the peg is in the hole
# Of the search: how far ahead (m) and how much to the side of the centre (rad) the peg is pulled, by more than the
# friction of the press; nearer than a radius (m) it is pulled by that multiple of the offset to the centre.
AHEAD, ASIDE, CENTRAL_M, INSIST = 0.0018, 0.7, 0.0014, 2.2


@dataclass(frozen=True, eq=False)
class Carry(Phase):
    """A leg that brings the tip of the held peg to `position`, (3,) m from the mouth of the hole in the base's axes."""

    def goal(self, observation: Observation) -> np.ndarray:
        to = observation["hole.position"] + self.position
        to[2] = max(to[2], tip_of(observation)[2] - PUSH)
        return to + self._from_tip(observation)

    def _from_tip(self, observation: Observation) -> np.ndarray:
        """The offset (3,) m from tip to tcp once the hand has its target orientation: the peg turns with it."""
        hand = matrix_from_6d(observation["tcp.rotation"])
        return self.rotation @ hand.T @ (observation["tcp.position"] - tip_of(observation))


@dataclass(frozen=True, eq=False)
class Spiral(Carry):
    """A leg that presses the tip on the block and winds in towards the hole from wherever it is; `position` is unused
    but for its height.
    """

    def goal(self, observation: Observation) -> np.ndarray:
        mouth = observation["hole.position"]
        offset = (tip_of(observation) - mouth) * [1, 1, 0]
        if np.linalg.norm(offset) > CENTRAL_M:
            offset -= AHEAD / np.linalg.norm(offset) * matrix_from_rotvec(ASIDE * UP) @ offset
        else:
            offset = (1 - INSIST) * offset
        return mouth + offset + self.position * UP + self._from_tip(observation)


class PegExpert(WaypointExpert):
    """The expert of `twin/peg`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "insertion": INSERTIONS[random.integers(len(INSERTIONS))],
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.2, 0.32), 3),
            "insertion_speed": round(random.uniform(0.05, 0.1), 3),
            "hover": round(random.uniform(0.06, 0.08), 3),
            "height": round(random.uniform(-0.005, 0.005), 3),
            "tilt": round(random.uniform(0.1, 0.16), 3),
            "edge": int(random.integers(4)),
            "start": round(random.uniform(-np.pi, np.pi), 3),
            "radius": round(random.uniform(0.0025, 0.007), 4),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        closed_on_it = self.empty_width < self.opening(observation) < self.gripped_width
        held = closed_on_it and np.linalg.norm(observation["peg.from_tcp"]) < 0.06
        return self._insert(observation) if held else self._grasp(observation)

    def _grasp(self, observation: Observation) -> Sequence[Phase]:
        strategy, peg = self.strategy, "peg.position"
        yaw = nearest_turn(yaw_of(observation["peg.rotation"]), np.pi / 2)
        hand, speed = hand_down(yaw), strategy["speed"]
        grasp = (GRASP + strategy["height"]) * UP
        hover = (
            grasp + strategy["hover"] * UP + (strategy["approach"] == "slant") * strategy["side"] * SLANT * across(yaw)
        )
        return [
            Phase(hover, hand, OPEN, speed, near=peg),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=peg),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=peg),
            Phase(observation[peg] + grasp + 0.05 * UP, hand, CLOSED, speed, tolerance=0.03, holding=True),
        ]

    def _insert(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed, slow = self.strategy, self.strategy["speed"], self.strategy["insertion_speed"]
        hand, peg = (matrix_from_6d(observation[f"{name}.rotation"]) for name in ("tcp", "peg"))
        grip = peg.T @ hand
        yaw = yaw_of(observation["hole.rotation"])
        # Of the four orientations in which the peg fits, the least turn of those that leave the wrist within a
        # quarter turn of where its joints are free.
        fits = [matrix_from_rotvec((yaw + number * np.pi / 2) * UP) @ grip for number in range(4)]
        upright = min(fits, key=lambda rotation: (rotation[0, 0] < -0.1, angle_between(hand, rotation)))

        def carry(to: np.ndarray, rotation: np.ndarray, speed: float, tolerance: float, **more: Any) -> Carry:
            return Carry(to, rotation, CLOSED, speed, tolerance=tolerance, holding=True, **more)

        deep = carry(DEEP * UP, upright, slow, 0.002)
        if strategy["insertion"] == "straight":
            return [
                carry(0.03 * UP, upright, speed, 0.01),
                carry(NEAR * UP, upright, LAST_SPEED, HIGH, until="aligned"),
                carry(-0.004 * UP, upright, slow / 2, 0.0025),
                deep,
            ]
        if strategy["insertion"] == "edge":
            axis = matrix_from_rotvec((yaw + strategy["edge"] * np.pi / 2) * UP) @ np.array([1.0, 0.0, 0.0])
            tilted = matrix_from_rotvec(-strategy["tilt"] * axis) @ upright
            low = -DIP + WIDTH / 2 * np.sin(strategy["tilt"])
            return [
                carry((low + 0.03) * UP, tilted, speed, 0.01),
                carry((low + NEAR + DIP) * UP, tilted, LAST_SPEED, HIGH, until="aligned"),
                carry(low * UP, tilted, TOUCH_SPEED, 0.0015),
                carry(-0.004 * UP, upright, slow, 0.003),
                deep,
            ]
        aside = strategy["radius"] * across(strategy["start"])
        return [
            carry(aside + 0.03 * UP, upright, speed, 0.01),
            carry(aside + NEAR * UP, upright, LAST_SPEED, HIGH, until="aligned"),
            carry(aside - PRESS * UP, upright, TOUCH_SPEED, PRESS + 0.001),
            Spiral(-PRESS * UP, upright, CLOSED, slow, until="dropped", holding=True),
            deep,
        ]

    def _finished(self, phase: Phase, observation: Observation, closing: float) -> bool:
        if phase.until == "dropped":
            return bool(tip_of(observation)[2] < observation["hole.position"][2] - DROPPED)
        if phase.until == "aligned":
            error = observation["tcp.position"] - phase.goal(observation)
            turned = angle_between(matrix_from_6d(observation["tcp.rotation"]), phase.rotation)
            return bool(np.linalg.norm(error[:2]) < ALONG and abs(error[2]) < phase.tolerance and turned < TURNED)
        return super()._finished(phase, observation, closing)


def tip_of(observation: Observation) -> np.ndarray:
    """The position (3,) m of the peg's tip."""
    return observation["peg.position"] + matrix_from_6d(observation["peg.rotation"]) @ TIP
