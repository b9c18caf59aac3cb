"""Nodes that no message ends: every subscription, timer and service of theirs is read and called behind a guard.

Anybody may publish anything, bytes of another type too. rclpy unpacks a message before it calls back, and lets what is
raised there or in the callback out of the executor, which ends the process; an events executor also leaves behind what
was waiting in that moment, so that the topic lags by it from then on. So messages are taken as bytes here, checked
against their type and its limits (`real.ros.wire.cdr`), unpacked and handed on.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from typing import Any, Callable

from rclpy.executors import Executor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from real.ros.reading import Refusal
from real.ros.wire.cdr import ReadingLimits
from real.ros.wire.unpacking import SMALL, limits_of, unpacked
from robot.errors import InputError

SAID_S = 1.0  # between two lines about one topic
PAUSE_S = 0.001  # after an executor that failed: not at once again

SMALL_A_SECOND, LEAST = 1 << 18, 1 << 7  # bytes of small messages, and what the smallest counts as


class Stop(Exception):
    """Why a node ends its process: set as its `ending`, or raised.

    Args:
        reason: why, as a line.
        code: exit status of the process.
    """

    def __init__(self, reason: str, code: int = 0):
        super().__init__(reason)
        self.code = code


class Flow:
    """How many bytes of a topic may still be unpacked: what a flood takes is the time of everything else.

    Args:
        a_second: bytes.
        burst: bytes at once.
    """

    def __init__(self, a_second: int, burst: int) -> None:
        self._a_second, self._burst = a_second, burst
        self._left, self._at_ns = float(burst), 0

    def passes(self, size: int, now_ns: int) -> bool:
        """Whether a message of a size may pass; it is counted when it does. One that is larger than a burst is refused
        for its size, which costs nothing.
        """
        self._left = min(self._left + self._a_second * (now_ns - self._at_ns) * 1e-9, self._burst)
        self._at_ns = now_ns
        cost = LEAST if size > self._burst else max(size, LEAST)
        if cost > self._left:
            return False
        self._left -= cost
        return True


class FailureCounts:
    """What a node could not read, and what failed in it.

    Attributes:
        refused: topic -> messages that were dropped.
        errors: exceptions that nobody expected.
        last: the newest of them, in words.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.errors, self.last = 0, ""
        self._logged_s: dict[str, float] = {}

    def numbers(self) -> dict[str, object]:
        """For a status."""
        return {"unread": self.refused.total(), "errors": self.errors} | ({"error": self.last} if self.last else {})

    def due(self, what: str) -> bool:
        """Whether a line about something is due."""
        now_s = time.monotonic()
        if now_s - self._logged_s.get(what, float("-inf")) < SAID_S:
            return False
        self._logged_s[what] = now_s
        return True


