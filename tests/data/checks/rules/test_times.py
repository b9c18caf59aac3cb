"""Gaps, rates and drift of stamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.checks.rules.thresholds import Thresholds
from data.checks.validate import validate
from tests.data.checks.rules.stores import BAD, PERIOD_S, ROWS, Build, only


def test_a_gap_between_rows_is_named_with_its_second(build: Build) -> None:
    def late(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data["time_ns"][30:] += 200_000_000
            stamps = streams["wrench"][1]
            stamps[30 * 5 :] += 200_000_000

    store = build(late)
    rows, samples = validate(store).findings
    assert (rows.rule, rows.where, rows.episode, rows.row) == ("gap", "data/time_ns", BAD, BAD * ROWS + 30)
    assert rows.second == pytest.approx(30 * PERIOD_S + 0.2) and "the worst 0.250 s" in rows.message
    assert (samples.rule, samples.where) == ("gap", "streams/wrench/time_ns")
    assert samples.second == pytest.approx(30 * PERIOD_S + 0.2)
    assert validate(store, Thresholds(gap_periods=6)).findings == ()
    assert validate(store, Thresholds(ignore=("gap",))).findings == ()


def test_rows_at_another_rate_than_the_control_period(build: Build) -> None:
    def slow(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            for stamps in (data["time_ns"], streams["wrench"][1]):
                stamps[:] = stamps[0] + ((stamps - stamps[0]) * 1.2).astype(np.int64)

    finding = only(validate(build(slow)))
    assert (finding.rule, finding.episode) == ("rate", BAD) and "every 0.06 s" in finding.message


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_stream_whose_clock_runs_differently(factor: float, build: Build) -> None:
    def drift(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            stamps = streams["wrench"][1]
            stamps[:] = stamps[0] + ((stamps - stamps[0]) * factor).astype(np.int64)

    store = build(drift)
    finding = only(validate(store))
    assert (finding.rule, finding.where, finding.episode) == ("drift", "streams/wrench/time_ns", BAD)
    assert finding.second == pytest.approx((ROWS - 1) * PERIOD_S)
    assert f"{'before' if factor < 1 else 'after'} the last one" in finding.message
    assert validate(store, Thresholds(drift_periods=7)).findings == ()


def test_a_stream_that_begins_late_and_one_without_samples(build: Build) -> None:
    def cut(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        value, stamps = streams["wrench"]
        if number == BAD:
            streams["wrench"] = value[50:], stamps[50:]
        if number == BAD + 1:
            streams["wrench"] = value[:0], stamps[:0]

    late, none = validate(build(cut)).findings
    assert (late.rule, late.episode, late.second) == ("drift", BAD, 0) and "begin 0.500 s after" in late.message
    assert (none.rule, none.episode) == ("drift", BAD + 1) and "no samples" in none.message


def test_a_stream_may_begin_before_its_rows_and_go_on_after_them(build: Build) -> None:
    def longer(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        value, stamps = streams["wrench"]
        step = int(stamps[1] - stamps[0])
        before, after = (stamps[0] - step * np.arange(60, 0, -1)), stamps[-1] + step * np.arange(1, 61)
        streams["wrench"] = np.concatenate([value[:60], value, value[:60]]), np.concatenate([before, stamps, after])

    assert validate(build(longer)).findings == ()
