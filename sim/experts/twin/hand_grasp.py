"""Lift an object with a hand: gripped from above between thumb and fingertips, or wrapped from the side."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.hand import GRIP, HandExpert, fingers, gripping, wrapping
from sim.experts.twin.poses import UP, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase

CAN, BOTTLE, MILK, BREAD, LEMON, CEREAL = range(6)
ROUND, SQUARE = (CAN, BOTTLE), (MILK, BREAD)
WRAPPED = (BOTTLE, MILK)  # high enough for a level hand
NEUTRAL_GRIP_YAW = -np.pi / 2  # rad, heading of fingers that grip from above, with the arm near its rest posture
NEUTRAL_WRAP_YAW = 1.15  # rad, heading of fingers that wrap, with the arm near its rest posture
GRIP_HEIGHT = (0.018, 0.045, 0.045, 0.0, -0.007, 0.045)  # m above the middle, by kind
NECK = 0.03  # m, width of the bottle's neck
WRAP_HEIGHT = 0.092  # m above the table: a level hand needs this much room below its thumb
PALM = 0.027  # m, y of the palm's surface in the frame of the tcp
PRE_GRASP = 0.13  # m from which a level hand approaches
CLEARANCE = 0.17  # m above that pose on the way to it
TOPPLED = 0.3  # sine of the tilt beyond which an object counts as toppled
LARGEST_WRAP_TURN = 0.6  # rad from `NEUTRAL_WRAP_YAW` that a level hand may turn
LIFT = 0.13  # m
HOLD = 20  # rows
CLEAR = 0.05  # m above the object


class HandGraspExpert(HandExpert):
    """The expert of `twin/hand_grasp`."""

    patience = 40

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        kind = int(np.argmax(observation["object.kind"]))
        wraps = kind in WRAPPED and random.random() < 0.5
        return {
            "grasp": "wrap" if wraps else "above",
            "turn": round(random.uniform(-0.6, 0.6), 3),
            "height": round(random.uniform(-0.004, 0.004), 3),
            "bend": round(random.uniform(0.0, 0.15), 3),
            "press": round(random.uniform(0.08, 0.14), 3),
            "spared": int(random.integers(0, 2)),
            "speed": round(random.uniform(0.22, 0.35), 3),
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        kind = int(np.argmax(observation["object.kind"]))
        heading = NEUTRAL_WRAP_YAW + self.strategy["turn"]
        if kind in SQUARE:
            heading = NEUTRAL_WRAP_YAW + nearest_turn(
                yaw_of(observation["object.rotation"]) - NEUTRAL_WRAP_YAW, np.pi / 2
            )
        upright = np.linalg.norm(observation["object.rotation"][[2, 5]]) < TOPPLED
        if self.strategy["grasp"] == "wrap" and upright and abs(heading - NEUTRAL_WRAP_YAW) < LARGEST_WRAP_TURN:
            return self._wrap(observation, heading)
        return self._grip(observation, kind)

    def _grip(self, observation: Observation, kind: int) -> Sequence[Phase]:
        """Phases of a grasp from above, between the thumb and the fingertips."""
        strategy = self.strategy
        heading, width = self._across(observation, kind)
        hand = gripping(-UP, np.array([np.cos(heading), np.sin(heading), 0.0]))
        grip = (GRIP_HEIGHT[kind] + strategy["height"]) * UP - hand @ GRIP
        hover = grip + (observation["object.size"][2] / 2 + CLEAR) * UP
        closed = fingers(
            0.50 - 3.2 * (width - 0.03) + strategy["press"],
            0.30 - 4.5 * (width - 0.03) + 3 * strategy["press"],
            strategy["spared"],
        )
        return self._take(observation, hand, [hover], grip, closed)

    def _wrap(self, observation: Observation, heading: float) -> Sequence[Phase]:
        """Phases of a grasp from the side, with the palm against the object."""
        size, hand = observation["object.size"], wrapping(heading)
        within = np.array([0.0, PALM - size[0] / 2, 0.0])
        grip = (WRAP_HEIGHT - size[2] / 2 + self.strategy["height"]) * UP - hand @ within
        behind = grip - PRE_GRASP * hand[:, 2]
        closed = fingers(0.5 + self.strategy["press"], 0.25 + 3 * self.strategy["press"], self.strategy["spared"])
        return self._take(observation, hand, [behind + CLEARANCE * UP, behind], grip, closed)

    def _take(
        self,
        observation: Observation,
        hand: np.ndarray,
        way_there: Sequence[np.ndarray],
        grip: np.ndarray,
        closed: np.ndarray,
    ) -> Sequence[Phase]:
        """Phases to `grip` (3,) m from the object, through `way_there`, then close, lift, hold."""
        strategy, thing, speed = self.strategy, "object.position", self.strategy["speed"]
        ready, at = fingers(strategy["bend"], 0.0), observation[thing] + grip
        return [
            *(
                Phase(position, hand, ready, speed, tolerance=0.03, pause=strategy["pause"], near=thing)
                for position in way_there
            ),
            Phase(grip, hand, ready, speed * 0.7, tolerance=0.012, near=thing),
            Phase(at, hand, closed, speed, until="gripped"),
            Phase(at + LIFT * UP, hand, closed, speed, holding=True, pause=HOLD),
        ]

    def _across(self, observation: Observation, kind: int) -> tuple[float, float]:
        """Direction (rad about the vertical) to close along, and the object's width (m) between the fingers then."""
        strategy, size = self.strategy, observation["object.size"]
        if kind in ROUND:
            return NEUTRAL_GRIP_YAW + strategy["turn"], NECK if kind == BOTTLE else float(size[0])
        yaw = yaw_of(observation["object.rotation"])
        if kind in SQUARE:
            return NEUTRAL_GRIP_YAW + nearest_turn(yaw - NEUTRAL_GRIP_YAW, np.pi / 2), float(size[0])
        return NEUTRAL_GRIP_YAW + nearest_turn(yaw + np.pi / 2 - NEUTRAL_GRIP_YAW, np.pi), float(size[1])
