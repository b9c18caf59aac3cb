"""Moves of a robot over its gate: sent piece by piece, followed until the robot is measured at the end."""

from __future__ import annotations

import time
from threading import Lock

import numpy as np

from real.connection.access import ACCEPT_S, GateAccess
from real.connection.link import Link
from real.connection.obstacles import PEOPLES
from robot.control.moves import STILL, TOLERANCE, TURN_TOLERANCE, Limits, Move, remaining
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription
from robot.errors import TillerError
from robot.safety.gate.reasons import Reason

AHEAD_S = 1.0  # of a move that is sent ahead: when the program dies, the robot moves on for no longer
RESEND_S = 0.2
SETTLE_S = 2.0  # after a move, to come to rest at its target
STILL_S = 0.3  # without a change, after which an arm or a tool has come to rest
PATIENCE_S = 5.0  # with holds that end by themselves, such as a state that is late


class Travel:
    """Moves one robot, one move at a time.

    Args:
        link, access: to its graph and gate.
        limits: field -> limits that the gate keeps.
        description: of the robot.
        spec: of its targets.
    """

    def __init__(
        self, link: Link, access: GateAccess, limits: Limits, description: RobotDescription, spec: ActionSpec
    ) -> None:
        self._link, self._access, self._limits = link, access, limits
        self._description, self._spec = description, spec
        self._subscriptions = link.subscriptions
        self._chunks, self._moving = 0, Lock()

    def to(
        self,
        goal: np.ndarray,
        duration: float | None,
        tolerance: float = TOLERANCE,
        turn_tolerance: float = TURN_TOLERANCE,
    ) -> None:
        """Send a move piece by piece, until the robot is measured at its end."""
        if self._subscriptions.status.get("shadow") == "True":
            raise TillerError("the gate is a shadow: it computes and sends nothing, so the robot will not move")
        if not self._moving.acquire(blocking=False):
            raise TillerError("another thread moves this robot: wait for it, or robot.stop()")
        try:
            self._access.take()
            self._execute(goal, duration, tolerance, turn_tolerance)
        finally:
            self._moving.release()

    def _execute(self, goal: np.ndarray, duration: float | None, tolerance: float, turn_tolerance: float) -> None:
        deadline: float | None = None
        try:
            while not self._follow(
                Move(self._spec, self._access.target, goal, duration, self._limits), tolerance, turn_tolerance
            ):
                # Such holds end by themselves, with the robot at rest: the move continues from there.
                duration, deadline = None, deadline or time.monotonic() + PATIENCE_S
                if not self._subscriptions.until(lambda: not self._access.obstacle(), deadline - time.monotonic()):
                    raise TillerError(f"the move has ended early: {self._access.obstacle()}")
        except BaseException:
            if self._subscriptions.mode == "run" and self._subscriptions.reason is Reason.POLICY:
                self._access.stop()  # what was sent ahead must not be executed
            raise

    def _follow(self, move: Move, tolerance: float, turn_tolerance: float) -> bool:
        """Follow a move to its end; False when a hold that ends by itself interrupted it."""
        spec, clock = self._spec, self._link.clock
        period, rows = spec.period_ns, np.arange(1, round(AHEAD_S * 1e9) // spec.period_ns + 1)
        begun_ns, begun_s, epochs = clock.now_ns(), time.monotonic(), self._epochs()
        before, still_s, followed = np.empty(0), begun_s, False
        while True:
            elapsed = clock.now_ns() - begun_ns
            # On one grid, so that a piece continues the one before to the bit.
            first = max(elapsed, 0) // period * period
            self._chunks += 1
            self._link.send(move.at(first + rows * period), spec, begun_ns + first, self._chunks)
            time.sleep(RESEND_S)
            now_s = time.monotonic()
            follows = self._follows(epochs)
            followed = followed or follows
            if not follows and (followed or now_s - begun_s > ACCEPT_S):
                if followed or self._access.obstacle():
                    return False
                raise TillerError(f"the gate did not take the move: it is {self._access.state}{self._cuts()}")
            measured = self._subscriptions.measured()
            left = remaining(spec, self._description, move.goal, measured)
            if len(left.all) != len(before) or np.abs(left.all - before).max() > STILL:
                before, still_s = left.all, now_s
            over = elapsed > move.duration_ns
            rests = now_s - still_s > (0.0 if np.abs(left.all).max() < 4 * STILL else STILL_S)
            there = left.position <= tolerance and left.angle <= turn_tolerance
            if over and there and rests:
                return True
            if elapsed > move.duration_ns + SETTLE_S * 1e9 or now_s - begun_s > 3 * move.duration_ns * 1e-9 + 10:
                if there:
                    return True
                raise TillerError(
                    f"the robot stands {left.position * 1e3:.1f} mm and {left.angle:.3f} rad from where it was told: "
                    f"in contact, at the end of its reach, or kept back by a limit{self._cuts()}"
                )

    def rests_at_target(self) -> bool:
        """Whether the robot is measured where the gate commands it to be."""
        left = remaining(self._spec, self._description, self._access.target, self._subscriptions.measured())
        return left.position < TOLERANCE and left.angle < TURN_TOLERANCE

    def _epochs(self) -> tuple[int, int]:
        return self._link.clock.epoch, self._subscriptions.episode.get("epoch", 0)

    def _follows(self, epochs: tuple[int, int]) -> bool:
        """Whether the gate follows the move.

        Raises:
            TillerError: it will not follow it any more; why.
        """
        self._access.require_there()
        reason = self._subscriptions.reason
        if self._epochs() != epochs:
            raise TillerError("the twin was reset, or the clock jumped, while the robot moved")
        if reason in (Reason.PERSON, Reason.TAKEN):
            raise TillerError("the move has ended early: a person has taken over")
        if self._subscriptions.mode in ("fault", "inactive") or reason in PEOPLES:
            raise TillerError(f"the move has ended early: {self._access.obstacle()}")
        return self._subscriptions.mode == "run"

    def _cuts(self) -> str:
        """What the gate has refused or cut so far, for a message."""
        counts = [
            f"{name.removeprefix('count_')} {count}"
            for name, count in self._subscriptions.status.items()
            if name.startswith("count_chunk") or name.removeprefix("count_") in ("position", "capsules_stop")
        ]
        return f". The gate has counted: {', '.join(counts)}" if counts else ""
