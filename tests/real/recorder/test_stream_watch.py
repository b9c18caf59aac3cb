"""Streams that are fit to be recorded, and what is said of those that are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from real.recorder.incoming.stream_watch import StreamWatch
from robot.contract.wiring import Ages

pytestmark = pytest.mark.together

PERIOD_NS = 33_333_333
AGES = Ages(0.067, 0.2, 1.0)
START_NS = 1_700_000_000_000_000_000


def watch(*, sensor: bool = False) -> StreamWatch:
    return StreamWatch("front", 30.0, AGES, sensor=sensor)


def run(one: StreamWatch, count: int, first: int = 0, content: bytes | None = None) -> None:
    for number in range(first, first + count):
        stamp = START_NS + number * PERIOD_NS
        picture = content if content is not None else number.to_bytes(4, "big")
        assert one.came(stamp, stamp + 5_000_000, number / 30, picture) == ""


def test_a_stream_that_comes_is_well_and_its_rate_is_known() -> None:
    one = watch()
    run(one, 60)
    assert one.trouble(59 / 30) == "" and one.lost(59 / 30) == ""
    assert one.rate_hz == pytest.approx(30, rel=1e-3) and one.drops == 0
    summary = one.summary()
    assert (summary.received, summary.drops, summary.refused) == (60, 0, 0) and summary.latency_ms == (5.0,) * 4
    assert summary.span_ns == (START_NS, START_NS + 59 * PERIOD_NS)


def test_silence_keeps_a_take_from_beginning_and_ends_one_later() -> None:
    one = watch()
    assert one.trouble(0.0) == "silent since the start"
    run(one, 10)
    assert one.trouble(9 / 30 + 0.5) == "silent for 0.5 s" and one.lost(9 / 30 + 0.5) == ""
    assert one.lost(9 / 30 + 1.5) == "silent for 1.5 s"


@given(st.sets(st.integers(1, 58)))
def test_every_frame_that_is_missing_is_counted(missing: set[int]) -> None:
    one = watch()
    for number in range(60):
        if number not in missing:
            stamp = START_NS + number * PERIOD_NS
            one.came(stamp, stamp, number / 30)
    assert one.drops == len(missing) and one.received == 60 - len(missing)


@pytest.mark.parametrize(
    "offset_s, word",
    [(3.0, "in the future"), (-2.0, "in the past")],
)
def test_a_stamp_of_another_clock_is_refused_and_named(offset_s: float, word: str) -> None:
    one = watch()
    run(one, 10)
    problem = one.came(START_NS + 10 * PERIOD_NS + round(offset_s * 1e9), START_NS + 10 * PERIOD_NS, 10 / 30)
    assert word in problem and word in one.trouble(10 / 30) and one.summary().refused == 1


def test_stamps_that_go_back_or_stand_are_refused() -> None:
    one = watch()
    run(one, 10)
    assert "went back" in one.came(START_NS, START_NS + 10 * PERIOD_NS, 10 / 30)
    run(one, 5, 11)
    stamp = START_NS + 15 * PERIOD_NS
    assert one.came(stamp, stamp, 0.5) == "the same stamp twice"


def test_a_sensor_that_shows_one_picture_is_frozen_and_a_twins_camera_is_not() -> None:
    camera, drawn = watch(sensor=True), watch()
    run(camera, 90, content=b"one picture")
    run(drawn, 90, content=b"one picture")
    assert camera.trouble(89 / 30).startswith("frozen: the same picture for 3.0 s") and drawn.trouble(89 / 30) == ""
    assert camera.lost(89 / 30).startswith("frozen")
    run(camera, 2, 90)
    assert camera.trouble(91 / 30) == ""


def test_a_take_counts_anew() -> None:
    one = watch()
    run(one, 10)
    one.came(START_NS + 14 * PERIOD_NS, START_NS + 14 * PERIOD_NS, 0.5)
    assert one.drops == 4
    one.begin()
    run(one, 10, 15)
    assert one.summary().received == 10 and one.drops == 0


@given(
    st.lists(
        st.tuples(st.sampled_from([1.0, 1.0, 1.0, 1.4, 1.6, 3.0, 7.5]), st.floats(-90, 900)), min_size=2, max_size=20
    ),
    st.integers(1, 19),
)
def test_messages_that_came_together_count_as_if_they_had_come_alone(
    drawn: list[tuple[float, float]], first: int
) -> None:
    """Gaps in periods, and how long each was on its way, ms."""
    alone, together = watch(), watch()
    stamps = START_NS + np.cumsum([round(gap * PERIOD_NS) for gap, _ in drawn])
    now_ns = [int(stamp + late * 1e6) for stamp, (_, late) in zip(stamps, drawn)]
    now_s = [number / 30 for number in range(len(drawn))]
    for each in zip(stamps.tolist(), now_ns, now_s):
        assert alone.came(*each) == ""
    for part in (slice(0, first), slice(first, None)):
        if len(stamps[part]):
            assert together.came_all(stamps[part], now_ns[part], now_s[part])
    assert together.summary() == alone.summary() and together.counts(9.0) == alone.counts(9.0)
    for one in (alone, together):
        one.refuse("no number", now_s[-1])
    assert together.lost(now_s[-1] + 0.99) == alone.lost(now_s[-1] + 0.99)


@pytest.mark.parametrize(
    "stamps, now_ns",
    [
        ([0, PERIOD_NS, PERIOD_NS], 2 * PERIOD_NS),
        ([0, PERIOD_NS, 5], 2 * PERIOD_NS),
        ([0, PERIOD_NS, 300_000_000], 2 * PERIOD_NS),
        ([0, PERIOD_NS, 2 * PERIOD_NS], 1_200_000_000),
        ([0, PERIOD_NS], -START_NS),
        ([-PERIOD_NS, PERIOD_NS], PERIOD_NS),
    ],
    ids=["twice", "back", "ahead", "old", "no time yet", "before the last"],
)
def test_none_of_many_is_noted_where_one_cannot_be_recorded(stamps: list[int], now_ns: int) -> None:
    one = watch()
    run(one, 1)
    before = one.summary(), one.counts(1.0)
    moments = np.array(stamps, dtype=np.int64) + START_NS + 1
    count = len(stamps)
    assert not one.came_all(moments, [START_NS + now_ns] * count, [1.0] * count)
    assert (one.summary(), one.counts(1.0)) == before


def test_a_sender_that_is_late_has_lost_nothing_where_messages_have_numbers() -> None:
    one = watch()
    one.lost_on_the_way(0)
    run(one, 3)
    run(one, 3, first=9)
    assert one.came_all(START_NS + PERIOD_NS * np.array([20, 30]), [START_NS + 31 * PERIOD_NS] * 2, [1.0, 1.0])
    assert one.drops == 0
    one.lost_on_the_way(2)
    one.lost_on_the_way(None)
    assert one.summary().drops == 2


def test_a_picture_that_a_camera_never_sent_is_missed_whatever_its_messages_are_numbered() -> None:
    one = watch(sensor=True)
    one.lost_on_the_way(0)
    run(one, 3)
    run(one, 3, first=5)
    assert one.drops == 2
