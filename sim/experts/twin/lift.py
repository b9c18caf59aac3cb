"""Lift the cube, coming from above, on a slant or in an arc, on either side, aimed well or not so well.

The hand turns the short way, always: of two turns to the same cube a quarter apart, a policy would learn the middle.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.poses import CLOSED, OPEN, UP, across, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert

APPROACHES = ("above", "slant", "arc")
SLANT = 0.05  # m sideways at the height of the hover
BOW = 0.06  # m sideways on the way there
AIM = 0.015  # m: how far off the hand is above the cube, at most, before it goes down and corrects itself
LIFT = 0.12  # m


class LiftExpert(WaypointExpert):
    """The expert of `twin/lift`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.2, 0.35), 3),
            "hover": round(random.uniform(0.05, 0.08), 3),
            "height": round(random.uniform(-0.006, 0.006), 3),
            "aim": [round(float(part), 4) for part in random.uniform(-AIM, AIM, 2)],
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy, cube = self.strategy, "cube.position"
        yaw = nearest_turn(yaw_of(observation["cube.rotation"]), np.pi / 2)
        hand, speed = hand_down(yaw), strategy["speed"]
        slant = (strategy["approach"] == "slant") * strategy["side"] * SLANT * across(yaw)
        hover, grasp = strategy["hover"] * UP + slant + np.array([*strategy["aim"], 0.0]), strategy["height"] * UP
        phases = [
            Phase(hover, hand, OPEN, speed, pause=strategy["pause"], near=cube),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=cube),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=cube),
            Phase(observation[cube] + LIFT * UP, hand, CLOSED, speed, holding=True),
        ]
        if strategy["approach"] == "arc":
            middle = (observation["tcp.position"] + observation[cube] + hover) / 2
            bow = strategy["side"] * BOW * np.array([0.0, 1.0, 0.0])
            phases.insert(0, Phase(middle + bow, hand, OPEN, speed, tolerance=0.04))
        return phases
