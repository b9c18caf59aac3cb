"""Lift the cube, by either pair of faces, coming from above, on a slant or in an arc, on either side."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.waypoints import CLOSED, OPEN, UP, Observation, Phase, WaypointExpert, across, hand_down, yaw_of

APPROACHES = ("above", "slant", "arc")
SLANT = 0.05  # m sideways at the height of the hover
BOW = 0.07  # m sideways on the way there
LIFT = 0.10  # m


class LiftExpert(WaypointExpert):
    """The expert of `robosuite/Lift`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "faces": "crossed" if random.random() < 0.3 else "nearest",
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.25, 0.4), 3),
            "hover": round(random.uniform(0.05, 0.08), 3),
            "height": round(random.uniform(-0.006, 0.006), 3),
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy = self.strategy
        cube = "cube.position"
        yaw = grasp_yaw(yaw_of(observation["cube.rotation"]), crossed=strategy["faces"] == "crossed")
        hand, speed = hand_down(yaw), strategy["speed"]
        slant = (strategy["approach"] == "slant") * strategy["side"] * SLANT * across(yaw)
        hover, grasp = strategy["hover"] * UP + slant, strategy["height"] * UP
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


def grasp_yaw(cube_yaw: float, *, crossed: bool) -> float:
    """A yaw of the hand (rad) that puts the fingers flat on the cube: the nearest, or a quarter turn from it."""
    near = (cube_yaw + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return near if not crossed else near - np.copysign(np.pi / 2, near)
