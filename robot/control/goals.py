"""When to send goals to a tool that takes goals, to which set-points cannot be streamed.

It may refuse a goal while another is pursued, lose one, or end one elsewhere, and reports none of it. So a goal is
reached when the fingers are measured there, and is sent again when they rest somewhere else.
"""

from __future__ import annotations

import math

import numpy as np

from robot.contract.contract import Contract
from robot.contract.names import component_names, stream_names
from robot.control.sinks import SinkEncoder
from robot.description.loading import RobotDescription

TOLERANCE = {"m": 0.002, "rad": 0.02}  # from a goal, by a component's unit; else it is from 0 to 1
ROUNDING = 1e-9
MOVED, SAME = 0.65, 0.05  # of the tolerance: fingers beyond MOVED have moved; goals within SAME are the same
SETTLED_S = 0.1  # without a change, after which a command has settled; two rows of a chunk
MOVING_S = 0.3  # of a command that does not settle, after which a goal is sent while it moves
STILL_S, PERIODS = 0.3, 2.5  # without motion, after which fingers are at rest; measurements that must show it
AGAIN_S, LONGER = 0.3, 1.5  # plus the sink's latency: from a goal to its repetition, and factor of each further one:
# a server that waits for a stall before it ends a goal refuses others meanwhile
TRIES = 5  # of a goal that does not move the fingers
BLIND_S, BLIND_TRIES = 1.0, 2  # the same where nothing measures the fingers


