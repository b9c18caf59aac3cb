"""A program's view of a graph: states, the gate, the twin. Newest values only, safe to read from any thread."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from threading import Condition
from typing import Any, Callable

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from real.ros import qos
from real.ros.chunks import Tag
from real.ros.guarded import Guarded
from real.ros.messages import values_of
from real.ros.reading import Refusal, integer, read_episode, read_outcome
from real.ros.signals import RUNNING, driver_sample, status_of
from real.ros.streams import StateMessage, read_stream
from real.ros.streams import subscribe as subscribe_stream
from real.ros.wire.packed import read_header
from robot.contract.contract import Contract
from robot.contract.loading import action_spec, describe
from robot.control.observation.streams import gathered, stream_readers
from robot.errors import InputError, nearest
from robot.safety.gate.reasons import Reason

POLL_S = 0.05
_REASONS = {reason.value: reason for reason in Reason}


@dataclass(frozen=True, eq=False)
class Sent:
    """The gate's last command.

    Args:
        target: (dim,) the command.
        reason: of the gate.
        chunk_id: of the chunk that is followed; None when there is none.
    """

    target: np.ndarray
    reason: str
    chunk_id: int | None


class GraphSubscriptions:
    """Subscriptions of a program, with the newest message of each.

    Args:
        node: whose they are; made before it spins.
        contract: of the robot.
        cameras: streams of images to subscribe to: a twin draws only those with a subscriber.

    Attributes:
        line: state of the gate, `mode reason`; empty before its first message.
        sent: the gate's last command, and when it came (monotonic s).
        status: of the gate: its numbers; empty before its first message.
        driver: state that the driver reports; empty before its first message.
        episode, outcome: of a twin, as `real/nodes/twin_node.py` publishes them.
        sender: session of the newest chunk of anybody, and when it came (monotonic s).
    """

    def __init__(self, node: Guarded, contract: Contract, cameras: tuple[str, ...] = ()) -> None:
        for camera in cameras:
            if camera not in contract.cameras:
                raise InputError(
                    f"camera '{camera}'",
                    expected=f"a camera of contract '{contract.name}'",
                    way_out=nearest(camera, contract.cameras),
                )
        self._contract, self._description, self.changed = contract, describe(contract), Condition()
        self.line, self.driver = "", ""
        self.sent: Sent | None = None
        self.sent_s = float("-inf")
        self.status: dict[str, str] = {}
        self.episode: dict[str, Any] = {}
        self.outcome: dict[str, float] = {}
        self.sender, self.sender_s = "", float("-inf")
        self._values: dict[str, dict[str, np.ndarray]] = {}
        self._received_s: dict[str, float] = {}
        self._topics: dict[str, str] = {}
        self._readers = stream_readers(contract)
        self._dim = action_spec(contract).dim

        def subscribe(kind: type, topic: str, callback: Callable[[Any], Any], profile: Any) -> None:
            node.create_subscription(kind, topic, callback, profile)

        for name, stream in contract.state.items():
            if name not in (cameras if stream.is_camera else contract.policy_streams):
                continue
            self._topics[name] = node.resolve_topic_name(stream.topic)
            came = self._driver_came if stream.type == "driver_state" else self._state_came
            subscribe_stream(node, stream, partial(came, name))
        subscribe(String, "gate/state", self._line_came, qos.LATCHED)
        subscribe(JointTrajectory, "gate/sent", self._sent_came, qos.STATE)
        subscribe(DiagnosticArray, "status", self._status_came, qos.STATUS)
        # Raw: only who sends them is of interest.
        node.create_subscription(JointTrajectory, "policy/chunk", self._chunk_came, qos.COMMAND, raw=True)
        if contract.plant == "twin":
            subscribe(String, "episode", self._episode_came, qos.LATCHED)
            subscribe(JointState, "outcome", self._outcome_came, qos.STATUS)

    @property
    def mode(self) -> str:
        return self.line.partition(" ")[0]

    @property
    def reason(self) -> Reason | None:
        """The gate's main reason; None before its first message."""
        name = self.line.partition(" ")[2]
        return _REASONS.get(name)

    def until(self, condition: Callable[[], Any], within_s: float) -> bool:
        """Wait until a message fulfils a condition; False at the deadline. States come too often to wake for each."""
        deadline = time.monotonic() + within_s
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, POLL_S))
        return True

    def silent(self) -> list[tuple[str, float | None]]:
        """Topics silent for longer than their fault age, with the seconds; None where no message ever came."""
        now_s = time.monotonic()
        silent: list[tuple[str, float | None]] = []
        for name, topic in self._topics.items():
            received_s = self._received_s.get(name)
            fault_s = self._contract.state[name].ages(self._contract.staleness).fault_s
            if received_s is None:
                silent.append((topic, None))
            elif now_s - received_s > fault_s:
                silent.append((topic, now_s - received_s))
        return silent

    def measured(self) -> dict[str, np.ndarray]:
        """Newest values of all streams under the names of observations, float64; images as they are."""
        task_values: dict[str, np.ndarray] = {}
        states: dict[str, np.ndarray] = {}
        with self.changed:
            for name, values in self._values.items():
                (task_values if self._contract.state[name].type == "values" else states).update(values)
        joints = set(self._description.spec.joint_names)
        states = {name: value for name, value in gathered(self._description, states).items() if name not in joints}
        return {**task_values, **states}

    @property
    def running(self) -> bool:
        """Whether the driver reports that it runs, or has reported nothing."""
        return self.driver in ("", RUNNING)

    def _state_came(self, name: str, message: StateMessage) -> None:
        values, _ = read_stream(self._contract, self._description, self._readers, name, message)
        with self.changed:
            self._values[name] = values
            self._received_s[name] = time.monotonic()

    def _driver_came(self, name: str, message: DiagnosticArray) -> None:
        with self.changed:
            self.driver = driver_sample(message, 0).state
            self._received_s[name] = time.monotonic()

    def _line_came(self, message: String) -> None:
        with self.changed:
            self.line = message.data
            self.changed.notify_all()

    def _sent_came(self, message: JointTrajectory) -> Refusal | None:
        target = np.array(message.points[-1].positions) if message.points else np.empty(0)
        if target.shape != (self._dim,) or not np.isfinite(target).all():
            return Refusal(f"a command of {target.size} numbers, {self._dim} finite ones are expected")
        reason, chunk = (*message.header.frame_id.split("|"), "", "")[:2]
        with self.changed:
            self.sent, self.sent_s = Sent(target, reason, integer(chunk)), time.monotonic()
        return None

    def _status_came(self, message: DiagnosticArray) -> None:
        for name, (_, _, numbers) in status_of(message).items():
            if name == "gate":
                with self.changed:
                    self.status = numbers
                    self.changed.notify_all()

    def _chunk_came(self, packed: bytes) -> Refusal | None:
        header = read_header(packed)
        tag = header if isinstance(header, Refusal) else Tag.parse(header[1])
        if isinstance(tag, Refusal):
            return tag
        with self.changed:
            self.sender, self.sender_s = tag.session, time.monotonic()
        return None

    def _episode_came(self, message: String) -> Refusal | None:
        episode = read_episode(message.data)
        if isinstance(episode, Refusal):
            return episode
        with self.changed:
            self.episode, self.outcome = asdict(episode), {}
            self.changed.notify_all()
        return None

    def _outcome_came(self, message: JointState) -> Refusal | None:
        outcome = read_outcome(values_of(message))
        if isinstance(outcome, Refusal):
            return outcome
        with self.changed:
            self.outcome = outcome
            self.changed.notify_all()
        return None
