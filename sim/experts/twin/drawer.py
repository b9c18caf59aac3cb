"""Open a drawer by its bar, gripped or hooked; close it by the bar, gripped or not, or by its front."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from sim.experts.twin.handles import TIP, ByHandle, facing, leaning, pointing
from sim.experts.twin.poses import CLOSED
from sim.experts.waypoints import Observation, Phase, WaypointExpert
from sim.tasks.twin.drawer import BAR_HALF, OPEN, STANDOFF

WAYS = {"open": ("grip", "hook"), "close": ("grip", "bar", "front")}
BEYOND = 0.03  # m, how far past its goal the drawer is sent
BEHIND = 0.022  # m, from the bar to the middle of a finger that hooks it


class DrawerExpert(WaypointExpert):
    """The expert of `twin/drawer`."""

    gripped_width = 0.03
    empty_width = 0.006

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        ways = WAYS["open" if observation["drawer.wanted"][0] > 0 else "close"]
        return {
            "way": ways[random.integers(len(ways))],
            "lean": round(random.uniform(0.5, 0.7), 3),
            "along": round(random.uniform(-0.03, 0.03), 3),
            "side": int(random.choice([-1, 1])),
            "aside": round(random.uniform(0.03, 0.055), 3),
            "height": round(random.uniform(-0.02, 0.01), 3),
            "width": round(random.uniform(0.04, 0.052), 3),
            "hover": round(random.uniform(0.06, 0.09), 3),
            "speed": round(random.uniform(0.2, 0.32), 3),
            "pace": round(random.uniform(0.12, 0.2), 3),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        way = self.strategy["way"]
        if way == "grip":
            return self._grip(observation)
        return self._hook(observation) if way == "hook" else self._push(observation)

    def _grip(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        lean = strategy["lean"] + 0.08
        hand, out = leaning(lean, upright=True), pointing(lean)
        bar = np.array([0.0, strategy["along"], 0.0])
        end = self._from_handle(observation, bar + self._move(observation))
        return [
            ByHandle(bar - strategy["hover"] * out + [0, 0, 0.03], hand, strategy["width"], speed, tolerance=0.025),
            ByHandle(bar, hand, strategy["width"], speed * 0.7, tolerance=0.01),
            ByHandle(bar, hand, CLOSED, speed, until="gripped"),
            Phase(end, facing(observation) @ hand, CLOSED, strategy["pace"], holding=True),
        ]

    def _hook(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        hand = leaning(strategy["lean"] - 0.1, upright=False)
        hooked = np.array([BEHIND, strategy["along"], 0.004 - TIP])
        return [
            ByHandle(hooked + [0, 0, strategy["hover"]], hand, CLOSED, speed, tolerance=0.015),
            ByHandle(hooked, hand, CLOSED, speed * 0.6, tolerance=0.01),
            Phase(
                self._from_handle(observation, hooked + self._move(observation)),
                facing(observation) @ hand,
                CLOSED,
                strategy["pace"],
            ),
        ]

    def _push(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        hand = leaning(strategy["lean"], upright=False)
        if strategy["way"] == "bar":
            contact = np.array([0.0, strategy["along"], -0.002])
        else:
            contact = np.array([STANDOFF, strategy["side"] * (BAR_HALF + strategy["aside"]), strategy["height"]])
        approach = contact - [0.045, 0.0, 0.0]
        return [
            ByHandle(approach + [-0.02, 0, strategy["hover"]], hand, CLOSED, speed, tolerance=0.025),
            ByHandle(approach, hand, CLOSED, speed * 0.7, tolerance=0.015),
            Phase(
                self._from_handle(observation, contact + self._move(observation)),
                facing(observation) @ hand,
                CLOSED,
                strategy["pace"],
            ),
        ]

    @staticmethod
    def _move(observation: Observation) -> np.ndarray:
        """The displacement (3,) m, in the drawer's frame, to its goal and a little past it."""
        opening = float(observation["drawer.opening"][0])
        far = opening - OPEN - BEYOND if observation["drawer.wanted"][0] > 0 else opening + BEYOND
        return np.array([far, 0.0, 0.0])

    @staticmethod
    def _from_handle(observation: Observation, place: np.ndarray) -> np.ndarray:
        """A position (3,) m in the handle's frame, in the base frame, as long as the handle has not moved."""
        return observation["handle.position"] + facing(observation) @ place
