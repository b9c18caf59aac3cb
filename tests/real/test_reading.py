"""Text and bytes that come from anywhere: a value or the reason why not, whatever they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from rclpy.serialization import serialize_message
from trajectory_msgs.msg import JointTrajectory

from real.ros.chunks import LONGEST_TAG, Tag, chunk_message, chunk_sample, read_chunk
from real.ros.messages import epoch_of, stamp_of, time_of, values_of, vector_message, vector_of
from real.ros.reading import OUTCOME, EpisodeNotice, Refusal, integer, read_episode, read_outcome, real
from real.ros.wire.cdr import ReadingLimits, unreadable
from real.ros.wire.packed import read_header
from robot.description import ObservationField, ObservationSpec
from tests.real.fuzzing import TEXTS, Fuzzer

pytestmark = pytest.mark.together

NAMES = ("x", "y", "z")
WORDS = st.text(max_size=40)


# -- text -------------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**70), 2**70))
def test_an_integer_is_read_where_it_fits_into_64_bits(number: int) -> None:
    assert integer(str(number)) == (number if -(2**63) <= number < 2**63 else None)


@pytest.mark.parametrize("text", ["--5", "٣", "²", "1_0", " 1", "1 ", "+1", "", "-", "9" * 5000, "1.0", "0x1"])
def test_what_only_looks_like_an_integer_is_none(text: str) -> None:
    assert integer(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_comes_back_to_the_bit(number: float) -> None:
    assert real(str(number)) == number


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "-infinity", "1_0", "", "٣", "9" * 5000])
def test_a_number_that_is_not_finite_is_none(text: str) -> None:
    assert real(text) is None


MEASURED = ObservationSpec(
    (ObservationField("tcp.position", (3,), "float32", "m", "pose"), ObservationField("n", (), "float32", "1", "state"))
)
SENDABLE = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=50)


@given(
    st.builds(
        EpisodeNotice,
        st.integers(0, 2**63 - 1),
        st.integers(0, 2**63 - 1),
        SENDABLE,
        SENDABLE,
        st.none() | st.integers(0, 10**6),
        st.none() | st.just(MEASURED),
    )
)
def test_an_episode_is_read_as_it_was_written(episode: EpisodeNotice) -> None:
    assert read_episode(episode.text()) == episode


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={name: JSON for name in ("epoch", "seed", "task", "instruction", "max_steps", "observation")},
    )
)
def test_an_episode_of_any_json_is_read_or_refused(said: dict) -> None:
    found = read_episode(json.dumps(said))
    if isinstance(found, EpisodeNotice):
        assert type(found.epoch) is int and type(found.seed) is int
        found.instruction.encode(), found.task.encode()
    else:
        assert found.reason.isascii() and len(found.reason) < 300


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_read_or_refused_everywhere(text: str) -> None:
    assert isinstance(read_episode(text), EpisodeNotice | Refusal)
    assert isinstance(Tag.parse(text), Tag | Refusal)
    assert epoch_of(text) is None or text == "epoch 3"
    message = vector_message(np.ones(2), 1)
    message.layout.dim[0].label = text
    _, stamp_ns, _ = vector_of(message)
    assert stamp_ns in (None, 12)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"fields": [{"name": "a", "shape": [2], "dtype": "no such type", "unit": "1", "kind": "state"}]},
        {"fields": [{"name": "a", "shape": [10**12], "dtype": "float32", "unit": "1", "kind": "state"}]},
        {"fields": [{"name": "a", "shape": [-1], "dtype": "float32", "unit": "1", "kind": "state"}]},
        {"fields": [{"name": "a", "shape": [2], "dtype": "float32", "unit": "1", "kind": "state"}] * 2},
        {"fields": "a"},
    ],
)
def test_an_episode_with_an_observation_that_is_none_is_refused(fields: object) -> None:
    found = read_episode(json.dumps({"epoch": 1, "seed": 2, "observation": fields}))
    assert isinstance(found, Refusal) and "observation" in found.reason and len(found.reason) < 300


def test_json_that_is_nested_too_deep_is_refused() -> None:
    found = read_episode("[" * 16000)
    assert isinstance(found, Refusal) and "JSON" in found.reason


def test_an_outcome_lacks_nothing_and_is_finite() -> None:
    whole = {name: np.array([2.0]) for name in OUTCOME}
    assert read_outcome(whole | {"else": np.ones(3)}) == dict.fromkeys(OUTCOME, 2.0)
    for bad in ({}, whole | {"steps": np.ones(2)}, whole | {"score": np.array([np.nan])}):
        assert isinstance(read_outcome(bad), Refusal)


def test_names_with_strange_indices_are_names() -> None:
    from real.ros.messages import joint_state_message

    names = ["a.٣", "b." + "9" * 5000, "c.-1", "d.0", "d.1"]
    assert {name: len(value) for name, value in values_of(joint_state_message(names, np.ones(5), 0)).items()} == {
        "a.٣": 1,
        "b." + "9" * 5000: 1,
        "c.-1": 1,
        "d": 2,
    }


@given(st.integers(-(2**80), 2**80))
def test_a_stamp_beyond_what_one_can_say_is_the_nearest(time_ns: int) -> None:
    assert time_of(stamp_of(time_ns)) == min(max(time_ns, -(2**31) * 10**9), 2**31 * 10**9 - 1)


# -- chunks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag, part",
    [
        ("me/0/--5", "chunk '--5'"),
        ("me/--1/2", "epoch '--1'"),
        ("me/0/" + "9" * 30, "64-bit integer"),
        ("me/0/1/x", "seed 'x'"),
        ("me/0/1/2/nan", "value 'nan'"),
        ("me/0/1/2/1e999", "finite number"),
        ("x" * (LONGEST_TAG + 1), "201 characters"),
        ("\x1b[2J/0/1", "cannot be printed"),
        ("a/٣/1", "epoch"),
    ],
)
def test_a_tag_that_cannot_be_read_is_a_fault_of_its_chunk(tag: str, part: str) -> None:
    message = chunk_message(np.ones((2, 3)), NAMES, 5, 50_000_000, Tag())
    message.header.frame_id = tag
    for sample in (chunk_sample(message, 0, 0.05), read_chunk(serialize_message(message), 0, 0.05, 3)):
        assert part in sample.fault and sample.session == ""


def test_ten_seconds_of_rows_are_a_chunk_and_more_are_none() -> None:
    def packed(rows: int) -> bytes:
        return serialize_message(chunk_message(np.zeros((rows, 3)), NAMES, 5, 50_000_000, Tag("me")))

    longest = read_chunk(packed(200), 7, 0.05, 3)
    assert not longest.fault and longest.values.shape == (200, 3)
    longer = read_chunk(packed(201), 7, 0.05, 3)
    assert longer.fault == "201 rows, more than ten seconds of them" and longer.values.shape == (0, 3)
    assert longer.received_ns == 7


def test_two_hundred_thousand_rows_are_refused_before_they_are_unpacked() -> None:
    import time

    message = JointTrajectory(joint_names=list(NAMES))
    head = serialize_message(message)
    packed = head[:-4] + (200_000).to_bytes(4, "little") + bytes(24 * 200_000)
    began = time.perf_counter()
    assert "200000 rows" in read_chunk(packed, 0, 0.05, 3).fault
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize("period_ns", [0, 1, -50_000_000])
def test_rows_that_are_unevenly_spaced_have_no_period(period_ns: int) -> None:
    message = chunk_message(np.ones((3, 3)), NAMES, 5, 50_000_000, Tag())
    message.points[1].time_from_start.nanosec += 7
    assert np.isnan(chunk_sample(message, 0, 0.05).period_s)


# -- bytes ------------------------------------------------------------------------------------------------------------


def kinds() -> list[type]:
    from diagnostic_msgs.msg import DiagnosticArray
    from geometry_msgs.msg import PoseStamped
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import CompressedImage, Image, JointState, Joy
    from std_msgs.msg import Float64MultiArray, Header, String

    return [
        DiagnosticArray,
        PoseStamped,
        Clock,
        CompressedImage,
        Image,
        JointState,
        Joy,
        Float64MultiArray,
        Header,
        String,
        JointTrajectory,
    ]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_what_is_called_readable_rclpy_reads(kind: type) -> None:
    from rclpy.serialization import deserialize_message

    fuzzer, readable = Fuzzer(3), 0
    for _ in range(1500):
        packed = fuzzer.draw(kind)
        if not unreadable(packed, kind, ReadingLimits(1 << 20, 10_000)):
            deserialize_message(packed, kind)
            readable += 1
    assert readable > 300


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_message_that_was_cut_anywhere_is_unreadable(kind: type) -> None:
    from rclpy.serialization import deserialize_message

    fuzzer, random = Fuzzer(4), np.random.default_rng(4)
    for _ in range(5):
        packed = serialize_message(fuzzer._made(kind, 0))[:3000]
        size = len(packed)
        some = random.integers(size, size=60).tolist()
        ends = sorted({*range(min(size, 60)), *some, *range(max(size - 60, 0), size)})
        refused = [bool(unreadable(packed[:end], kind, ReadingLimits(1 << 20, 100_000))) for end in ends]
        assert refused == sorted(refused, reverse=True)
        if not all(refused):  # the middleware may fill up behind the end: what is needed can be unpacked
            deserialize_message(packed[: ends[sum(refused)]], kind)


def test_a_length_that_lies_is_refused_before_memory_is_taken_for_it() -> None:
    from sensor_msgs.msg import JointState

    packed = bytearray(serialize_message(JointState(name=["a"], position=[1.0])))
    packed[20:24] = (2**31).to_bytes(4, "little")
    assert "a length of 2147483648" in unreadable(bytes(packed), JointState, ReadingLimits(1 << 20, 100))
    many = serialize_message(JointState(name=["a"] * 200))
    assert unreadable(many, JointState, ReadingLimits(1 << 20, 199)) and not unreadable(
        many, JointState, ReadingLimits(1 << 20, 200)
    )
    assert "bytes" in unreadable(many, JointState, ReadingLimits(100, 200))


@given(st.binary(max_size=200))
def test_a_header_of_any_bytes_is_read_or_refused(packed: bytes) -> None:
    found = read_header(packed)
    assert isinstance(found, Refusal) or isinstance(found[1], str)


def test_a_header_is_read_without_the_rest() -> None:
    packed = serialize_message(chunk_message(np.ones((2, 3)), NAMES, 5_000_000_007, 1, Tag("é", 2, 3)))
    assert read_header(packed) == (5_000_000_007, "é/2/3//") == read_header(packed[:40])
