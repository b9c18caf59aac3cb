"""Rows a control period apart, whatever the streams' rates, stamps and pauses are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot.contract.loading import describe, load_contract
from robot.control.observation.alignment import StreamSource
from robot.control.observation.observer import EARLY, LOST, ObservedRow, Observer
from robot.control.observation.quality import Quality
from robot.control.observation.sources import offered, stream_sources, streams_of
from robot.description.observation import ObservationField, ObservationSpec

MS = 1_000_000
PERIOD = 50 * MS
FAST = ObservationField("fast", (1,), "float64", "m", "state")
SLOW = ObservationField("slow", (1,), "float64", "m", "state")
SPEC = ObservationSpec((FAST, SLOW))


def observer(tolerance_ns: int = 200 * MS, early: float = EARLY) -> Observer:
    sources = {name: StreamSource((name,), tolerance_ns=tolerance_ns) for name in ("fast", "slow")}
    return Observer(SPEC, sources, PERIOD, early=early)


def feed(observer: Observer, messages: list[tuple[int, str]]) -> list[ObservedRow]:
    """Messages in the order of their moments, each worth its moment; rows are taken after each."""
    rows = []
    for stamp_ns, stream in sorted(messages):
        assert observer.add(stream, {stream: np.array([stamp_ns * 1e-9])}, stamp_ns) == ""
        assert not observer.interrupted
        rows += list(observer.due())
    return rows


def moments(period_ns: float, jitter: list[float], first_ns: int, last_ns: int) -> list[int]:
    count = int((last_ns - first_ns) / period_ns)
    return sorted({first_ns + round((k + jitter[k % len(jitter)]) * period_ns) for k in range(count)})


@given(
    fast_ms=st.floats(1.0, 20.0),
    slow_ms=st.floats(20.0, 60.0),
    jitter=st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=7),
    late_ms=st.integers(0, 100),
)
def test_rows_follow_a_period_after_one_another_and_hold_what_was_measured_then(
    fast_ms: float, slow_ms: float, jitter: list[float], late_ms: int
) -> None:
    messages = [(moment, "fast") for moment in moments(fast_ms * MS, jitter, 1000 * MS, 3000 * MS)]
    messages += [(moment, "slow") for moment in moments(slow_ms * MS, jitter, (1000 + late_ms) * MS, 3000 * MS)]
    rows = feed(observer(), messages)
    stamps = np.array([row.stamp_ns for row in rows])
    steps = np.diff(stamps)
    assert len(rows) > 20
    assert (steps <= PERIOD).all() and (steps >= PERIOD * (1 - EARLY)).all()
    first = max(min(moment for moment, name in messages if name == stream) for stream in ("fast", "slow"))
    for row in (row for row in rows if row.stamp_ns >= first):
        # A linear signal is interpolated without error; nothing is of a moment that a stream has not reached.
        np.testing.assert_allclose([row.values["fast"][0], row.values["slow"][0]], row.stamp_ns * 1e-9, atol=1e-9)


@given(st.floats(1.0, 20.0), st.floats(20.0, 60.0), st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=7))
def test_rows_that_may_not_come_early_keep_their_distance(fast_ms: float, slow_ms: float, jitter: list[float]) -> None:
    messages = [(moment, "fast") for moment in moments(fast_ms * MS, jitter, 1000 * MS, 3000 * MS)]
    messages += [(moment, "slow") for moment in moments(slow_ms * MS, jitter, 1000 * MS, 3000 * MS)]
    stamps = np.array([row.stamp_ns for row in feed(observer(early=0.0), messages)])
    assert len(stamps) > 20 and (np.diff(stamps) == PERIOD).all()


def test_there_is_no_row_before_every_stream_has_spoken() -> None:
    silent = observer()
    assert feed(silent, [(k * MS, "fast") for k in range(100)]) == []
    assert silent.silent == ("slow",) and silent.stamp_ns is None
    assert [row.stamp_ns for row in feed(silent, [(99 * MS, "slow")])] == [99 * MS]


def test_a_pause_ends_the_past() -> None:
    paused = observer()
    feed(paused, [(k * 10 * MS, name) for k in range(20) for name in ("fast", "slow")])
    last = paused.stamp_ns
    assert last is not None
    for name in ("fast", "slow"):
        paused.add(name, {name: np.zeros(1)}, last + LOST * PERIOD)
    assert not paused.interrupted
    for name in ("fast", "slow"):
        paused.add(name, {name: np.zeros(1)}, last + LOST * PERIOD + MS)
    assert paused.interrupted
    paused.reset()
    assert not paused.interrupted and list(paused.due()) == []
    assert len(feed(paused, [(2000 * MS, "fast"), (2000 * MS, "slow")])) == 1


def test_rows_that_became_due_together_are_given_one_by_one() -> None:
    """Who takes the first may reset before the second."""
    caught_up = observer()
    feed(caught_up, [(0, "fast"), (0, "slow")])
    for name in ("fast", "slow"):
        caught_up.add(name, {name: np.ones(1)}, 2 * PERIOD)
    rows = caught_up.due()
    assert next(rows).stamp_ns == PERIOD == caught_up.stamp_ns
    assert [row.stamp_ns for row in rows] == [2 * PERIOD]


def test_the_streams_of_a_contract_carry_their_keys_and_a_twins_values_come_first() -> None:
    contract = load_contract("panda_twin")
    description = describe(contract)
    camera = next(name for name, stream in contract.state.items() if stream.type == "image")
    image = ObservationField(f"{camera}.image", (84, 84, 3), "uint8", "1", "image")
    position = ObservationField("tcp.position", (3,), "float32", "m", "state")
    unknown = ObservationField("elsewhere.image", (84, 84, 3), "uint8", "1", "image")
    assert streams_of(contract, description, image) == (camera,)
    assert streams_of(contract, description, unknown) == ()
    spec = ObservationSpec((position, image, unknown))
    assert offered(contract, description, spec).names == ("tcp.position", f"{camera}.image")
    size = contract.state[camera].size
    assert size is not None
    assert offered(contract, description, spec)[f"{camera}.image"].shape == (*size, 3)
    assert offered(contract, description, spec, own_sizes=False)[f"{camera}.image"].shape == (84, 84, 3)
    sources = stream_sources(contract, description, spec)
    kinds = [contract.state[name].type for name in sources]
    assert kinds == sorted(kinds, key=lambda kind: kind != "values")
    assert not sources[camera].interpolate
    assert all(sources[name].interpolate for name in sources if name != camera)


def test_a_recorder_goes_on_behind_a_gap_and_marks_the_row() -> None:
    recorded = observer()
    rows = feed(recorded, [(k * 10 * MS, name) for k in range(20) for name in ("fast", "slow")])
    last = rows[-1].stamp_ns
    assert not any(row.quality & Quality.GAP for row in rows)
    recorded.resume()
    assert list(recorded.due()) == [], "no row is made twice"
    behind = last + 2 * LOST * PERIOD
    for step in range(3):
        for name in ("fast", "slow"):
            assert recorded.add(name, {name: np.zeros(1)}, behind + step * PERIOD) == ""
        if recorded.interrupted:
            recorded.resume()
        rows += list(recorded.due())
    assert [row.stamp_ns for row in rows[-3:]] == [behind, behind + PERIOD, behind + 2 * PERIOD]
    assert [bool(row.quality & Quality.GAP) for row in rows[-3:]] == [True, False, False]


def test_the_first_row_of_an_episode_has_no_gap_before_it() -> None:
    episodes = observer()
    feed(episodes, [(0, "fast"), (0, "slow")])
    episodes.reset()
    (row,) = feed(episodes, [(9000 * MS, "fast"), (9000 * MS, "slow")])
    assert row.quality == 0 and row.ages_ns == {"fast": 0, "slow": 0}
