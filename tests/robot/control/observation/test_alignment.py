"""Rows of an observation from streams: what fits is taken, and nothing else can spoil what follows."""

from __future__ import annotations

import numpy as np
import pytest

from robot.control.observation.alignment import AHEAD_NS, Alignment, StreamSource
from robot.control.observation.encoded import EncodedImage
from robot.control.observation.quality import Quality
from robot.description.observation import ObservationField, ObservationSpec

SPEC = ObservationSpec(
    (
        ObservationField("tcp.position", (3,), "float32", "m", "state"),
        ObservationField("front.image", (4, 6, 3), "uint8", "1", "image"),
    )
)
MS = 1_000_000


def alignment() -> Alignment:
    return Alignment(
        SPEC, {"pose": StreamSource(("tcp.position",)), "front": StreamSource(("front.image",), interpolate=False)}
    )


def picture(value: int = 7) -> np.ndarray:
    return np.full((4, 6, 3), value, dtype=np.uint8)


def test_a_row_between_two_messages_is_interpolated() -> None:
    found = alignment()
    assert found.add("pose", {"tcp.position": np.zeros(3)}, 100 * MS) == ""
    assert found.add("pose", {"tcp.position": np.ones(3), "more": np.ones(2)}, 110 * MS) == ""
    assert found.add("front", {"front.image": picture()}, 105 * MS) == ""
    row = found.row(105 * MS)
    assert row is not None and row["tcp.position"] == pytest.approx(0.5) and (row["front.image"] == 7).all()


def test_keys_that_nobody_needs_may_change_their_size() -> None:
    found = alignment()
    found.add("pose", {"tcp.position": np.zeros(3), "more": np.ones(2)}, 100 * MS)
    found.add("pose", {"tcp.position": np.ones(3), "more": np.ones(5)}, 110 * MS)
    found.add("front", {"front.image": picture()}, 105 * MS)
    assert found.row(105 * MS) is not None


