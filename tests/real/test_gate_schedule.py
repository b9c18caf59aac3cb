"""When a gate ticks: with the fastest stream, without it when it stays away, and after a stall with all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.gate.schedule import COMPANY_NS, PATIENCE, TickSchedule
from robot.contract.loading import load_contract

pytestmark = pytest.mark.together

TICK_NS = 5_000_000
START_NS = 10**12


def schedule(lead_hz: float = 200.0, lock_step: bool = False) -> TickSchedule:
    contract = load_contract("panda_twin")
    fast = {name: replace(stream, rate_hz=lead_hz) for name, stream in contract.state.items()}
    return TickSchedule(replace(contract, state=fast), TICK_NS * 1e-9, lock_step)


def ticks(of: TickSchedule, moments_ns: list[int], until_ns: int) -> list[int]:
    """Moments of the ticks that messages at these moments make, looked at every 0.1 ms for what is overdue."""
    made, waiting = [], sorted(moments_ns)
    for now_ns in range(START_NS, until_ns, 100_000):
        ticked = False
        while waiting and waiting[0] <= now_ns:
            waiting.pop(0)
            ticked |= of.makes_tick(now_ns)
        if ticked or of.overdue(now_ns):
            of.began(now_ns)
            of.ended(now_ns + 300_000)
            made.append(now_ns)
    return made


@pytest.mark.parametrize("lead_hz", [200.0, 500.0, 1000.0])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_states_make_the_ticks_at_the_gates_own_rate(lead_hz: float, jitter: float) -> None:
    period_ns, random = 1e9 / lead_hz, np.random.default_rng(1)
    moments = [START_NS + round((k + random.uniform(-jitter, jitter)) * period_ns) for k in range(int(2 * lead_hz))]
    made = ticks(schedule(lead_hz), moments, START_NS + 2 * 10**9)
    distances = np.diff(made[1:])
    assert abs(np.median(distances) - TICK_NS) <= period_ns / 2 + 100_000, "the state nearest to a tick's moment"
    assert distances.max() <= PATIENCE * TICK_NS + 100_000
    assert distances.min() >= TICK_NS / 2


def test_without_states_time_makes_the_ticks() -> None:
    made = ticks(schedule(), [START_NS], START_NS + 10**9)
    assert np.all(np.diff(made[1:]) == pytest.approx(PATIENCE * TICK_NS, abs=100_000))


def test_after_a_stall_the_other_streams_are_waited_for() -> None:
    stalled = schedule(1000.0)
    ticks(stalled, [START_NS + k * 10**6 for k in range(100)], START_NS + 10**8)
    after_ns = stalled.ticked_ns + 50 * 10**6
    assert not stalled.makes_tick(after_ns), "its own message alone is no tick"
    assert not stalled.makes_tick(after_ns + 10**6) and not stalled.overdue(after_ns + COMPANY_NS - 1)
    assert stalled.wait_s(after_ns, 0, 1.0) == pytest.approx(COMPANY_NS * 1e-9)
    assert stalled.overdue(after_ns + COMPANY_NS)
    stalled.began(after_ns + COMPANY_NS)
    assert not stalled.overdue(after_ns + COMPANY_NS + 1)


def test_in_lock_step_no_time_makes_a_tick() -> None:
    stands = schedule(lock_step=True)
    assert stands.lead == "" and not stands.overdue(START_NS) and stands.wait_s(START_NS, 0, 0.5) == 0.5


def test_the_rest_is_done_right_after_a_tick_or_when_it_has_waited_long_enough() -> None:
    busy = schedule()
    busy.began(START_NS)
    busy.ended(START_NS + 10**6)
    assert busy.has_time(START_NS + 2 * 10**6, START_NS, 10**9)
    assert not busy.has_time(START_NS + 2 * 10**6, START_NS + 3 * 10**6, 10**9), "it is not due"
    assert not busy.has_time(START_NS + 4 * 10**6, START_NS, 10**9), "the next tick is near"
    assert busy.has_time(START_NS + 4 * 10**6, START_NS, 3 * 10**6)


def test_the_status_shows_how_late_ticks_are_and_how_long_they_take() -> None:
    shown = schedule()
    assert shown.numbers() == {}
    for k in range(1000):
        shown.began(START_NS + k * TICK_NS + (10**6 if k % 2 else 0))
        shown.ended(START_NS + k * TICK_NS + 2 * 10**6)
    numbers = shown.numbers()
    assert numbers["period_p50_ms"] in ("4.000", "6.000") and numbers["period_p999_ms"] == "6.000"
    assert numbers["tick_p99_ms"] == "2.000"
