"""What is kept of a stream: enough for every row that may still come, and never more than its bounds."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.observation.alignment import DELAY_NS, StreamSource
from robot.control.observation.observer import Observer
from robot.control.observation.past import LEAST, MESSAGE_BYTES, MOST_BYTES, Past
from robot.description.observation import ObservationField, ObservationSpec

MS = 1_000_000


@given(
    steps=st.lists(st.integers(1, 40), min_size=1, max_size=200),
    span=st.integers(0, 500),
    most=st.integers(0, 100) | st.just(MOST_BYTES // 1000),
)
def test_a_past_is_bounded_by_time_and_by_bytes_and_has_two_messages_at_least(
    steps: list[int], span: int, most: int
) -> None:
    past = Past(span, most * 1000)
    moment = 0
    for step in steps:
        moment += step
        past.append(moment, {"a": np.zeros(10)})
        size = MESSAGE_BYTES + 80
        assert past.bytes == size * len(past.stamps)
        assert past.bytes <= most * 1000 or len(past.stamps) <= LEAST
        if len(past.stamps) > LEAST:
            assert past.stamps[1] >= moment - span
        if size * len(steps) < most * 1000 and moment - span >= steps[0]:
            assert past.stamps[0] <= moment - span, "the beginning of the span can be interpolated"
    assert len(past.stamps) >= min(LEAST, len(steps))


def test_a_camera_takes_no_more_memory_than_its_bound_however_long_it_runs() -> None:
    spec = ObservationSpec(
        (
            ObservationField("front.image", (480, 640, 3), "uint8", "1", "image"),
            ObservationField("pose", (7,), "float64", "1", "state"),
        )
    )
    sources = {"front": StreamSource(("front.image",), interpolate=False), "pose": StreamSource(("pose",))}
    observer = Observer(spec, sources, 50 * MS)
    images: list[weakref.ref[Any]] = []
    most = 0
    for frame in range(200):  # at 30 Hz; nobody takes a row
        image = np.empty((480, 640, 3), np.uint8)
        images.append(weakref.ref(image))
        assert observer.add("front", {"front.image": image}, frame * 33 * MS) == ""
        for k in range(7):
            observer.add("pose", {"pose": np.zeros(7)}, frame * 33 * MS + k * 5 * MS)
        del image
        most = max(most, sum(each() is not None for each in images))
    assert LEAST < most <= MOST_BYTES // (480 * 640 * 3)
    assert [row.stamp_ns for row in observer.due()] == [199 * 33 * MS]


@pytest.mark.parametrize("rate_hz", [500, 1000])
def test_a_fast_stream_is_still_interpolated_when_images_come_late(rate_hz: int) -> None:
    spec = ObservationSpec(
        (
            ObservationField("front.image", (2, 2, 3), "uint8", "1", "image"),
            ObservationField("pose", (1,), "float64", "1", "state"),
        )
    )
    sources = {"front": StreamSource(("front.image",), interpolate=False), "pose": StreamSource(("pose",))}
    observer = Observer(spec, sources, 100 * MS)
    late, step = DELAY_NS * 9 // 10, 1_000_000_000 // rate_hz
    images = [*range(0, 3000 * MS, 100 * MS)]
    events = [(moment, "pose", moment) for moment in range(7, 4000 * MS, step)]
    events += [(moment + late, "front", moment) for moment in images]
    rows = []
    for _, stream, stamp_ns in sorted(events):
        value = np.zeros((2, 2, 3), np.uint8) if stream == "front" else np.array([stamp_ns * 1e-9])
        observer.add(stream, {"front.image" if stream == "front" else "pose": value}, stamp_ns)
        rows += list(observer.due())
    assert [row.stamp_ns for row in rows] == images
    for row in rows:
        assert row.values["pose"][0] == pytest.approx(row.stamp_ns * 1e-9, abs=1e-8)
