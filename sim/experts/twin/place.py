"""Put an object in the bin: from above or on a slant, carried straight or in a bow, let go low or high.

The hand turns the short way, always: of two turns to the same cube a quarter apart, a policy would learn the middle.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.poses import CLOSED, OPEN, UP, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert

APPROACHES = ("above", "slant")
CARRIES = ("straight", "near", "far")
SLANT, BOW = 0.05, 0.07  # m
AIM = 0.015  # m: how far off the hand is above the object, at most, before it goes down and corrects itself
CUBE, CYLINDER, BLOCK = range(3)
SLACK = 0.03  # m around the middle of the bin


class PlaceExpert(WaypointExpert):
    """The expert of `twin/place`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "turn": round(random.uniform(-0.6, 0.6), 3),
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "carry": CARRIES[random.integers(len(CARRIES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.22, 0.35), 3),
            "hover": round(random.uniform(0.06, 0.09), 3),
            "height": round(random.uniform(-0.004, 0.006), 3),
            "carry_height": round(random.uniform(0.11, 0.15), 3),
            "drop": round(random.uniform(0.005, 0.03), 3),
            "into": [round(float(part), 3) for part in random.uniform(-SLACK, SLACK, 2)],
            "aim": [round(float(part), 4) for part in random.uniform(-AIM, AIM, 2)],
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy, thing = self.strategy, "object.position"
        kind = int(np.argmax(observation["object.kind"]))
        hand, speed = hand_down(self._grasp_yaw(observation, kind)), strategy["speed"]
        slant = (strategy["approach"] == "slant") * strategy["side"] * SLANT * hand[:, 0]
        hover, grasp = strategy["hover"] * UP + slant + np.array([*strategy["aim"], 0.0]), strategy["height"] * UP
        start = np.array([*observation[thing][:2], strategy["carry_height"]])
        goal = np.array([*(observation["bin.position"][:2] + strategy["into"]), strategy["carry_height"]])
        low = np.array([*goal[:2], 0.03 + strategy["height"] + strategy["drop"]])
        carry = [Phase(goal, hand, CLOSED, speed, tolerance=0.03, holding=True)]
        if strategy["carry"] != "straight":
            bow = {"near": -BOW, "far": BOW}[strategy["carry"]] * np.array([1.0, 0.0, 0.0])
            carry.insert(0, Phase((start + goal) / 2 + bow, hand, CLOSED, speed, tolerance=0.05, holding=True))
        return [
            Phase(hover, hand, OPEN, speed, pause=strategy["pause"], near=thing),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=thing),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=thing),
            Phase(start, hand, CLOSED, speed, tolerance=0.04, holding=True),
            *carry,
            Phase(low, hand, CLOSED, speed * 0.7, tolerance=0.015, holding=True),
            Phase(low, hand, OPEN, speed, until="released"),
            Phase(low + 0.1 * UP, hand, OPEN, speed),
        ]

    def _grasp_yaw(self, observation: Observation, kind: int) -> float:
        yaw = yaw_of(observation["object.rotation"])
        if kind == CYLINDER:
            return float(self.strategy["turn"])
        if kind == BLOCK:  # across its narrow side: the fingers open along y
            return nearest_turn(yaw, np.pi)
        return nearest_turn(yaw, np.pi / 2)
