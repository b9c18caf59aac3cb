"""When a gate ticks, and when there is time for the rest: arithmetic of moments, without ROS."""

from __future__ import annotations

from collections import deque
from typing import Iterable

from robot.contract.contract import Contract

PATIENCE = 1.2  # ticks without a state, after which there is one all the same
SLACK = 0.3  # of a tick: how long after one there is time for the rest
COMPANY_NS = 2_000_000  # in which the messages of the other streams come after a stall
RECENT = 2000  # ticks whose times are reported


class TickSchedule:
    """The messages of the fastest stream make the ticks; without them, the clock does. In lock-step neither does:
    the observation of an episode is the tick.

    Args:
        contract: of the robot.
        tick_s: between two ticks.
        lock_step: whether time is paused between two observations.

    Attributes:
        lead: the stream whose messages make the ticks; empty in lock-step.
        ticked_ns: moment of the last tick, steady clock.
    """

    def __init__(self, contract: Contract, tick_s: float, lock_step: bool) -> None:
        self.tick_ns = round(tick_s * 1e9)
        self.ticked_ns = 0
        streams, self._lock_step = contract.policy_streams, lock_step
        read = [name for name, stream in streams.items() if stream.type in ("joint_state", "pose")]
        self.lead = "" if lock_step else max(read, key=lambda name: streams[name].rate_hz, default="")
        lead_hz = streams[self.lead].rate_hz if self.lead else contract.tick_hz
        # The state that comes nearest to a tick's moment makes it; one that comes sooner is left for the next.
        self._early_ns = max(self.tick_ns - round(0.5e9 / lead_hz), self.tick_ns // 2)
        self._stall_ns = round(max(2.5e9 / lead_hz, 2.5 * self.tick_ns))
        self._ended_ns = self._lead_ns = self._company_ns = 0
        self._periods: deque[int] = deque(maxlen=RECENT)
        self._spent: deque[int] = deque(maxlen=RECENT)

    def makes_tick(self, now_ns: int) -> bool:
        """Whether a message of the leading stream makes a tick.

        After a stall the other streams' messages are right behind this one: a tick without them would hold.
        """
        before_ns, self._lead_ns = self._lead_ns, now_ns
        if before_ns and now_ns - before_ns > self._stall_ns:
            self._company_ns = now_ns + COMPANY_NS
            return False
        return now_ns - self.ticked_ns >= self._early_ns and not self._company_ns

    def overdue(self, now_ns: int) -> bool:
        """Whether there is a tick although no state makes one."""
        if self._lock_step or now_ns < (self._company_ns or self.ticked_ns + round(PATIENCE * self.tick_ns)):
            return False
        self._company_ns = 0
        return True

    def has_time(self, now_ns: int, due_ns: int, patience_ns: int) -> bool:
        """Whether something that is due may be done now: right after a tick there is time for it, and it waits for
        such a moment no longer than `patience_ns`.
        """
        after = now_ns - self._ended_ns < SLACK * self.tick_ns or self._lock_step
        return now_ns >= due_ns and (after or now_ns >= due_ns + patience_ns)

    def wait_s(self, now_ns: int, since_ns: int, idle_s: float) -> float:
        """Seconds until the next tick is overdue, `since_ns` after the last one; `idle_s` in lock-step."""
        if self._company_ns:
            return max(self._company_ns - now_ns, 0) * 1e-9
        return idle_s if self._lock_step else (PATIENCE * self.tick_ns - since_ns) * 1e-9

    def began(self, now_ns: int) -> None:
        """Note a tick of this moment that sends its decision."""
        if self.ticked_ns:
            self._periods.append(now_ns - self.ticked_ns)
        self.ticked_ns = now_ns

    def ended(self, now_ns: int) -> None:
        """Note that the tick is done."""
        self._ended_ns = now_ns
        self._spent.append(now_ns - self.ticked_ns)

    def gave_up(self, now_ns: int) -> None:
        """Note a tick of this moment that sends nothing."""
        self.ticked_ns = self._ended_ns = now_ns

    def numbers(self) -> dict[str, str]:
        """Quantiles of the periods and durations of the last ticks, ms, for the status."""
        quantiles: dict[str, str] = {}
        if self._periods:
            for name, times in (("period", self._periods), ("tick", self._spent)):
                quantiles |= {f"{name}_{words}_ms": value for words, value in _quantiles_ms(times)}
        return quantiles


def _quantiles_ms(times: Iterable[int]) -> Iterable[tuple[str, str]]:
    ordered = sorted(times)
    for words, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        yield words, f"{ordered[int(share * len(ordered))] * 1e-6:.3f}"
