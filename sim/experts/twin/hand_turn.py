"""Turn the knob: gripped from above between thumb and fingertips, turned in one stroke or in two."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.hand import GRIP, HandExpert, fingers, gripping
from sim.experts.twin.poses import UP
from sim.experts.waypoints import Observation, Phase

NEUTRAL_GRIP_YAW = -np.pi / 2  # rad, heading of fingers that grip from above, with the arm near its rest posture
HOVER = 0.07  # m
SLIP = 0.05  # rad that the hand turns further than the knob
WORTH_TWO = 0.6  # rad: a smaller turn is one stroke


class HandTurnExpert(HandExpert):
    """The expert of `twin/hand_turn`."""

    patience = 40

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "strokes": 2 if random.random() < 0.3 else 1,
            "lead": round(random.uniform(-0.25, 0.25), 3),
            "height": round(random.uniform(-0.003, 0.004), 3),
            "bend": round(random.uniform(0.0, 0.15), 3),
            "press": round(random.uniform(0.09, 0.14), 3),
            "spared": int(random.integers(0, 2)),
            "speed": round(random.uniform(0.22, 0.35), 3),
            "pause": int(random.integers(0, 3)),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy, knob, speed = self.strategy, "knob.position", self.strategy["speed"]
        stroke = float(observation["knob.goal"][0] - observation["knob.angle"][0])
        if strategy["strokes"] == 2 and abs(stroke) > WORTH_TWO:
            stroke /= 2
        stroke += np.copysign(SLIP, stroke)
        start = NEUTRAL_GRIP_YAW - stroke / 2 + strategy["lead"]  # as far to either side of it
        before, after = _hand(start), _hand(start + stroke)
        ready = fingers(strategy["bend"], 0.0)
        closed = fingers(0.44 + strategy["press"], 0.21 + 3 * strategy["press"], strategy["spared"])
        height = strategy["height"] * UP
        grip, turned = height - before @ GRIP, height - after @ GRIP
        return [
            Phase(grip + HOVER * UP, before, ready, speed, pause=strategy["pause"], near=knob),
            Phase(grip, before, ready, speed * 0.7, tolerance=0.01, near=knob),
            Phase(grip, before, closed, speed, until="gripped", near=knob),
            Phase(turned, after, closed, speed, tolerance=0.015, pause=8, near=knob),
            Phase(turned, after, ready, speed, until="released", near=knob),
            Phase(turned + HOVER * UP, after, ready, speed, tolerance=0.03, near=knob),
        ]


def _hand(heading: float) -> np.ndarray:
    """The tcp's orientation (3, 3) of a hand from above that closes along `heading`, rad about the vertical."""
    return gripping(-UP, np.array([np.cos(heading), np.sin(heading), 0.0]))
