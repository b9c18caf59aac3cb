"""Put the red cube on the green one: either pair of faces, straight or in a bow, squared up or not."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.poses import CLOSED, OPEN, UP, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert

APPROACHES = ("above", "slant")
CARRIES = ("straight", "near", "far")
SLANT, BOW = 0.05, 0.06  # m
RISE = 0.045  # m from the middle of the green cube to that of the red one on it


class StackExpert(WaypointExpert):
    """The expert of `twin/stack`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "faces": "crossed" if random.random() < 0.3 else "nearest",
            "align": bool(random.random() < 0.5),
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "carry": CARRIES[random.integers(len(CARRIES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.2, 0.32), 3),
            "hover": round(random.uniform(0.06, 0.09), 3),
            "height": round(random.uniform(-0.003, 0.006), 3),
            "carry_height": round(random.uniform(0.06, 0.09), 3),
            "drop": round(random.uniform(0.001, 0.004), 4),
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        way, red, green = self.strategy, "red.position", "green.position"
        yaw = nearest_turn(yaw_of(observation["red.rotation"]), np.pi / 2)
        if way["faces"] == "crossed":
            yaw -= np.copysign(np.pi / 2, yaw)
        hand, speed = hand_down(yaw), way["speed"]
        goal_yaw = yaw
        if way["align"]:  # square with the green cube, by the smaller turn
            goal_yaw = yaw + nearest_turn(yaw_of(observation["green.rotation"]) - yaw, np.pi / 2)
        turned = hand_down(goal_yaw)
        slant = (way["approach"] == "slant") * way["side"] * SLANT * hand[:, 0]
        hover, grasp = way["hover"] * UP + slant, way["height"] * UP
        start = np.array([*observation[red][:2], RISE + way["carry_height"]])
        above = (RISE + way["carry_height"]) * UP
        on_top = (RISE + way["height"] + way["drop"]) * UP
        carry = []
        if way["carry"] != "straight":
            bow = {"near": -BOW, "far": BOW}[way["carry"]] * np.array([1.0, 0.0, 0.0])
            middle = (start + observation[green] + above) / 2 + bow
            carry.append(Phase(middle, hand, CLOSED, speed, tolerance=0.05, holding=True))
        return [
            Phase(hover, hand, OPEN, speed, pause=way["pause"], near=red),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=red),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=red),
            Phase(start, hand, CLOSED, speed, tolerance=0.04, holding=True),
            *carry,
            Phase(above, turned, CLOSED, speed, tolerance=0.012, holding=True, near=green),
            Phase(on_top, turned, CLOSED, speed * 0.5, tolerance=0.006, pause=2, holding=True, near=green),
            Phase(on_top, turned, OPEN, speed, until="released", near=green),
            Phase(on_top + 0.08 * UP, turned, OPEN, speed, near=green),
        ]
