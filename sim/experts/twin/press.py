"""Press the button with closed fingers, along its axis or straight down, and let it go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

import numpy as np

from robot.control.rotation import matrix_from_6d, matrix_from_rotvec
from sim.experts.twin.handles import TIP
from sim.experts.twin.poses import CLOSED, UP, hand_down
from sim.experts.waypoints import Observation, Phase, WaypointExpert

AIMS = ("axis", "down")
APPROACHES = ("above", "slant")
SLANT = 0.05  # m sideways at the height of the hover
LEAD = 0.022  # m that the target is ahead of what it presses: 22 N at most, more than the spring's 8


@dataclass(frozen=True, eq=False)
class ByButton(Phase):
    """A leg that brings a fingertip to `position`, (3,) m in the button's frame, `offset` (3,) m from it to the tcp."""

    offset: np.ndarray = field(kw_only=True)

    def goal(self, observation: Observation) -> np.ndarray:
        button = matrix_from_6d(observation["button.rotation"])
        return observation["button.position"] + button @ self.position + self.offset


class PressExpert(WaypointExpert):
    """The expert of `twin/press`."""

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "aim": AIMS[random.integers(len(AIMS))],
            "approach": APPROACHES[random.integers(len(APPROACHES))],
            "side": int(random.choice([-1, 1])),
            "yaw": round(random.uniform(-0.6, 0.6), 3),
            "hover": round(random.uniform(0.05, 0.08), 3),
            "speed": round(random.uniform(0.2, 0.3), 3),
            "pace": round(random.uniform(0.03, 0.05), 3),
            "dwell": int(random.integers(5, 11)),
            "off": [round(value, 4) for value in random.uniform(-0.005, 0.005, 2)],
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed, pace = self.strategy, self.strategy["speed"], self.strategy["pace"]
        axis = matrix_from_6d(observation["button.rotation"])[:, 2]
        hand = hand_down(strategy["yaw"])
        if strategy["aim"] == "axis":
            hand = _turn_onto(axis) @ hand
        offset = hand @ np.array([0.0, 0.0, -TIP])
        aside = (strategy["approach"] == "slant") * strategy["side"] * SLANT

        def at(x: float, height: float, speed: float, **more: Any) -> ByButton:
            off = np.array([*strategy["off"], 0.0])
            return ByButton(off + [x, 0.0, height], hand, CLOSED, speed, offset=offset, **more)

        hover = strategy["hover"]
        pressing = [
            at(aside, hover, speed),
            at(0.0, 0.012, speed * 0.7, tolerance=0.008),
            # The button is held down for a moment: who lets go at once teaches chunks that let go too early.
            at(0.0, -LEAD, pace, until="lit", pause=strategy["dwell"]),
        ]
        lit = observation["lamp.lit"][0] > 0
        return [*([] if lit else pressing), at(0.0, hover, speed * 0.7)]

    def _finished(self, phase: Phase, observation: Observation, closing: float) -> bool:
        if phase.until == "lit":
            self._paused += bool(observation["lamp.lit"][0] > 0)
            return self._paused > phase.pause
        return super()._finished(phase, observation, closing)


def _turn_onto(axis: np.ndarray) -> np.ndarray:
    """The shortest rotation (3, 3) that brings the vertical onto a unit vector (3,) less than upside down."""
    across = np.cross(UP, axis)
    sine = float(np.linalg.norm(across))
    return matrix_from_rotvec(across / max(sine, 1e-9) * np.arctan2(sine, axis[2]))
