"""Messages to the gate between two ticks: they become samples, the newest of each stream counts.

States come as bytes and are read when a tick takes them: of a driver that publishes at 1 kHz to a gate at 200 Hz, four
of five are never looked at.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import Callable

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory

from real.gate.devices import EnablingDevices
from real.ros import qos
from real.ros.chunks import read_chunk
from real.ros.guarded import Flow, Guarded
from real.ros.messages import epoch_of
from real.ros.reading import Refusal, read_episode
from real.ros.signals import RUNNING, alive_signal, driver_sample, enable_signal
from real.ros.streams import state_type
from real.ros.wire.packed import STATE_LIMITS, PackedJoints, PackedPose, read_header
from robot.contract.contract import Contract
from robot.contract.loading import action_spec
from robot.control.observation.streams import StreamReader
from robot.safety.gate.inputs import NAMELESS, ChunkSample, DriverSample, GateInputs, Signal, StateSample

READ = ("joint_state", "pose")
ANOTHER_EPOCH = -1
MOST_CHUNKS = 64  # between two ticks
# Chunks are unpacked in the gate's own time: a flood of them must leave it most of that.
BYTES_A_SECOND, BURST = 1 << 20, 1 << 18


class GateSubscriptions:
    """The gate's subscriptions.

    Args:
        node: whose they are.
        contract: of the robot.
        measured: called with the name of a state stream at each of its messages.
        observed: called with the stamp of each observation of a twin's task.
        planned: called when a chunk or a person's target has come.
        restarted: called when a twin has begun an episode.
    """

    def __init__(
        self,
        node: Guarded,
        contract: Contract,
        measured: Callable[[str], None],
        observed: Callable[[int], None],
        planned: Callable[[], None],
        restarted: Callable[[], None],
    ) -> None:
        self._contract, self._measured, self._observed = contract, measured, observed
        self._planned, self._restarted = planned, restarted
        self._early: tuple[int, int] | None = None
        self.twin_epoch: int | None = None
        self._states: dict[str, tuple[bytes, int]] = {}
        # While time is paused nothing takes them.
        self._chunks: deque[ChunkSample] = deque(maxlen=MOST_CHUNKS)
        self._person: deque[ChunkSample] = deque(maxlen=MOST_CHUNKS)
        self._chunk_flow, self._target_flow = Flow(BYTES_A_SECOND, BURST), Flow(BYTES_A_SECOND, BURST)
        self._events: list[str] = []
        self._alive: Signal | None = None
        self._driver: DriverSample | None = None
        # What was taken back before a tick has seen it: the tick sees it first.
        self._hands = EnablingDevices()
        self._stopped: DriverSample | None = None
        self._obstacle = ""
        self._crowds: dict[str, str] | None = None
        self._has_driver = any(stream.type == "driver_state" for stream in contract.policy_streams.values())
        self._readers = {
            name: StreamReader(contract, name)
            for name, stream in contract.policy_streams.items()
            if stream.type in READ
        }
        self._packed = {
            name: PackedPose() if contract.state[name].type == "pose" else PackedJoints() for name in self._readers
        }
        self._pressing = contract.limits.tool.force is not None
        self._dim = action_spec(contract).dim
        self._latency_ns = {name: round(contract.state[name].latency_s * 1e9) for name in self._readers}
        for name, stream in contract.policy_streams.items():
            if stream.type in READ:
                node.create_subscription(
                    state_type(stream), stream.topic, partial(self._state, name), qos.STATE, raw=True
                )
            elif stream.type == "driver_state":
                node.create_subscription(DiagnosticArray, stream.topic, self._driver_state, qos.STATE)
            elif stream.type == "values":
                node.create_subscription(JointState, stream.topic, self._passed, qos.STATE, raw=True)
        # Raw: the size of a chunk is checked before it is unpacked.
        node.create_subscription(JointTrajectory, "policy/chunk", self._chunk, qos.COMMAND, raw=True)
        node.create_subscription(JointTrajectory, "teleop/target", self._target, qos.COMMAND, raw=True)
        node.create_subscription(Header, "alive", self._alive_came, qos.STATE)
        node.create_subscription(Joy, "enable_held", self._enable_came, qos.STATE)
        node.create_subscription(String, "episode", self._episode, qos.LATCHED)

    def add_event(self, event: str) -> None:
        """Note an event for the next tick."""
        self._events.append(event)

    def set_obstacle(self, state: str, stamp_ns: int) -> None:
        """Report in place of the driver why the robot must not move, until an empty state withdraws it."""
        if state:
            self._driver = DriverSample(state, stamp_ns, time.monotonic_ns())
        elif self._obstacle and not self._has_driver:
            self._driver = DriverSample(RUNNING, stamp_ns, time.monotonic_ns())  # no driver will report it
        self._obstacle = state

    def set_crowds(self, crowds: dict[str, str]) -> None:
        """Note topics with more than one publisher, as `GateInputs.crowds`."""
        self._crowds = crowds

    def take(self, epoch: int) -> GateInputs:
        """The inputs since the last call; `epoch` is the gate's own."""
        chunks, person = (
            tuple(self._with_own_epoch(chunk, epoch) for chunk in came) for came in (self._chunks, self._person)
        )
        states = {name: self._sample(name, *message) for name, message in self._states.items()}
        held, driver = self._hands.take(), self._stopped or self._driver
        inputs = GateInputs(states, chunks, person, self._alive, held, driver, tuple(self._events), self._crowds)
        self._states, self._events = {}, []
        self._chunks.clear()
        self._person.clear()
        if driver is self._driver:
            self._driver = None
        self._alive = self._stopped = self._crowds = None
        return inputs

    def _with_own_epoch(self, chunk: ChunkSample, epoch: int) -> ChunkSample:
        """A chunk with the gate's epoch for the twin's, which it names: the gate counts jumps of its clock too."""
        if chunk.epoch is None:
            return chunk
        return replace(chunk, epoch=epoch if chunk.epoch == self.twin_epoch else ANOTHER_EPOCH)

    def _state(self, name: str, packed: bytes) -> None:
        self._states[name] = packed, time.monotonic_ns()
        self._measured(name)

    def _sample(self, name: str, packed: bytes, received_ns: int) -> StateSample:
        reader, unpacked = self._readers[name], self._packed[name]
        values: dict[str, np.ndarray]
        if len(packed) > STATE_LIMITS.size:
            return StateSample({}, 0, received_ns, fault=f"{len(packed)} bytes, {STATE_LIMITS.size} are read")
        if isinstance(unpacked, PackedPose):
            pose = unpacked.read(packed)
            if isinstance(pose, Refusal):
                return StateSample({}, 0, received_ns, fault=pose.reason)
            position, quat_xyzw, stamp_ns = pose
            values = reader.read_pose(position, quat_xyzw)
        else:
            joints = unpacked.read(packed)
            if isinstance(joints, Refusal):
                return StateSample({}, 0, received_ns, fault=joints.reason)
            names, numbers, efforts, stamp_ns = joints
            values = reader.read(names, numbers) if len(numbers) else {}
            if len(efforts) and self._pressing:
                values |= reader.read_efforts(names, efforts)
        return StateSample(values, stamp_ns - self._latency_ns[name], received_ns)

    def _passed(self, packed: bytes) -> Refusal | None:
        """Take the moment from an observation of the policy, once its epoch is known."""
        header = read_header(packed)
        if isinstance(header, Refusal):
            return header
        stamp_ns, frame = header
        epoch = epoch_of(frame)
        if epoch is None or epoch == self.twin_epoch:
            self._observed(stamp_ns)
        else:
            self._early = (epoch, stamp_ns) if epoch > (self.twin_epoch or 0) else None
        return None

    def _chunk(self, packed: bytes) -> Refusal | None:
        return self._take_chunk(packed, self._chunks, self._chunk_flow)

    def _target(self, packed: bytes) -> Refusal | None:
        return self._take_chunk(packed, self._person, self._target_flow)

    def _take_chunk(self, packed: bytes, taken: deque[ChunkSample], flow: Flow) -> Refusal | None:
        if not flow.passes(len(packed), time.monotonic_ns()):
            return Refusal(f"more than {BYTES_A_SECOND >> 10} KiB of chunks in a second")
        taken.append(self._read(packed))
        self._planned()
        return None

    def _read(self, packed: bytes) -> ChunkSample:
        # The chunk's session identifies its sender: the events executor cannot give the publisher's own identity.
        sample = read_chunk(packed, time.monotonic_ns(), self._contract.period_s, self._dim)
        return sample if sample.publisher else replace(sample, publisher=NAMELESS)

    def _alive_came(self, message: Header) -> None:
        self._alive = alive_signal(message, time.monotonic_ns())

    def _enable_came(self, message: Joy) -> None:
        self._hands.add(enable_signal(message, time.monotonic_ns()))

    def _driver_state(self, message: DiagnosticArray) -> None:
        sample = driver_sample(message, time.monotonic_ns())
        self._driver = replace(sample, state=self._obstacle) if self._obstacle else sample
        if self._driver.state != RUNNING:
            self._stopped = self._driver

    def _episode(self, message: String) -> Refusal | None:
        episode = read_episode(message.data)
        if isinstance(episode, Refusal):
            return episode
        if episode.epoch != self.twin_epoch:
            self._states = {}  # from before the reset: the robot has another position now
        self.twin_epoch = episode.epoch
        self._restarted()
        early, self._early = self._early, None
        if early is not None and early[0] == self.twin_epoch:
            self._observed(early[1])
        elif early is not None and early[0] > self.twin_epoch:
            self._early = early
        return None
