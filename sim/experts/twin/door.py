"""Turn the handle by gripping the lever or pressing on it, then pull or push the door open."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.handles import TIP, ByHandle, Gripping, leaning, pointing
from sim.experts.twin.poses import CLOSED
from sim.experts.waypoints import Observation, Phase, WaypointExpert
from sim.tasks.twin.door import LEVER_RADIUS

# Only a hand that has gripped the lever can pull.
WAYS = ("grip and pull", "grip and push", "press and push")
FREE = 0.5  # rad, by which the handle is turned when the bolt is out
LEAD = 0.035  # m that the target is ahead of the hand where lever and door have to be moved
DOWN_STILL = 0.012  # m that a hand keeps pushing the lever down while the door moves


class DoorExpert(WaypointExpert):
    """The expert of `twin/door`."""

    gripped_width = 0.03
    empty_width = 0.006

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "way": WAYS[random.choice(len(WAYS), p=[0.4, 0.3, 0.3])],
            "lean": round(random.uniform(0.85, 1.0), 3),
            "along": round(random.uniform(-0.012, 0.02), 3),
            "width": round(random.uniform(0.05, 0.07), 3),
            "hover": round(random.uniform(0.06, 0.09), 3),
            "turn": round(random.uniform(0.55, 0.7), 3),
            "speed": round(random.uniform(0.2, 0.3), 3),
            "pace": round(random.uniform(0.1, 0.16), 3),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        return self._press(observation) if self.strategy["way"].startswith("press") else self._grip(observation)

    def _grip(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        hand, out = leaning(strategy["lean"], upright=True), pointing(strategy["lean"])
        lever = np.array([0.0, strategy["along"], 0.0])
        swing = np.array([-LEAD if strategy["way"].endswith("pull") else LEAD, strategy["along"], -DOWN_STILL])
        return [
            ByHandle(lever - strategy["hover"] * out, hand, strategy["width"], speed, tolerance=0.02),
            ByHandle(lever, hand, strategy["width"], speed * 0.7, tolerance=0.008),
            ByHandle(lever, hand, CLOSED, speed, until="gripped"),
            Gripping(lever - [0, 0, LEAD], hand, CLOSED, strategy["pace"], until="turned", holding=True),
            Gripping(swing, hand, CLOSED, strategy["pace"], until="opened", holding=True),
        ]

    def _press(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        hand = leaning(strategy["lean"] + 0.05, upright=False)
        # The tips come down on top of the lever, a little behind its middle, so that they stay on it while they push.
        on = np.array([TIP / 2, strategy["along"] + 0.01, LEVER_RADIUS + TIP + 0.004])
        return [
            ByHandle(on + [-0.02, 0.0, strategy["hover"]], hand, CLOSED, speed, tolerance=0.02),
            ByHandle(on, hand, CLOSED, speed * 0.7, tolerance=0.012),
            ByHandle(on - [0, 0, LEAD + 0.01], hand, CLOSED, strategy["pace"], until="turned"),
            ByHandle(on + [LEAD + 0.03, 0, -LEAD], hand, CLOSED, strategy["pace"], until="opened"),
        ]

    def _finished(self, phase: Phase, observation: Observation, closing: float) -> bool:
        if phase.until == "turned":
            return bool(observation["handle.angle"][0] > self.strategy["turn"])
        if phase.until == "opened":
            return False
        return super()._finished(phase, observation, closing)
