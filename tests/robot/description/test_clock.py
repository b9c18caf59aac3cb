from __future__ import annotations

import time

import pytest

from robot.description.clock import Clock, RealClock, VirtualClock, to_monotonic_ns
from robot.errors import TillerError


@pytest.mark.parametrize("clock", [RealClock(), VirtualClock()])
def test_both_clocks_are_clocks(clock):
    assert isinstance(clock, Clock)


def test_a_virtual_clock_moves_only_when_told():
    clock = VirtualClock(start_ns=7)
    assert (clock.now_ns(), clock.monotonic_ns()) == (7, 0)
    clock.advance(5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (12, 5)
    clock.sleep_until(100)
    assert (clock.now_ns(), clock.monotonic_ns()) == (107, 100)
    clock.sleep_until(50)
    assert clock.monotonic_ns() == 100


def test_a_clock_does_not_move_backwards():
    with pytest.raises(ValueError, match="forward"):
        VirtualClock().advance(-1)


def test_a_reset_sets_source_time_back_bumps_the_epoch_and_leaves_monotonic_time():
    clock = VirtualClock()
    clock.advance(1_000)
    clock.reset()
    assert (clock.now_ns(), clock.monotonic_ns(), clock.epoch) == (0, 1_000, 1)


def test_one_function_converts_a_stamp_to_local_time():
    clock = VirtualClock(start_ns=10_000)
    stamp, epoch = clock.now_ns(), clock.epoch
    clock.advance(300)
    assert clock.monotonic_ns() - to_monotonic_ns(clock, stamp, epoch) == 300


def test_a_stamp_from_before_a_reset_has_no_age():
    clock = VirtualClock()
    clock.advance(300)
    stamp, epoch = clock.now_ns(), clock.epoch
    clock.reset()
    with pytest.raises(TillerError, match="epoch 0"):
        to_monotonic_ns(clock, stamp, epoch)


def test_the_real_clock_sleeps_until_a_time_and_not_past_ones():
    clock = RealClock()
    start = clock.monotonic_ns()
    clock.sleep_until(start + 20_000_000)
    assert clock.monotonic_ns() >= start + 20_000_000
    clock.sleep_until(start)
    assert clock.epoch == 0


def test_a_set_wall_clock_bumps_the_epoch_and_leaves_ages_alone(monkeypatch):
    clock = RealClock()
    before = clock.monotonic_ns()
    real_time_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_time_ns() + 3_600_000_000_000)
    assert clock.epoch == 1
    assert clock.epoch == 1
    assert clock.monotonic_ns() - before < 1_000_000_000