class Guarded(Node):
    """A node whose callbacks never raise. Before another base: `class GateNode(Guarded, LifecycleNode)`.

    A callback of a subscription may return a `Refusal`: it is counted and logged with its topic, like messages that
    cannot be unpacked. `Stop` and KeyboardInterrupt pass through.

    Attributes:
        tally: what was refused and what failed.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # One request for a hundred thousand parameters would take seconds; tiller's own are fixed while a node runs.
        options.setdefault("start_parameter_services", False)
        self.tally = FailureCounts()  # first: rclpy makes subscriptions and services of its own
        super().__init__(*args, **options)

    def on_failure(self, what: str, error: Exception) -> None:
        """Called after an unexpected failure was logged; for a node that has to act on it.

        Args:
            what: topic, timer or service.
            error: that was raised.
        """

    def refuse(self, topic: str, reason: object) -> None:
        """Count a message that is dropped, and log why."""
        self.tally.refused[topic] += 1
        if self.tally.due(topic):
            self.get_logger().warning(
                f"a message on '{topic}' was refused: {reason} ({self.tally.refused[topic]} so far)"
            )

    def failed(self, what: str, error: Exception) -> None:
        """Count and log an unexpected exception, and go on."""
        self.tally.errors += 1
        self.tally.last = f"{what}: {type(error).__name__}: {error}"
        try:
            if self.tally.due(what):
                trace = "".join(traceback.format_exception(error))
                self.get_logger().error(f"{what} failed, the node goes on\n{ascii_lines(trace)}")
            self.on_failure(what, error)
        except Stop:
            raise
        except Exception as second:
            print(f"{what} failed twice: {second!r}", flush=True)

    def create_subscription(  # type: ignore[override]
        self,
        msg_type: Any,
        topic: str,
        callback: Callable[[Any], Any],
        qos_profile: Any,
        *,
        raw: bool = False,
        limits: ReadingLimits | None = None,
        **options: Any,
    ) -> Any:
        """As rclpy's; the message is taken as bytes, and unpacked here unless `raw` asks for the bytes. `limits` are
        those of one message, where the limits of its type are not meant.
        """
        called = self.guarded(topic, callback)
        if not raw:
            called = self._read(msg_type, topic, called, limits or limits_of(msg_type))
        return super().create_subscription(msg_type, topic, called, qos_profile, raw=True, **options)

    def create_timer(  # type: ignore[override]
        self,
        timer_period_sec: float,
        callback: Callable[[], Any] | None,
        *args: Any,
        **options: Any,
    ) -> Any:
        """As rclpy's; the callback takes no arguments."""
        return super().create_timer(
            timer_period_sec, self._timed(callback) if callback is not None else None, *args, **options
        )

    def create_service(  # type: ignore[override]
        self,
        srv_type: Any,
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        **options: Any,
    ) -> Any:
        """As rclpy's; where the callback fails the answer is an empty one."""
        return super().create_service(srv_type, srv_name, self._served(srv_name, callback), **options)

    def guarded(self, topic: str, callback: Callable[[Any], Any]) -> Callable[[Any], None]:
        """A callback of messages that never raises, for subscriptions that are not made here. Called with several at
        once, it may answer with a list of refusals.
        """

        def guarded(message: Any) -> None:
            try:
                answer = callback(message)
            except Stop:
                raise
            except InputError as error:
                answer = Refusal(str(error))
            except Exception as error:
                self.failed(topic, error)
                return
            for refusal in answer if isinstance(answer, list) else (answer,):
                if refusal.__class__ is Refusal:
                    self.refuse(topic, refusal)

        return guarded

    def _read(
        self, kind: type, topic: str, heard: Callable[[Any], None], limits: ReadingLimits
    ) -> Callable[[bytes], None]:
        flow = Flow(SMALL_A_SECOND, SMALL.size) if limits is SMALL else None

        def read(packed: bytes) -> None:
            if flow is not None and not flow.passes(len(packed), time.monotonic_ns()):
                self.refuse(topic, f"more than {SMALL_A_SECOND >> 10} KiB in a second")
                return
            message: Any = unpacked(packed, kind, limits)
            if message.__class__ is Refusal:
                self.refuse(topic, message)
                return
            if kind is Clock and (message.clock.sec < 0 or message.clock.nanosec >= 1_000_000_000):
                self.refuse(topic, f"a time of {message.clock.sec} s and {message.clock.nanosec} ns")
                return
            heard(message)

        return read

    def _timed(self, callback: Callable[[], Any]) -> Callable[[], None]:
        name = f"timer {getattr(callback, '__name__', '')}".rstrip()

        def timed() -> None:
            try:
                callback()
            except Stop:
                raise
            except Exception as error:
                self.failed(name, error)

        return timed

    def _served(self, name: str, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def served(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Stop:
                raise
            except Exception as error:
                self.failed(f"service {name}", error)
                fresh = type(response)()
                if hasattr(fresh, "message"):
                    fresh.message = f"it failed: {type(error).__name__}"
                return fresh

        return served


def turn(node: Node, executor: Executor, timeout_s: float) -> None:
    """One step of an executor. What is raised out of it, by rclpy itself for a request of a service that it cannot
    unpack, is logged and ends nothing; `Stop` passes through.
    """
    try:
        executor.spin_once(timeout_sec=timeout_s)
    except Stop:
        raise
    except Exception as error:
        survive(node, "executor", error)


def survive(node: Node, what: str, error: Exception) -> None:
    """Log an unexpected exception, and go on after a pause."""
    if isinstance(node, Guarded):
        node.failed(what, error)
    else:
        traceback.print_exception(error)
    time.sleep(PAUSE_S)


def ascii_lines(text: str) -> str:
    """A text of lines that every log can take."""
    return text.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
