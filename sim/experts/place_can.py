"""Put the can in its bin: grasped from above or on a slant, at any yaw, carried straight or in an arc."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.waypoints import CLOSED, OPEN, UP, Observation, Phase, WaypointExpert, across, hand_down

APPROACHES = ("above", "slant")
CARRIES = ("straight", "near", "far")
SLANT = 0.05  # m sideways at the height of the hover
BOW = 0.10  # m towards the robot or away from it, half way to the bin
FLOOR = -0.092  # m: the floor of the bins
STRETCHED = 0.6  # m: further out than this the arm comes from its own side, or its elbow locks
HALF_CAN = 0.04  # m
BIN = (np.array([0.635, 0.42]), np.array([0.665, 0.45]))  # m: where the can may be let go, x and y


class PlaceCanExpert(WaypointExpert):
    """The expert of `robosuite/PickPlaceCan`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        x, y = random.uniform(*BIN)
        side = int(random.choice([-1, 1]))
        return {
            "yaw": round(random.uniform(-0.7, 0.7), 3),
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "side": -1 if observation["Can.position"][0] > STRETCHED else side,
            "carry": CARRIES[random.integers(len(CARRIES))],
            "speed": round(random.uniform(0.35, 0.5), 3),
            "hover": round(random.uniform(0.08, 0.11), 3),
            "height": round(random.uniform(0.0, 0.02), 3),
            "carry_height": round(random.uniform(0.08, 0.12), 3),
            "drop": round(random.uniform(0.015, 0.05), 3),
            "place": [round(x, 3), round(y, 3)],
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy = self.strategy
        can = "Can.position"
        hand, speed = hand_down(strategy["yaw"]), strategy["speed"]
        slant = (strategy["approach"] == "slant") * strategy["side"] * SLANT * across(strategy["yaw"])
        grasp = strategy["height"] * UP
        raised = np.array([*observation[can][:2], strategy["carry_height"]])
        above_bin = np.array([*strategy["place"], strategy["carry_height"]])
        release = np.array([*strategy["place"], FLOOR + HALF_CAN + strategy["height"] + strategy["drop"]])
        carry = [Phase(above_bin, hand, CLOSED, speed, tolerance=0.03, holding=True)]
        if strategy["carry"] != "straight":
            bow = {"near": -BOW, "far": BOW}[strategy["carry"]] * np.array([1.0, 0.0, 0.0])
            carry.insert(0, Phase((raised + above_bin) / 2 + bow, hand, CLOSED, speed, tolerance=0.05, holding=True))
        return [
            Phase(strategy["hover"] * UP + slant, hand, OPEN, speed, pause=strategy["pause"], near=can),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.01, near=can),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=can),
            Phase(raised, hand, CLOSED, speed, tolerance=0.04, holding=True),
            *carry,
            Phase(release, hand, CLOSED, speed * 0.7, tolerance=0.015, holding=True),
            Phase(release, hand, OPEN, speed, until="released"),
            Phase(release + 0.1 * UP, hand, OPEN, speed),
        ]
