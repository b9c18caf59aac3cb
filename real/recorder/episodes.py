"""Where a take's episode comes from: a twin begins its own at a reset, on a robot the recorder does."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.messages import string_message, values_message
from real.ros.reading import EpisodeNotice, Refusal, read_episode

RESET_S = 10.0


class TwinEpisodes:
    """Listens to a twin's episodes, and resets it for the next take.

    Args:
        node: whose subscriptions and clients they are.
        resets: whether the twin is reset after each take.
    """

    def __init__(self, node: Guarded, resets: bool) -> None:
        self._node, self._resets = node, resets
        self.notice: EpisodeNotice | None = None
        self._pending_s: float | None = None
        self._before = -1
        node.create_subscription(String, "episode", self._came, qos.LATCHED)
        self._set: Any = node.create_client(SetParameters, "twin/set_parameters")
        self._reset: Any = node.create_client(Trigger, "twin/reset")

    @property
    def seed(self) -> int:
        """Of the episode."""
        return self.notice.seed if self.notice is not None else 0

    @property
    def trouble(self) -> str:
        """Why a take must not begin; empty when it may."""
        if self.notice is None:
            return "the twin has begun no episode"
        if self._pending_s is None:
            return ""
        if self.notice.epoch > self._before:
            self._pending_s = None
            return ""
        if time.monotonic() - self._pending_s > RESET_S:
            self._pending_s = None
            self._node.get_logger().error("the twin was asked for a reset and began no episode")
            return ""
        return "the twin is being reset"

    def begin(self, instruction: str) -> EpisodeNotice:
        """The episode of the take that begins now."""
        assert self.notice is not None
        return self.notice

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None:
        """The twin says itself how an episode ends."""

    def next(self, seed: int) -> None:
        """Prepare the next take: the twin begins the episode of a seed."""
        if not self._resets or not self._reset.service_is_ready() or not self._set.service_is_ready():
            return
        self._before = self.notice.epoch if self.notice is not None else -1
        self._pending_s = time.monotonic()
        request = SetParameters.Request(parameters=[Parameter("seed", value=seed).to_parameter_msg()])
        self._set.call_async(request).add_done_callback(lambda future: self._reset.call_async(Trigger.Request()))

    def _came(self, message: String) -> Refusal | None:
        notice = read_episode(message.data)
        if isinstance(notice, Refusal):
            return notice
        self.notice = notice
        return None


class RobotEpisodes:
    """Publishes the episodes of a robot, and their outcomes, as a twin does: the policy begins anew with each.

    Args:
        node: that publishes.
        seed: of the first one, which counts up.
    """

    notice: EpisodeNotice | None
    trouble = ""

    def __init__(self, node: Guarded, seed: int) -> None:
        self.notice, self.seed = None, seed
        self._epoch = 0
        self._episode = node.create_publisher(String, "episode", qos.LATCHED)
        self._outcome = node.create_publisher(JointState, "outcome", qos.STATUS)

    def begin(self, instruction: str) -> EpisodeNotice:
        self._epoch += 1
        self.notice = EpisodeNotice(self._epoch, self.seed, "", instruction)
        self._episode.publish(string_message(self.notice.text()))
        return self.notice

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None:
        """Publish how the episode has ended."""
        values = {
            "success": success,
            "score": success,
            "terminated": terminated,
            "truncated": truncated,
            "steps": rows,
        }
        numbers = {name: np.array([float(value)]) for name, value in values.items()}
        self._outcome.publish(values_message(numbers, stamp_ns))

    def next(self, seed: int) -> None:
        self.seed = seed
