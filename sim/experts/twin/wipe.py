"""Wipe the stroke: pick the sponge up, lay it flat on the board, rub along it at a constant measured force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from robot.control.rotation import matrix_from_6d, matrix_from_rotvec
from sim.experts.twin.poses import CLOSED, OPEN, UP, hand_down, nearest_turn, yaw_of
from sim.experts.waypoints import Observation, Phase, WaypointExpert
from sim.tasks.twin.wipe import MIDDLE

ORDERS = ("through", "halves", "scrub")
ARM_STIFFNESS = 1000.0  # N/m
# Each row adds this part of the missing force to the command, in m of the arm's spring, since the arm needs two or
# three rows to follow; and no more than a calm touch-down.
CORRECTION, LARGEST_STEP = 0.3, 0.0015  # 1, m
PRESSED_WITHIN = 2.0  # N of the aim: then the rubbing begins
BEYOND = 0.014  # m past the ends of the stroke, for the pad to rub over the last marks too
THERE = 0.008  # m: friction holds the hand back by some of it
ABOVE = 0.02  # m, of a sponge that approaches the board or leaves it
OVER_EDGE = 0.06  # m, of one that comes from the table: the board's edge may be higher than its middle
FORWARD, BACK = 0.07, 0.035  # m, of a scrub


@dataclass(frozen=True, eq=False, kw_only=True)
class PressPhase(Phase):
    """A leg on the board: the hand glides along it to `position` and presses on it with `force` N.

    Args:
        normal: (3,), out of the board.
        force: N.
    """

    normal: np.ndarray
    force: float

    def step(self, observation: Observation) -> float:
        """The increment of the commanded depth along the normal in this row, m."""
        missing = self.force - float(observation["sponge.force"][0])
        return float(np.clip(CORRECTION * missing / ARM_STIFFNESS, -LARGEST_STEP, LARGEST_STEP))

    def off(self, observation: Observation) -> float:
        """The hand's distance from its goal along the board, m."""
        offset = observation["tcp.position"] - self.position
        return float(np.linalg.norm(offset - (offset @ self.normal) * self.normal))


class WipeExpert(WaypointExpert):
    """The expert of `twin/wipe`."""

    patience = 80
    _height: float | None = None  # m along the board's normal, of the command while it presses

    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        return {
            "order": ORDERS[random.integers(len(ORDERS))],
            "from": "start" if random.random() < 0.5 else "end",
            "pad": "along" if random.random() < 0.5 else "across",
            "force": round(random.uniform(8.0, 12.0), 2),
            "pace": round(random.uniform(0.06, 0.12), 3),
            "speed": round(random.uniform(0.2, 0.32), 3),
            "hover": round(random.uniform(0.05, 0.08), 3),
            "height": round(random.uniform(-0.003, 0.006), 3),
        }

    def plan(self, observation: Observation) -> Sequence[Phase]:
        closed_on_it = self.empty_width < self.opening(observation) < self.gripped_width
        held = closed_on_it and np.linalg.norm(observation["sponge.from_tcp"]) < 0.02
        return self._wipe(observation) if held else self._grasp(observation)

    def act(self, observation: Observation) -> np.ndarray:
        action = super().act(observation)
        phase = self._phases[self._current]
        if isinstance(phase, PressPhase):
            height = action[:3] @ phase.normal if self._height is None else self._height
            self._height = height - phase.step(observation)
            action[:3] += (self._height - action[:3] @ phase.normal) * phase.normal
        else:
            self._height = None
        return action

    def _grasp(self, observation: Observation) -> Sequence[Phase]:
        strategy, sponge = self.strategy, "sponge.position"
        hand, speed = hand_down(nearest_turn(yaw_of(observation["sponge.rotation"]), np.pi)), strategy["speed"]
        grasp = strategy["height"] * UP
        return [
            Phase(grasp + strategy["hover"] * UP, hand, OPEN, speed, near=sponge),
            Phase(grasp, hand, OPEN, speed * 0.7, tolerance=0.008, near=sponge),
            Phase(grasp, hand, CLOSED, speed, until="gripped", near=sponge),
            Phase(observation[sponge] + grasp + 0.1 * UP, hand, CLOSED, speed, tolerance=0.04, holding=True),
        ]

    def _wipe(self, observation: Observation) -> Sequence[Phase]:
        strategy, speed = self.strategy, self.strategy["speed"]
        ends = [observation["stroke.start"], observation["stroke.end"]]
        first, last = ends if strategy["from"] == "start" else ends[::-1]
        along = (last - first) / np.linalg.norm(last - first)
        normal = np.cross(*matrix_from_6d(observation["board.rotation"])[:, :2].T)
        turn = np.arctan2(along[1], along[0]) + (strategy["pad"] == "across") * np.pi / 2
        upright = hand_down(nearest_turn(float(turn), np.pi))
        hand = matrix_from_rotvec(np.cross(UP, normal)) @ upright  # board tilts are small: the sine is the angle
        held = matrix_from_6d(observation["tcp.rotation"]).T @ observation["sponge.from_tcp"]

        def tcp(on_board: np.ndarray, above: float) -> np.ndarray:
            return on_board + (MIDDLE + above) * normal - hand @ held

        def over(on_board: np.ndarray) -> Phase:
            return Phase(tcp(on_board, OVER_EDGE), hand, CLOSED, speed, tolerance=0.03, holding=True)

        def come(on_board: np.ndarray) -> list[Phase]:
            return [
                Phase(tcp(on_board, ABOVE), hand, CLOSED, speed, tolerance=0.008, holding=True),
                PressPhase(
                    tcp(on_board, 0.0),
                    hand,
                    CLOSED,
                    speed,
                    until="pressed",
                    holding=True,
                    normal=normal,
                    force=strategy["force"],
                ),
            ]

        def rub(on_board: np.ndarray) -> Phase:
            return PressPhase(
                tcp(on_board, 0.0),
                hand,
                CLOSED,
                strategy["pace"],
                until="rubbed",
                holding=True,
                normal=normal,
                force=strategy["force"],
            )

        def leave(on_board: np.ndarray) -> Phase:
            return Phase(tcp(on_board, ABOVE), hand, CLOSED, speed, holding=True)

        begin, finish = first - BEYOND * along, last + BEYOND * along
        if strategy["order"] == "halves":
            middle = (first + last) / 2
            one_half = [*come(middle - BEYOND * along), rub(finish), leave(finish)]
            other_half = [*come(middle + BEYOND * along), rub(begin), leave(begin)]
            return [over(middle), *one_half, *other_half]
        if strategy["order"] == "through":
            return [over(begin), *come(begin), rub(finish), leave(finish)]
        length, at, rubs = float(np.linalg.norm(finish - begin)), 0.0, []
        while at + FORWARD < length:
            rubs += [rub(begin + (at + FORWARD) * along), rub(begin + (at + FORWARD - BACK) * along)]
            at += FORWARD - BACK
        return [over(begin), *come(begin), *rubs, rub(finish), leave(finish)]

    def _finished(self, phase: Phase, observation: Observation, closing: float) -> bool:
        if isinstance(phase, PressPhase):
            if phase.until == "pressed":
                return bool(abs(observation["sponge.force"][0] - phase.force) < PRESSED_WITHIN)
            return phase.off(observation) < THERE
        return super()._finished(phase, observation, closing)