class GoalTracker:
    """Decides in each tick whether the gate's command is sent to a sink as a goal. No goal goes further than the
    command.

    Args:
        name: of the sink, for `line`.
        units: (n,) of its components.
        names: (n,) of them.
        change: (n,) a command that differs by less from the last goal is no new goal, only its last correction.
        period_s: between two goals at least.
        latency_s: from a goal to the motion.
        still_s: without motion for so long the fingers are at rest.
    """

    def __init__(
        self,
        name: str,
        units: tuple[str, ...],
        names: tuple[str, ...],
        change: np.ndarray,
        *,
        period_s: float = 0.1,
        latency_s: float = 0.0,
        still_s: float = STILL_S,
    ) -> None:
        self.name, self._units, self._names = name, units, names
        # Lists: of a few numbers, in every tick, they take a tenth of the time of arrays.
        self._tolerance = [TOLERANCE.get(unit, TOLERANCE["rad"]) for unit in units]
        self._moved = [MOVED * each for each in self._tolerance]
        self._same = [SAME * each for each in self._tolerance]
        self._change = [max(*pair) - ROUNDING for pair in zip(change.tolist(), self._same)]
        self._period_ns, self._still_ns = round(period_s * 1e9), round(still_s * 1e9)
        self._again_ns = max(round((AGAIN_S + latency_s) * 1e9), self._period_ns)
        self._goal: list[float] | None = None
        self._sent_ns = self._tries = 0
        self._fingers: list[float] = []  # position of the fingers when it was sent
        self._command: list[float] = []
        self._stood_ns = self._began_ns = 0  # since when the command is constant; since when it has not settled
        self._beside_ns = 0  # since when the command is as near the goal as no new goal is
        self._measured = self._rested = self._rested_before = [math.nan] * len(units)
        self._blind = True
        self._moved_ns = 0
        self._allowed = self._given_up = False

    def step(self, command: np.ndarray, measured: np.ndarray, now_ns: int, allowed: bool) -> bool:
        """Whether the command is sent as a goal now.

        Args:
            command: (n,) of the gate.
            measured: (n,) newest, NaN where nothing measures the fingers.
            now_ns: monotonic.
            allowed: whether the robot may be set in motion: where it may not, nothing is sent.
        """
        self._follow(command.tolist(), now_ns)
        self._watch(measured.tolist(), now_ns)
        if not allowed:
            self._allowed = False
            return False
        if not self._allowed:
            # A person who lets go and takes hold again restarts, and a command that was constant may be about to move.
            self._allowed, self._tries, self._stood_ns, self._began_ns = True, 0, now_ns, now_ns
        if self._goal is not None and now_ns - self._sent_ns < self._period_ns:
            return False
        if self._is_new_and_due(now_ns):
            self._tries = 0
            return self._send(now_ns)
        return self._has_failed(now_ns) and self._try_again(now_ns)

    @property
    def failed(self) -> bool:
        """Whether the goal is not sent again although the fingers are not there, or nothing measures them."""
        return self._given_up or (self._goal is not None and self._blind)

    @property
    def line(self) -> str:
        """The state of the newest goal, for a person; empty before the first."""
        if self._goal is None:
            return ""
        shares = [abs(is_ - goal) / most for is_, goal, most in zip(self._measured, self._goal, self._tolerance)]
        worst = 0 if self._blind else shares.index(max(shares))
        unit = self._units[worst] if self._units[worst] != "1" else ""
        which = f"{self._names[worst]} " if len(self._names) > 1 else ""
        text = f"asked {which}{_rounded(self._goal[worst])} {unit}".rstrip()
        if self._blind:
            return f"{text}, nothing measures it"
        if not self._off(self._goal):
            return f"{text}, reached"
        if self._has_left(self._fingers) or (self._tries < 2 and not self._given_up):
            return f"{text}, on its way"
        return f"{text}, stands at {_rounded(self._measured[worst])} {unit}".rstrip()

    # -- measurements -------------------------------------------------------------------------------------------------

    def _follow(self, command: list[float], now_ns: int) -> None:
        """Update since when the command is constant, and since when it is beside the goal: a policy's is never constant
        to the tenth of a millimetre.
        """
        if self._goal is None or _apart(command, self._goal, self._change):
            self._beside_ns = now_ns
        if self._command and not _apart(command, self._command, self._same):
            return
        if not self._command or now_ns - self._stood_ns >= SETTLED_S * 1e9:
            self._began_ns = now_ns
        self._command, self._stood_ns = command, now_ns

    def _watch(self, measured: list[float], now_ns: int) -> None:
        """Update since when the fingers are at rest, and whether they have left the position at which the goal was
        given up.
        """
        if measured != self._measured:  # most ticks bring no new measurement
            self._measured, self._blind = measured, any(map(math.isnan, measured))
            if any(map(math.isnan, self._rested)) or self._has_left(self._rested):
                chatters = not any(map(math.isnan, self._rested_before)) and not self._has_left(self._rested_before)
                if not chatters:  # to and fro between two positions is no motion
                    self._moved_ns = now_ns
                self._rested, self._rested_before = measured, self._rested
        if self._given_up and (self._have_gone(2.0) or not self._off(self._command)):
            self._given_up = False

    def _off(self, goal: list[float]) -> bool:
        """Whether the fingers are measured further from a goal than the tolerance."""
        return _apart(self._measured, goal, self._tolerance)

    def _has_left(self, place: list[float]) -> bool:
        return _apart(self._measured, place, self._moved)

    def _have_gone(self, tolerances: float) -> bool:
        """Whether the fingers have moved so far from where they were when the goal was sent: further than noise."""
        return _apart(self._measured, self._fingers, [tolerances * each for each in self._tolerance])

    def _is_pursued(self, now_ns: int) -> bool:
        """Whether the newest goal may still be pursued."""
        if self._goal is None:
            return False
        if self._blind:
            return now_ns - self._sent_ns < BLIND_S * 1e9
        again_ns = (
            self._again_ns if self._has_left(self._fingers) else self._again_ns * LONGER ** max(self._tries - 1, 0)
        )
        waited = now_ns - self._sent_ns >= again_ns and now_ns - self._moved_ns >= self._still_ns
        return self._off(self._goal) and not waited

    # -- decisions ----------------------------------------------------------------------------------------------------

    def _is_new_and_due(self, now_ns: int) -> bool:
        """Whether the command is another goal than the newest, or the first away from the fingers, and has settled or
        has moved for long.
        """
        constant_ns, idle = now_ns - self._stood_ns, not self._is_pursued(now_ns)
        if self._goal is None:
            new = self._blind or self._has_left(self._command)
        else:
            new = _apart(self._command, self._goal, self._change)
            if not new and idle and constant_ns >= AGAIN_S * 1e9 and not self._off(self._goal):
                return _apart(self._command, self._goal, self._same)  # the last millimetres count
        moving = now_ns - self._began_ns > MOVING_S * 1e9 and idle
        return new and (constant_ns >= SETTLED_S * 1e9 or moving)

    def _has_failed(self, now_ns: int) -> bool:
        """Whether the fingers rest elsewhere, or nothing measures them, while the command stays at the goal."""
        if self._goal is None or self._is_pursued(now_ns):
            return False
        if now_ns - self._stood_ns >= SETTLED_S * 1e9:
            return self._blind or self._off(self._command)
        beside = now_ns - max(self._beside_ns, self._sent_ns) >= SETTLED_S * 1e9
        return beside and not self._blind and self._off(self._goal) and self._off(self._command)

    def _try_again(self, now_ns: int) -> bool:
        if not self._blind and self._have_gone(1.0):
            self._tries = 0
        if self._tries < (BLIND_TRIES if self._blind else TRIES):
            return self._send(now_ns)
        self._given_up = not self._blind
        return False

    def _send(self, now_ns: int) -> bool:
        self._goal, self._sent_ns, self._fingers = self._command, now_ns, self._measured
        self._tries += 1
        self._given_up = False
        return True


def goal_tracker(contract: Contract, description: RobotDescription, encoder: SinkEncoder) -> GoalTracker:
    """The tracker of a sink whose tool takes goals.

    Args:
        contract: agreed with the description.
        description: of the robot.
        encoder: of the sink.
    """
    sink, spec = encoder.sink, description.action_spec(contract.period_s, contract.control)
    names = encoder.part(np.array(component_names(description, spec)))
    words = [(field.size, field.unit.split()) for field in spec.fields]
    units = [unit for size, parts in words for unit in (parts * size if len(parts) == 1 else parts)]
    rates = [
        stream.rate_hz for name, stream in contract.policy_streams.items() if names[0] in stream_names(contract, name)
    ]
    return GoalTracker(
        encoder.name,
        tuple(encoder.part(np.array(units)).tolist()),
        tuple(names.tolist()),
        encoder.change,
        period_s=1 / sink.rate_hz,
        latency_s=sink.latency_s,
        still_s=max(STILL_S, PERIODS / min(rates, default=np.inf)),
    )


def _rounded(value: float) -> str:
    return f"{round(float(value), 3) + 0.0:.3f}"  # no -0.000


def _apart(first: list[float], second: list[float], most: list[float]) -> bool:
    """Whether any two numbers differ by more than they may; NaN differs from nothing."""
    return any(abs(one - other) > each for one, other, each in zip(first, second, most))
