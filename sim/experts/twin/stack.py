"""Put the red cube on the green one: from above or on a slant, carried straight or in a bow, aimed well or not so well.

The hand turns the short way, always: of two turns to the same cube a quarter apart, a policy would learn the middle.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.poses import CLOSED, OPEN, UP, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert

APPROACHES = ("above", "slant")
CARRIES = ("straight", "near", "far")
SLANT, BOW = 0.05, 0.06  # m
AIM = 0.015  # m: how far off the hand is above either cube, at most, before it goes down and corrects itself
RISE = 0.045  # m from the middle of the green cube to that of the red one on it


class StackExpert(WaypointExpert):
    """The expert of `twin/stack`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "carry": CARRIES[random.integers(len(CARRIES))],
            "side": int(random.choice([-1, 1])),
            "speed": round(random.uniform(0.2, 0.32), 3),
            "hover": round(random.uniform(0.06, 0.09), 3),
            "height": round(random.uniform(-0.003, 0.006), 3),
            "carry_height": round(random.uniform(0.06, 0.09), 3),
            "drop": round(random.uniform(0.001, 0.004), 4),
            "aim": [round(float(part), 4) for part in random.uniform(-AIM, AIM, 4)],
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy, red, green = self.strategy, "red.position", "green.position"
        hand = hand_down(nearest_turn(yaw_of(observation["red.rotation"]), np.pi / 2))
        speed = strategy["speed"]
        off_red, off_green = np.array([*strategy["aim"][:2], 0.0]), np.array([*strategy["aim"][2:], 0.0])
        slant = (strategy["approach"] == "slant") * strategy["side"] * SLANT * hand[:, 0]
        hover, grasp = strategy["hover"] * UP + slant + off_red, strategy["height"] * UP
        start = np.array([*observation[red][:2], RISE + strategy["carry_height"]])
        above = (RISE + strategy["carry_height"]) * UP
        on_top = (RISE + strategy["height"] + strategy["drop"]) * UP
        carry = []
        if strategy["carry"] != "straight":
            bow = {"near": -BOW, "far": BOW}[strategy["carry"]] * np.array([1.0, 0.0, 0.0])
            middle = (start + observation[green] + above) / 2 + bow
            carry.append(Phase(middle, hand, CLOSED, speed, tolerance=0.05, holding=True))
        return [
            Phase(hover, hand, OPEN, speed, pause=strategy["pause"], near=red),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=red),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=red),
            Phase(start, hand, CLOSED, speed, tolerance=0.04, holding=True),
            *carry,
            Phase(above + off_green, hand, CLOSED, speed, tolerance=0.012, holding=True, near=green),
            Phase(on_top, hand, CLOSED, speed * 0.5, tolerance=0.006, pause=2, holding=True, near=green),
            Phase(on_top, hand, OPEN, speed, until="released", near=green),
            Phase(on_top + 0.08 * UP, hand, OPEN, speed, near=green),
        ]