@pytest.mark.parametrize(
    "stream, value, part",
    [
        ("pose", np.ones(4), "tcp.position: expected 3 numbers, got float64 (4,)"),
        ("pose", np.empty(0), "expected 3 numbers"),
        ("pose", np.array([1, np.nan, 2]), "finite numbers of float32, got nan"),
        ("pose", np.array([1, -np.inf, 2]), "got -inf"),
        ("pose", np.array([1, 1e300, 2]), "float32, got 1e+300"),
        ("pose", np.array(["a", "b", "c"]), "expected 3 numbers"),
        ("front", np.ones((4, 6, 3)), "expected uint8 (4, 6, 3), got float64"),
        ("front", np.ones((6, 4, 3), np.uint8), "got uint8 (6, 4, 3)"),
        ("front", np.ones((4, 6), np.uint16), "got uint16 (4, 6)"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_leaves_no_trace(stream: str, value: np.ndarray, part: str) -> None:
    found = alignment()
    found.add("pose", {"tcp.position": np.zeros(3)}, 100 * MS)
    found.add("front", {"front.image": picture()}, 100 * MS)
    key = "tcp.position" if stream == "pose" else "front.image"
    assert part in found.add(stream, {key: value}, 110 * MS)
    assert found.newest_ns == 100 * MS
    found.add("pose", {"tcp.position": np.ones(3)}, 109 * MS)
    found.add("front", {"front.image": picture(9)}, 109 * MS)
    row = found.row(109 * MS)
    assert row is not None and (row["tcp.position"] == 1).all() and (row["front.image"] == 9).all()


def test_a_stamp_of_another_clock_does_not_blind_a_stream() -> None:
    found, now_ns = alignment(), 100 * MS
    assert "ahead of the clock" in found.add("pose", {"tcp.position": np.ones(3)}, 2**60, now_ns)
    assert "ahead of the clock" in found.add("pose", {"tcp.position": np.ones(3)}, now_ns + AHEAD_NS + 1, now_ns)
    assert found.add("pose", {"tcp.position": np.zeros(3)}, now_ns, now_ns) == ""
    assert found.add("front", {"front.image": picture()}, now_ns + AHEAD_NS, now_ns) == ""
    assert found.newest_ns == now_ns and found.row(now_ns) is None  # no image near that moment
    # Where there is no clock nothing is known of the future.
    assert alignment().add("pose", {"tcp.position": np.ones(3)}, 2**60) == ""


def test_a_row_says_what_of_it_was_interpolated_and_how_far_its_messages_are() -> None:
    found = Alignment(
        SPEC,
        {
            "pose": StreamSource(("tcp.position",), period_ns=10 * MS),
            "front": StreamSource(("front.image",), interpolate=False, period_ns=30 * MS),
        },
    )
    for stamp_ms in (100, 110, 140):
        found.add("pose", {"tcp.position": np.ones(3)}, stamp_ms * MS)
    for stamp_ms in (100, 180):
        found.add("front", {"front.image": picture()}, stamp_ms * MS)

    def seen(time_ms: int) -> tuple[Quality, dict[str, int]]:
        row = found.observed(time_ms * MS)
        assert row is not None
        return row[1], row[2]

    assert seen(100) == (Quality(0), {"pose": 0, "front": 0})
    assert seen(103) == (Quality.INTERPOLATED, {"pose": 3 * MS, "front": 3 * MS})
    assert seen(120) == (Quality.INTERPOLATED, {"pose": 10 * MS, "front": 20 * MS})
    assert seen(125) == (Quality.INTERPOLATED | Quality.STALE, {"pose": 15 * MS, "front": 25 * MS})
    assert seen(140) == (Quality.STALE, {"pose": 0, "front": 40 * MS})


def test_an_encoded_image_stays_as_it_came() -> None:
    found = alignment()
    data = bytes(range(200))
    assert found.add("front", {"front.image": data}, 100 * MS) == ""
    assert found.add("pose", {"tcp.position": np.zeros(3)}, 100 * MS) == ""
    row = found.row(100 * MS)
    assert row is not None and row["front.image"] is data
    whole = EncodedImage(data, (4, 6, 3), "uint8")
    assert found.add("front", {"front.image": whole}, 101 * MS) == ""
    other = EncodedImage(data, (6, 4, 3), "uint8")
    assert "expected uint8 (4, 6, 3), got uint8 (6, 4, 3)" in found.add("front", {"front.image": other}, 102 * MS)
    assert "the bytes of an image, got none" in found.add("front", {"front.image": b""}, 102 * MS)
    assert "expected 3 numbers, got 200 bytes" in found.add("pose", {"tcp.position": data}, 102 * MS)
    assert found.newest_ns == 100 * MS


def test_keys_that_messages_do_not_have_are_named() -> None:
    found = alignment()
    assert found.lacking == ()
    found.add("pose", {"tcp.rotation": np.ones(6)}, 100 * MS)
    assert found.lacking == ("tcp.position",)
    found.add("pose", {"tcp.position": np.ones(3)}, 101 * MS)
    assert found.lacking == ()


@pytest.mark.parametrize("harm", [None, "nan", "ahead", "twice", "wide"])
def test_messages_that_came_together_are_added_as_one_by_one(harm: str | None) -> None:
    stamps = np.arange(100, 200, 10) * MS
    values = {"tcp.position": np.random.default_rng(0).normal(size=(10, 3)), "more": np.ones((10, 2))}
    if harm == "nan":
        values["tcp.position"][4] = np.nan
    elif harm == "ahead":
        stamps[-1] += 2 * AHEAD_NS
    elif harm == "twice":
        stamps[5] = stamps[4]
    elif harm == "wide":
        values["tcp.position"] = np.ones((10, 4))
    alone, together = alignment(), alignment()
    for each in (alone, together):
        each.add("front", {"front.image": picture()}, 150 * MS)
    reasons = [
        alone.add("pose", {name: value[at] for name, value in values.items()}, int(stamp), 200 * MS)
        for at, stamp in enumerate(stamps)
    ]
    assert together.add_many("pose", values, stamps, 200 * MS) == [reason for reason in reasons if reason]
    assert bool(any(reasons)) == (harm in ("nan", "ahead", "wide"))
    assert together.newest_ns == alone.newest_ns
    for moment in (100, 143, 150, 155, 190):
        left, right = alone.row(moment * MS), together.row(moment * MS)
        assert (left is None) == (right is None) == (harm == "wide")
        if left is not None and right is not None:
            np.testing.assert_array_equal(left["tcp.position"], right["tcp.position"])
    assert together.add_many("nobody", values, stamps) == [] == together.add_many("pose", values, stamps[:0])
