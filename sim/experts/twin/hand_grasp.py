"""Lift something with a hand: gripped from above between thumb and fingertips, or wrapped from the side."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.hand import GRIP, HandExpert, fingers, gripping, wrapping
from sim.experts.twin.poses import UP, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase

CAN, BOTTLE, MILK, BREAD, LEMON, CEREAL = range(6)
ROUND, SQUARE = (CAN, BOTTLE), (MILK, BREAD)
WRAPPED = (BOTTLE, MILK)  # high enough for a level hand
RIGHTWARDS = -np.pi / 2  # rad: where fingers that grip from above close to with the arm at ease
LEFTWARDS = 1.0  # rad: where fingers that wrap point to with the arm at ease
GRIP_HEIGHT = (0.018, 0.045, 0.045, 0.0, -0.003, 0.045)  # m above the middle, by kind
NECK = 0.03  # m, width of the bottle's
WRAP_HEIGHT = 0.078  # m above the table: a level hand needs this much below its thumb
PALM = 0.03  # m, y of the palm's surface in the frame of the tcp
BEHIND = 0.13  # m, where a level hand starts from
LIFT = 0.13  # m
CLEAR = 0.05  # m above the thing


class HandGraspExpert(HandExpert):
    """The expert of `twin/hand_grasp`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        kind = int(np.argmax(observation["object.kind"]))
        wraps = kind in WRAPPED and random.random() < 0.5
        return {
            "grasp": "wrap" if wraps else "above",
            "turn": round(random.uniform(-0.6, 0.6), 3),
            "lean": round(random.uniform(-0.15, 0.15), 3),
            "height": round(random.uniform(-0.004, 0.004), 3),
            "bend": round(random.uniform(0.0, 0.15), 3),
            "press": round(random.uniform(0.08, 0.14), 3),
            "spared": int(random.integers(0, 2)),
            "speed": round(random.uniform(0.22, 0.35), 3),
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        kind = int(np.argmax(observation["object.kind"]))
        upright = observation["object.rotation"][5] ** 2 < 0.1 and abs(observation["object.rotation"][2]) < 0.3
        if self.strategy["grasp"] == "wrap" and upright:
            return self._wrap(observation, kind)
        return self._grip(observation, kind)

    def _grip(self, observation: Observation, kind: int) -> Sequence[Phase]:
        """From above, between the thumb and the fingertips."""
        way, speed, half = self.strategy, self.strategy["speed"], observation["object.size"][2] / 2
        heading, width = self._across(observation, kind)
        hand = gripping(-UP, np.array([np.cos(heading), np.sin(heading), 0.0]))
        grip = (GRIP_HEIGHT[kind] + way["height"]) * UP - hand @ GRIP
        ready = fingers(way["bend"], 0.0)
        closed = fingers(0.50 - 3.2 * (width - 0.03) + way["press"], 0.30 - 4.5 * (width - 0.03) + 3 * way["press"])
        return self._take(observation, hand, (grip + (half + CLEAR) * UP, grip), ready, closed, speed)

    def _wrap(self, observation: Observation, kind: int) -> Sequence[Phase]:
        """From the side, with the palm against it."""
        way, speed, width = self.strategy, self.strategy["speed"], float(observation["object.size"][0])
        heading = LEFTWARDS + way["turn"]
        if kind in SQUARE:
            heading = LEFTWARDS + nearest_turn(yaw_of(observation["object.rotation"]) - LEFTWARDS, np.pi / 2)
        hand = wrapping(heading)
        within = np.array([0.0, PALM - width / 2, 0.0])
        grip = (WRAP_HEIGHT - observation["object.size"][2] / 2 + way["height"]) * UP - hand @ within
        ready = fingers(way["bend"], 0.0)
        closed = fingers(0.5 + way["press"], 0.25 + 3 * way["press"])
        return self._take(observation, hand, (grip - BEHIND * hand[:, 2], grip), ready, closed, speed)

    def _take(
        self,
        observation: Observation,
        hand: np.ndarray,
        way_there: Sequence[np.ndarray],
        ready: np.ndarray,
        closed: np.ndarray,
        speed: float,
    ) -> Sequence[Phase]:
        """Go there, by way of positions (3,) from the thing, close, lift."""
        thing = "object.position"
        first, grip = way_there
        at = observation[thing] + grip
        return [
            Phase(first, hand, ready, speed, pause=self.strategy["pause"], near=thing),
            Phase(grip, hand, ready, speed * 0.7, tolerance=0.008, near=thing),
            Phase(at, hand, closed, speed, until="gripped"),
            Phase(at + LIFT * UP, hand, closed, speed, holding=True),
        ]

    def _across(self, observation: Observation, kind: int) -> tuple[float, float]:
        """Along which direction (rad about the vertical) to close, and what lies between the fingers then, m."""
        way, size = self.strategy, observation["object.size"]
        if kind in ROUND:
            return RIGHTWARDS + way["turn"], NECK if kind == BOTTLE else float(size[0])
        yaw = yaw_of(observation["object.rotation"])
        if kind in SQUARE:
            return RIGHTWARDS + nearest_turn(yaw - RIGHTWARDS, np.pi / 2), float(size[0])
        return RIGHTWARDS + nearest_turn(yaw + np.pi / 2 - RIGHTWARDS, np.pi), float(size[1])
