"""Where a take's episode comes from: a twin begins its own at a reset, on a robot the recorder does."""

from __future__ import annotations

import time
from typing import Any, Callable, Protocol

import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.messages import string_message, values_message
from real.ros.reading import INT64, EpisodeNotice, Refusal, read_episode

AGAIN_S = 5.0  # after which a reset that has begun no episode is asked for again


class EpisodeSource(Protocol):
    """Where a take's episode comes from: a twin, or on a robot the recorder itself.

    Attributes:
        notice: of the newest episode; None before the first.
    """

    notice: EpisodeNotice | None

    @property
    def seed(self) -> int:
        """Of the next take's episode."""

    def trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may."""

    def begin(self, instruction: str) -> EpisodeNotice:
        """The episode of the take that begins now."""

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None:
        """A take of so many rows that is kept has ended."""

    def next(self, seed: int) -> None:
        """Prepare the next take."""


class TwinEpisodes:
    """Listens to a twin's episodes, and resets it for the next take.

    A twin that is started anew begins its seeds anew: it is reset to the one that was last asked for.

    Args:
        node: whose subscriptions and clients they are.
        resets: whether the twin is reset after each take.
        before: called when an episode has begun, before it is the newest: what came until then is of the one before.
    """

    def __init__(self, node: Guarded, resets: bool, before: Callable[[], None] = lambda: None) -> None:
        self._node, self._resets, self._before = node, resets, before
        self.notice: EpisodeNotice | None = None
        self._next: int | None = None  # seed of the newest request
        self._is_due, self._asked_s = False, float("-inf")
        node.create_subscription(String, "episode", self._came, qos.LATCHED)
        self._set: Any = node.create_client(SetParameters, "twin/set_parameters")
        self._reset: Any = node.create_client(Trigger, "twin/reset")

    @property
    def seed(self) -> int:
        """Of the episode."""
        return self.notice.seed if self.notice is not None else 0

    def trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may. A reset that is overdue is asked for again."""
        if self.notice is None:
            return "the twin has begun no episode"
        if not self._is_due:
            return ""
        if now_s - self._asked_s > AGAIN_S:
            self._ask(now_s)
        return "the twin is being reset" if self._answers else "the twin takes no reset: is it there?"

    def begin(self, instruction: str) -> EpisodeNotice:
        """The episode of the take that begins now."""
        assert self.notice is not None
        return self.notice

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None:
        """The twin says itself how an episode ends."""

    def next(self, seed: int) -> None:
        """Prepare the next take: the twin begins the episode of a seed."""
        if self._resets:
            self._next, self._is_due = min(seed, INT64[1]), True
            self._ask(time.monotonic())

    @property
    def _answers(self) -> bool:
        return bool(self._reset.service_is_ready() and self._set.service_is_ready())

    def _ask(self, now_s: float) -> None:
        if not self._answers:
            return
        self._asked_s = now_s
        request = SetParameters.Request(parameters=[Parameter("seed", value=self._next).to_parameter_msg()])
        self._set.call_async(request).add_done_callback(lambda future: self._reset.call_async(Trigger.Request()))

    def _came(self, message: String) -> Refusal | None:
        notice = read_episode(message.data)
        if isinstance(notice, Refusal):
            return notice
        if notice == self.notice:
            return None
        self._before()
        before, self.notice = self.notice, notice
        if before is None or notice.epoch > before.epoch:
            self._is_due = False
        elif self._next is not None:
            self.next(self._next)
        return None


class RobotEpisodes:
    """Publishes the episodes of a robot, and their outcomes, as a twin does: the policy begins anew with each.

    Args:
        node: that publishes.
        seed: of the first one, which counts up.
    """

    def __init__(self, node: Guarded, seed: int) -> None:
        self.notice: EpisodeNotice | None = None
        self.seed = seed
        self._epoch = 0
        self._episode = node.create_publisher(String, "episode", qos.LATCHED)
        self._outcome = node.create_publisher(JointState, "outcome", qos.STATUS)

    def trouble(self, now_s: float) -> str:
        """None: it begins whenever the recorder says so."""
        return ""

    def begin(self, instruction: str) -> EpisodeNotice:
        """Publish that an episode begins."""
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
        """Count on."""
        self.seed = min(seed, INT64[1])
