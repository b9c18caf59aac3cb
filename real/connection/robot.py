"""A robot or its twin over the ROS 2 graph, from a program; all its commands pass through the gate."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping

import numpy as np

from real.connection.access import ACCEPT_S, HEARD_S, GateAccess
from real.connection.link import ANSWER_S, STARTING_S, Link, deployment_of
from real.connection.travel import Travel
from real.ros.clock import RosClock
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.moves import TOLERANCE, TURN_TOLERANCE, changed_target, named_fields
from robot.control.rest import rest_target
from robot.description.chunk import ActionChunk
from robot.description.protocols import Observation
from robot.description.robot import RobotSpec
from robot.errors import InputError, TillerError
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import ChunkSample, Now
from robot.safety.gate.stages.checks import refuse_form, refuse_time

RECORD_S = 60.0  # in which a flight record is written, on a slow disk too


class RosRobot:
    """Implements `robot.description.Robot` over a gate.

    A graph that is there is joined. The graph of a twin that is not there is started as processes of this program, and
    ends at `close`. Every command passes through the gate: its limits hold, a person wins, and what it refuses is
    raised here with its reason. One program moves a robot at a time.

    Args:
        contract: name of a file in `configs/contract`, or a path.
        namespace: of the robot's topics, such as `/left`.
        cameras: streams of images to subscribe to, such as `front`; a twin draws none without a subscriber.
        start: whether to start a twin's graph that is not there; False only joins.
        folder: of logs and flight records of a graph that is started; None takes a temporary one, which stays when
            there are flight records in it.
        options: more of a graph that is started: `task`, `checkpoint`, `instruction`, `seed`, `shadow`, `clock`,
            `speed`, `parameters` and so on, as in `real.graph.graph.Deployment`.

    Raises:
        InputError: the contract is wrong, there is no such camera or option, or options were given for a graph that
            is there already.
    """

    def __init__(
        self,
        contract: str,
        *,
        namespace: str = "",
        cameras: tuple[str, ...] = (),
        start: bool = True,
        folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.contract = load_contract(contract)
        self.description = describe(self.contract)
        self.action_spec = action_spec(self.contract)
        self._settings = gate_settings(self.contract, self.description)
        self._limits = {part.field: part for group in self._settings.groups for part in group.parts}
        twin = self.contract.plant == "twin"
        self._link = Link(
            self.contract,
            deployment_of(contract, twin, namespace, options),
            tuple(options),
            cameras,
            start and twin,
            folder,
        )
        self._subscriptions = self._link.subscriptions
        self._access = GateAccess(self._link, self.contract, namespace)
        self._travel = Travel(self._link, self._access, self._limits, self.description, self.action_spec)

    def close(self) -> None:
        """Leave the graph; end it where this program started it."""
        self._link.close()

    def __enter__(self) -> RosRobot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the protocol -------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> RobotSpec:
        return self.description.spec

    @property
    def clock(self) -> RosClock:
        """ROS's time: the system's, or the twin's where the graph follows `/clock`."""
        return self._link.clock

    def observe(self) -> Observation:
        """The newest value of every stream, one row per key, float32: `tcp.position` (3) m, `tcp.rotation` (6),
        `arm.joints` rad, the tool's own field; of a twin's task what it adds; of the cameras asked for `front.image`,
        uint8 RGB (height, width, 3).

        Raises:
            TillerError: nothing comes on a topic; which.
        """
        self._access.require_there()
        return {
            name: value.astype(np.float32) if value.dtype.kind == "f" else value
            for name, value in self._subscriptions.measured().items()
        }

    def execute(self, chunk: ActionChunk) -> None:
        """Send a chunk to the gate, and return at once; each row acts when it is due.

        Raises:
            InputError: the gate would refuse the chunk: its fields, size, numbers, period or time.
            TillerError: the gate follows nobody now, or somebody else; why, and the way out.
        """
        sample = ChunkSample(
            chunk.spec.component_names,
            np.asarray(chunk.values, dtype=np.float64),
            chunk.start_ns,
            chunk.period_s,
            chunk.chunk_id,
            0,
        )
        refusal = refuse_form(self._settings, sample) or refuse_time(
            self._settings, sample, Now(0, self.clock.now_ns(), 0), None
        )
        if refusal is not None:
            raise InputError(refusal[0].text, got=refusal[1])
        self._access.take()
        self._link.send(sample.values, self.action_spec, chunk.start_ns, chunk.chunk_id)

    def stop(self) -> None:
        """Stop the robot and hold it there. While another source sends chunks the gate stays disabled, so
        that the robot does not move on: `enable` lets it.
        """
        self._access.stop()

    def reset(self, seed: int | None = None) -> None:
        """Begin a twin's episode at its start; move a robot home.

        Args:
            seed: of the episode; None takes the twin's last one. A robot has none.
        """
        if self.contract.plant != "twin":
            self.home()
            return
        if seed is not None:
            self._link.seed(seed)
        before = self._subscriptions.episode.get("epoch", -1)
        self._link.call("twin/reset")
        if not self._subscriptions.until(lambda: self._subscriptions.episode.get("epoch", -1) > before, ANSWER_S):
            raise TillerError("the twin was asked for a reset and began no episode. See twin.log")
        begun_s = time.monotonic() + HEARD_S / 2
        if self._subscriptions.mode == "fault":
            self.recover()
        # The gate learns of the reset when this program does: its command then restarts at the robot's pose.
        self._subscriptions.until(
            lambda: self._subscriptions.sent_s > begun_s and self._travel.rests_at_target(), ACCEPT_S
        )
        self.wait_until_ready(ANSWER_S)

    # -- state --------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The gate's mode and reason, `run policy` or `hold no_chunk`; empty before its first message."""
        return self._subscriptions.line

    @property
    def target(self) -> np.ndarray:
        """The gate's last command (dim,).

        Raises:
            TillerError: the gate publishes nothing.
        """
        return self._access.target

    @property
    def started(self) -> bool:
        """Whether this program has started the graph; else it was there."""
        return self._link.graph is not None

    @property
    def folder(self) -> Path:
        """Logs and flight records of the graph that this program has started."""
        return self._link.folder

    @property
    def episode(self) -> Mapping[str, Any]:
        """Episode of a twin: epoch, seed, task, instruction, max_steps; empty on a robot."""
        return dict(self._subscriptions.episode)

    @property
    def outcome(self) -> Mapping[str, float]:
        """Newest outcome of a twin's task: success, score, terminated, truncated, steps; empty while there is none."""
        return dict(self._subscriptions.outcome)

    def wait_until_ready(self, timeout: float = STARTING_S) -> RosRobot:
        """Wait until the graph is there and nothing but a chunk, `enable` or a person's hand is missing.

        Args:
            timeout: s.

        Raises:
            TillerError: it was not in time, or cannot be: a silent topic, a fault, a process that ended.
        """
        self._access.wait_until_ready(timeout)
        return self

    def flight_record(self) -> Path:
        """Have the gate write its record of the last minute, for `tiller data replay --incident FILE`.

        Returns:
            The file, on the gate's machine, where it is whole and on the disk.

        Raises:
            TillerError: there is none, and why.
        """
        answer = self._link.call("gate/dump", within_s=RECORD_S)
        if not answer.success:
            raise TillerError(f"no flight record: {answer.message}")
        return Path(answer.message)

    # -- moving -------------------------------------------------------------------------------------------------------

    def home(self, duration: float | None = None) -> None:
        """Move to the rest posture: in cartesian control to the pose of the tcp there, along a straight line.

        Args:
            duration: s; None takes a calm pace.

        Raises:
            InputError, TillerError: as `move_to`.
        """
        self._access.require_there()
        self._travel.to(rest_target(self.description, self.action_spec), duration)

    def move_to(
        self,
        position: np.ndarray | None = None,
        rotation: np.ndarray | None = None,
        width: float | None = None,
        *,
        duration: float | None = None,
        fields: Mapping[str, np.ndarray] | None = None,
        tolerance: float = TOLERANCE,
        turn_tolerance: float = TURN_TOLERANCE,
    ) -> None:
        """Move to a target, and return when the robot is there and at rest; see `robot.description.ConnectedRobot`.

        Raises:
            InputError: outside of limits or out of reach, or quicker than the limits allow.
            TillerError: the gate does not follow, or the robot did not get there; why.
        """
        values = named_fields(position, rotation, width, fields)
        goal = changed_target(self.action_spec, self.description, self.target, values, self._limits)
        self._travel.to(goal, duration, tolerance, turn_tolerance)

    def enable(self) -> None:
        """Let the gate follow chunks. This also hands it over to this program from another one, and
        ends a hold that waits for a person.

        Raises:
            TillerError: the gate is in a fault, or not active.
        """
        self._access.enable()

    def disable(self) -> None:
        """Have the gate stop the robot, and follow nobody until `enable`."""
        self._link.enable(False)

    def recover(self) -> None:
        """Leave a fault of the gate: reset it, and enable it. The robot stays where it is.

        What the driver needs after a stop, a reflex or a protective stop comes first, by hand: docs/ros.md, 'After a
        fault', has the sequence of each.

        Raises:
            TillerError: what caused the fault is still there; what.
        """
        self._access.recover()
