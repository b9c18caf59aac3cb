"""A robot or its twin over the ROS 2 graph, from a program: what the program wants goes through the gate."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Mapping

import numpy as np

from real.connection.goals import goal_of, off
from real.connection.link import ANSWER_S, STARTING_S, Link, deployment_of
from real.connection.obstacles import PEOPLES, WAITING, differs, missing, obstacle
from real.ros.clock import RosClock
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.rest import rest_target
from robot.description.chunk import ActionChunk
from robot.description.protocols import Observation
from robot.description.robot import RobotSpec
from robot.errors import InputError, TillerError
from robot.safety.gate.checks import refuse_form, refuse_time
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import ChunkSample, Now
from robot.safety.gate.moves import Move
from robot.safety.gate.reasons import Reason

TOLERANCE, TURN_TOLERANCE = 0.005, 0.05  # m and rad, how near is there
AHEAD_S = 1.0  # of a move that is sent: when the program dies, the robot goes on for no longer
RESEND_S = 0.2
SETTLE_S = 2.0  # after a move, to come to rest where it was told
STILL_S, STILL = 0.3, 5e-4  # without a change of so much, m or rad, an arm or a tool has come to rest
PATIENCE_S = 5.0  # with holds that end by themselves, such as a state that is late
OTHER_S = 1.0  # without a chunk for so long another source has ended
HEARD_S = 0.5  # in which the gate's line follows its answer
RECORD_S = 60.0  # in which a flight record is written, on a slow disk too
SETTLING_S = 1.0  # in which a twin's gate enables itself once nothing is missing
ACCEPT_S = 1.0  # in which the gate says what it makes of something


class RosRobot:
    """Implements `robot.description.Robot` over a gate.

    A graph that is there is joined. The graph of a twin that is not there is started as processes of this program, and
    ends at `close`. Everything goes through the gate: its limits hold, a person wins, and what it refuses is raised
    here with its reason. One program moves a robot at a time.

    Args:
        contract: name of a file in `configs/contract`, or a path.
        namespace: of the robot's topics, such as `/left`.
        cameras: streams of images to hear, such as `front`; a twin draws none that nobody hears.
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
        self._namespace, self._chunks, self._moving = namespace, 0, Lock()
        self._was_ready = False
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
        """The newest of every stream, one row a key, float32: `tcp.position` (3) m, `tcp.rotation` (6), `arm.joints`
        rad, the tool's own field; of a twin's task what it adds; of the cameras asked for `front.image`, uint8 RGB
        (height, width, 3).

        Raises:
            TillerError: nothing comes on a topic; which.
        """
        self._require_there()
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
        self._take()
        self._link.send(sample.values, self.action_spec, chunk.start_ns, chunk.chunk_id)

    def stop(self) -> None:
        """Bring the robot to a stand, where it is held. While another source sends chunks the gate stays disabled, so
        that it does not go on: `enable` lets it.
        """
        others = self._others()
        if self._subscriptions.mode == "run" or others:
            self._link.enable(False)
            if not others:
                self._link.enable(True)

    def reset(self, seed: int | None = None) -> None:
        """Begin anew: a twin's episode, at its start; a robot goes home.

        Args:
            seed: of the episode; None takes the twin's last one. A robot has none.
        """
        if self.contract.plant != "twin":
            self.home()
            return
        if seed is not None:
            self._link.seed(seed)
        before = self._subscriptions.episode.get("epoch", -1)
        self._link.ask("twin/reset")
        if not self._subscriptions.until(lambda: self._subscriptions.episode.get("epoch", -1) > before, ANSWER_S):
            raise TillerError("the twin was asked for a reset and began no episode. See twin.log")
        begun_s = time.monotonic() + HEARD_S / 2
        if self._subscriptions.mode == "fault":
            self.recover()
        # The gate hears of it when this program does: its command starts anew where the robot is.
        self._subscriptions.until(lambda: self._subscriptions.sent_s > begun_s and self._stands_at_target(), ACCEPT_S)
        self.wait_until_ready(ANSWER_S)

    # -- what is said -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """What the gate is doing and why, `run policy` or `hold no_chunk`; empty before it was heard."""
        return self._subscriptions.line

    @property
    def target(self) -> np.ndarray:
        """The gate's last command (dim,).

        Raises:
            TillerError: it does not speak.
        """
        self._require_there()
        if self._subscriptions.sent is None or time.monotonic() - self._subscriptions.sent_s > OTHER_S:
            raise TillerError(
                f"nothing comes on '{self._namespace}/gate/sent': the gate is {self.state}. "
                "robot.wait_until_ready() says what it lacks"
            )
        return self._subscriptions.sent.target.copy()

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
        """Of a twin: epoch, seed, task, instruction, max_steps; empty on a robot."""
        return dict(self._subscriptions.episode)

    @property
    def outcome(self) -> Mapping[str, float]:
        """Of a twin's task, newest: success, score, terminated, truncated, steps; empty while there is none."""
        return dict(self._subscriptions.outcome)

    def wait_until_ready(self, timeout: float = STARTING_S) -> RosRobot:
        """Wait until the graph is there and nothing but a chunk, `enable` or a person's hand is missing.

        Args:
            timeout: s.

        Raises:
            TillerError: it was not in time, or cannot be: a silent topic, a fault, a process that ended.
        """
        graph, deadline = self._link.graph, time.monotonic() + timeout

        def there() -> bool:
            return (
                not missing(self._subscriptions, self.contract, self._namespace)
                and self._subscriptions.sent is not None
            )

        def decided() -> bool:
            return (graph is not None and graph.ended) or (
                there() and (self._subscriptions.mode == "fault" or not self._obstacle(peoples=False))
            )

        while True:
            self._subscriptions.until(decided, deadline - time.monotonic())
            starting = graph is not None and not graph.ended and not self._was_ready
            if self._subscriptions.mode != "fault" or not there() or not starting or time.monotonic() > deadline:
                break
            # A twin that starts on a busy machine stands still now and then; nobody has moved it yet.
            self._link.ask("gate/reset")
            self._subscriptions.until(lambda: self._subscriptions.mode != "fault", ACCEPT_S)
            self._link.enable(True)
        self._require_there()
        found = self._obstacle(peoples=False)
        if found or self._subscriptions.sent is None:
            raise TillerError(found or f"the gate has sent nothing in {timeout:g} s. It is {self.state}")
        other = differs(self._subscriptions, self.contract) if not self._was_ready else ""
        if other:
            warnings.warn(other, stacklevel=2)
        if self.contract.operator == "none" and not self._was_ready:
            self._subscriptions.until(lambda: self._subscriptions.reason is not Reason.NOT_ENABLED, SETTLING_S)
        self._was_ready = True
        return self

    def flight_record(self) -> Path:
        """Have the gate write what it remembers of the last minute, for `tiller data replay --incident FILE`.

        Returns:
            The file, on the gate's machine, where it is whole and on the disk.

        Raises:
            TillerError: there is none, and why.
        """
        answer = self._link.ask("gate/dump", within_s=RECORD_S)
        if not answer.success:
            raise TillerError(f"no flight record: {answer.message}")
        return Path(answer.message)

    # -- moving -------------------------------------------------------------------------------------------------------

    def home(self, duration: float | None = None) -> None:
        """Go to the rest posture: in cartesian control to the pose of the tcp there, along a straight line.

        Args:
            duration: s; None takes a calm pace.

        Raises:
            InputError, TillerError: as `move_to`.
        """
        self._require_there()
        self._travel(rest_target(self.description, self.action_spec), duration)

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
        """Go somewhere, and return when the robot is there and rests. What is not named stays as it was told last.

        Args:
            position: (3,) m of the tcp, in the base frame.
            rotation: of the tcp: (3, 3), or (6,) as in an action.
            width: of the gripper, m. An object in it may keep it from getting there.
            duration: s; None takes a calm pace.
            fields: by name, of other actions: `arm.joints`, `hand.joints`, `left.tcp.position`.
            tolerance: m, how near the tcp has to be measured in the end.
            turn_tolerance: rad, the same of its rotation and of the arm's joints.

        Raises:
            InputError: outside of limits or out of reach, or quicker than the limits allow.
            TillerError: the gate does not follow, or the robot did not get there; why.
        """
        told: dict[str, Any] = dict(fields or {})
        named = {"tcp.position": position, "tcp.rotation": rotation, "gripper.width": width}
        told |= {name: value for name, value in named.items() if value is not None}
        goal = goal_of(self._settings, self.description, self.target, told)
        self._travel(goal, duration, tolerance, turn_tolerance)

    def enable(self) -> None:
        """Let the gate follow chunks. This also hands it over to this program from another one, and goes on after a
        hold that waits for a person's word.

        Raises:
            TillerError: the gate is in a fault, or not active.
        """
        self._require_there()
        if self._subscriptions.reason in (*PEOPLES, *WAITING):
            self._link.enable(False)  # what was bound or blocked is so no more
            self._subscriptions.until(lambda: self._subscriptions.reason is Reason.NOT_ENABLED, HEARD_S)
        answer = self._link.enable(True)
        if not answer.success:
            raise TillerError(self._obstacle() or answer.message)
        self._link.seize()
        waiting = [reason for reason in PEOPLES if reason is not Reason.NOT_HELD]
        if not self._subscriptions.until(lambda: self._subscriptions.reason not in waiting, ACCEPT_S):
            raise TillerError(self._obstacle())

    def disable(self) -> None:
        """Have the gate bring the robot to a stand, and follow nobody until `enable`."""
        self._link.enable(False)

    def recover(self) -> None:
        """Leave a fault of the gate: reset it, and enable it. The robot stays where it is.

        What the driver needs after a stop, a reflex or a protective stop comes first, by hand: docs/ros.md, 'After a
        fault', has the sequence of each.

        Raises:
            TillerError: what caused the fault is still there; what.
        """
        self._require_there()
        if self._subscriptions.mode == "fault":
            self._link.ask("gate/reset")
            if not self._subscriptions.until(lambda: self._subscriptions.mode != "fault", ACCEPT_S):
                raise TillerError(f"the cause of the fault is still there: {self._obstacle()}")
        self.enable()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _require_there(self) -> None:
        if self._link.graph is not None and self._link.graph.ended:
            raise TillerError(f"the robot's graph has ended: {self._link.graph.why()}")
        lacking = missing(self._subscriptions, self.contract, self._namespace)
        if lacking:
            raise TillerError(lacking)

    def _obstacle(self, peoples: bool = True) -> str:
        return obstacle(self._subscriptions, self.contract, () if peoples else PEOPLES)

    def _others(self) -> bool:
        """Whether another source sends chunks."""
        return (
            self._subscriptions.speaker not in ("", self._link.session)
            and time.monotonic() - self._subscriptions.spoken_s < OTHER_S
        )

    def _take(self) -> None:
        """See to it that the gate would follow this program.

        A gate is bound to who sent the last chunk. One that follows nobody is taken over; one that does is not.
        """
        self._require_there()
        if self._others():
            raise TillerError(
                "another source sends chunks to this gate. End it, or stop it with robot.stop(), then robot.enable()"
            )
        found = self._obstacle()
        if found:
            raise TillerError(found)
        if not self._link.bound:
            self.enable()

    def _travel(
        self,
        goal: np.ndarray,
        duration: float | None,
        tolerance: float = TOLERANCE,
        turn_tolerance: float = TURN_TOLERANCE,
    ) -> None:
        """Send a move piece by piece, until the robot is measured at its end."""
        if self._subscriptions.status.get("shadow") == "True":
            raise TillerError("the gate is a shadow: it computes and sends nothing, so the robot will not move")
        if not self._moving.acquire(blocking=False):
            raise TillerError("another thread moves this robot: wait for it, or robot.stop()")
        try:
            self._take()
            self._go(goal, duration, tolerance, turn_tolerance)
        finally:
            self._moving.release()

    def _go(self, goal: np.ndarray, duration: float | None, tolerance: float, turn_tolerance: float) -> None:
        deadline: float | None = None
        try:
            while not self._follow(Move(self._settings, self.target, goal, duration), tolerance, turn_tolerance):
                # Such holds end by themselves, with the robot at rest: it goes on from there.
                duration, deadline = None, deadline or time.monotonic() + PATIENCE_S
                if not self._subscriptions.until(lambda: not self._obstacle(), deadline - time.monotonic()):
                    raise TillerError(f"the move has ended early: {self._obstacle()}")
        except BaseException:
            if self._subscriptions.mode == "run" and self._subscriptions.reason is Reason.POLICY:
                self.stop()  # what was sent ahead is not to be gone through with
            raise

    def _follow(self, move: Move, tolerance: float, turn_tolerance: float) -> bool:
        """Whether the robot got there; False when a hold that ends by itself came between."""
        spec, clock = self.action_spec, self.clock
        period, rows = spec.period_ns, np.arange(1, round(AHEAD_S * 1e9) // spec.period_ns + 1)
        begun_ns, begun_s, epochs = clock.now_ns(), time.monotonic(), self._epochs()
        ways, still_s, followed = np.empty(0), begun_s, False
        while True:
            elapsed = clock.now_ns() - begun_ns
            # On one grid, so that a piece continues the one before to the bit.
            first = max(elapsed, 0) // period * period
            self._chunks += 1
            self._link.send(move.at(first + rows * period), spec, begun_ns + first, self._chunks)
            time.sleep(RESEND_S)
            now_s = time.monotonic()
            follows = self._follows(epochs)
            followed = followed or follows
            if not follows and (followed or now_s - begun_s > ACCEPT_S):
                if followed or self._obstacle():
                    return False
                raise TillerError(f"the gate did not take the move: it is {self.state}{self._cuts()}")
            measured = self._subscriptions.measured()
            place, turn, left = off(self.description, spec, move.goal, measured)
            if len(left) != len(ways) or np.abs(left - ways).max() > STILL:
                ways, still_s = left, now_s
            over = elapsed > move.duration_ns
            rests = now_s - still_s > (0.0 if np.abs(left).max() < 4 * STILL else STILL_S)
            if over and place <= tolerance and turn <= turn_tolerance and rests:
                return True
            if elapsed > move.duration_ns + SETTLE_S * 1e9 or now_s - begun_s > 3 * move.duration_ns * 1e-9 + 10:
                if place <= tolerance and turn <= turn_tolerance:
                    return True
                raise TillerError(
                    f"the robot stands {place * 1e3:.1f} mm and {turn:.3f} rad from where it was told: "
                    f"in contact, at the end of its reach, or kept back by a limit{self._cuts()}"
                )

    def _stands_at_target(self) -> bool:
        place, turn, _ = off(self.description, self.action_spec, self.target, self._subscriptions.measured())
        return place < TOLERANCE and turn < TURN_TOLERANCE

    def _epochs(self) -> tuple[int, int]:
        return self.clock.epoch, self._subscriptions.episode.get("epoch", 0)

    def _follows(self, epochs: tuple[int, int]) -> bool:
        """Whether the gate follows the move.

        Raises:
            TillerError: it will not any more; why.
        """
        self._require_there()
        reason = self._subscriptions.reason
        if self._epochs() != epochs:
            raise TillerError("the twin was reset, or the clock jumped, while the robot moved")
        if self._subscriptions.mode == "run" and reason is Reason.PERSON:
            raise TillerError("the move has ended early: a person has taken over")
        if self._subscriptions.mode in ("fault", "inactive") or reason in PEOPLES:
            raise TillerError(f"the move has ended early: {self._obstacle()}")
        return self._subscriptions.mode == "run"

    def _cuts(self) -> str:
        """What the gate has refused or cut so far, for a message."""
        counts = [
            f"{name.removeprefix('count_')} {count}"
            for name, count in self._subscriptions.status.items()
            if name.startswith("count_chunk") or name.removeprefix("count_") in ("position", "capsules_stop")
        ]
        return f". The gate has counted: {', '.join(counts)}" if counts else ""
