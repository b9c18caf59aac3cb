"""What a recorder takes from topics: together, with the moment, and with what was lost on the way."""

from __future__ import annotations

import time
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from real.recorder.incoming.arrivals import Arrivals
from real.recorder.incoming.subscriptions import MOST_KEPT, RecorderSubscriptions
from real.ros.guarded import Guarded
from real.ros.messages import joint_state_message

pytestmark = pytest.mark.together

DEPTH = 20


class Topic:
    """A driver's topic and a recorder that takes it."""

    def __init__(self) -> None:
        self.node, self.driver = Guarded("recorder"), Node("driver")
        self.topics = RecorderSubscriptions(self.node, lambda: 7)
        self.came: list[Arrivals] = []
        self.sender = self.driver.create_publisher(JointState, "joints", DEPTH)
        self.sent = 0

    def want(self, *, together: bool) -> None:
        self.topics.want(JointState, "joints", self.came.append, QoSProfile(depth=DEPTH), together=together)
        end = time.monotonic() + 20
        while not self.topics.complete or not self.sender.get_subscription_count():
            assert time.monotonic() < end, "no subscription"
            self.topics.look()
            time.sleep(0.02)

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            self.sender.publish(joint_state_message(["a"], np.zeros(1), self.sent))

    def poll(self, count: int) -> None:
        """Take until so many have come."""
        end = time.monotonic() + 20
        while sum(map(len, [*self.came, *self.topics._kept.values()])) < count:
            assert time.monotonic() < end, "nothing came"
            self.topics.poll()
            time.sleep(0.01)

    def close(self) -> None:
        self.topics.close()
        self.node.destroy_node()
        self.driver.destroy_node()


@pytest.fixture
def topic(ros_environment: dict[str, str]) -> Iterator[Topic]:
    rclpy.init()
    made = Topic()
    yield made
    made.close()
    rclpy.try_shutdown()


def test_messages_come_with_their_moment_as_soon_as_they_are_taken(topic: Topic) -> None:
    topic.want(together=False)
    topic.send(3)
    topic.poll(3)
    taken = [each for arrivals in topic.came for each in arrivals]
    assert len(taken) == 3 and all(now_ns == 7 for _, now_ns, _ in taken)
    assert [arrivals.lost for arrivals in topic.came] == [0] * len(topic.came)


def test_what_is_kept_is_handed_over_when_it_is_asked_for_or_too_much(topic: Topic) -> None:
    topic.want(together=True)
    topic.send(4)
    topic.poll(4)
    assert not topic.came
    topic.topics.hand_over()
    assert [len(each) for each in topic.came] == [4]
    topic.topics.hand_over()
    assert len(topic.came) == 1
    for _ in range(MOST_KEPT // 10):
        topic.send(10)
        topic.poll(sum(map(len, topic.came)) + sum(map(len, topic.topics._kept.values())) + 10)
    assert [len(each) for each in topic.came] == [4, MOST_KEPT]


def test_what_a_full_queue_has_lost_is_counted_and_who_begins_anew_has_lost_nothing(topic: Topic) -> None:
    topic.want(together=False)
    topic.send(2)
    topic.poll(2)
    topic.send(DEPTH + 30)
    time.sleep(0.5)
    topic.topics.poll()
    assert len(topic.came[-1]) == DEPTH and topic.came[-1].lost == 30
    topic.driver.destroy_publisher(topic.sender)
    topic.sender = topic.driver.create_publisher(JointState, "joints", DEPTH)
    while not topic.sender.get_subscription_count():
        time.sleep(0.02)
    time.sleep(0.2)
    before, there = len(topic.came), sum(map(len, topic.came))
    topic.send(5)
    topic.poll(there + 5)
    assert [each.lost for each in topic.came[before:]] == [0] * (len(topic.came) - before)
