"""A reader that adapts gets what any publisher sends."""

from __future__ import annotations

import time
from typing import Any, Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from real.ros import qos
from tests.real.conftest import MATCH_S

pytestmark = pytest.mark.together
BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


class Pair:
    """A node that publishes and one that reads, in one process."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.sender, self.reader = (rclpy.create_node(name, context=self.context) for name in ("sender", "reader"))
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        for node in (self.sender, self.reader):
            self.executor.add_node(node)

    def until(self, condition: Any) -> bool:
        deadline = time.monotonic() + MATCH_S
        while not condition() and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)
        return bool(condition())

    def adapted(self, profile: QoSProfile, topic: str, publishers: int) -> QoSProfile:
        """The reader's profile, once it knows of so many publishers."""
        assert self.until(lambda: self.reader.count_publishers(topic) == publishers)
        return qos.adapted(profile, self.reader.get_publishers_info_by_topic(topic))

    def close(self) -> None:
        for node in (self.sender, self.reader):
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def pair(ros_environment: dict[str, str]) -> Iterator[Pair]:
    found = Pair()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ([qos.STATE], BEST_EFFORT),
        ([qos.STATE_OUT], RELIABLE),
        ([qos.STATE_OUT, qos.STATE], BEST_EFFORT),
        ([qos.STATE_OUT, qos.STATUS], RELIABLE),
    ],
    ids=["best effort", "reliable", "both", "two reliable"],
)
def test_a_recorder_hears_every_publisher_and_is_reliable_where_all_are(
    pair: Pair, offered: list[QoSProfile], expected: ReliabilityPolicy
) -> None:
    publishers = [pair.sender.create_publisher(String, "told", each) for each in offered]
    profile = pair.adapted(qos.RECORD_STATE, "/told", len(offered))
    assert profile.reliability == expected and profile.depth == qos.RECORD_STATE.depth
    heard: set[str] = set()
    pair.reader.create_subscription(String, "told", lambda message: heard.add(message.data), profile)

    def all_heard() -> bool:
        for number, publisher in enumerate(publishers):
            publisher.publish(String(data=str(number)))
        return len(heard) == len(publishers)

    assert pair.until(all_heard), f"heard only {heard}"


def test_a_reader_that_does_not_adapt_gets_nothing_from_a_best_effort_publisher(pair: Pair) -> None:
    publisher = pair.sender.create_publisher(String, "told", qos.STATE)
    heard: list[str] = []
    pair.reader.create_subscription(String, "told", lambda message: heard.append(message.data), qos.RECORD_STATE)
    adapted: list[str] = []
    profile = pair.adapted(qos.RECORD_STATE, "/told", 1)
    pair.reader.create_subscription(String, "told", lambda message: adapted.append(message.data), profile)
    assert pair.until(lambda: publisher.publish(String(data="x")) or len(adapted) > 5)
    assert not heard


def test_what_was_published_before_comes_only_where_every_publisher_keeps_it(pair: Pair) -> None:
    pair.sender.create_publisher(String, "told", qos.LATCHED).publish(String(data="before"))
    profile = pair.adapted(qos.LATCHED, "/told", 1)
    assert profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    heard: list[str] = []
    pair.reader.create_subscription(String, "told", lambda message: heard.append(message.data), profile)
    assert pair.until(lambda: heard == ["before"])
    pair.sender.create_publisher(String, "told", qos.STATE_OUT)
    assert pair.adapted(qos.LATCHED, "/told", 2).durability == DurabilityPolicy.VOLATILE


def test_a_profile_asks_for_no_more_than_was_wanted_and_matches_anybody_while_nobody_publishes(pair: Pair) -> None:
    assert qos.adapted(qos.RECORD_STATE, []).reliability == BEST_EFFORT
    pair.sender.create_publisher(String, "told", qos.LATCHED)
    profile = pair.adapted(qos.STATE, "/told", 1)
    assert (profile.reliability, profile.durability) == (BEST_EFFORT, DurabilityPolicy.VOLATILE)
