"""What was observed and what was sent, into a store: a person's demonstrations, or a policy's own runs.

A take begins when it is asked for, ends by a request or with its episode, and is saved or discarded; a discarded one
leaves nothing. Rows are made as the policy's are (`robot.control.observation`), actions are what the gate sent.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any, Callable, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from data.store.schema import Schema
from real.process.parameters import declare
from real.process.run import Stop, run_node
from real.recorder.episodes import RobotEpisodes, TwinEpisodes
from real.recorder.facts import facts_of
from real.recorder.recording import LEAST_MINUTES, bytes_per_second, disk_minutes, open_recording, recording_schema
from real.recorder.session import SUCCESS, Session, State, Totals
from real.recorder.sources import RecordedStreams
from real.recorder.subscriptions import RecorderSubscriptions
from real.recorder.take import Take
from real.recorder.verdict import verdict
from real.recorder.writing import TakeWriter
from real.ros import qos
from real.ros.chunks import read_chunk
from real.ros.guarded import Guarded
from real.ros.messages import string_message, time_of, values_of
from real.ros.reading import INT64, Refusal, read_outcome
from real.ros.signals import ERROR, OK, WARN, status_message
from real.ros.unpacking import unpacked
from robot.contract.contract import CAMERA_TYPES
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.observation.sources import stream_sources
from robot.errors import TillerError

LOOK_S, REPORT_S, FLUSH_S = 0.2, 0.5, 0.25
SENT_S = 0.5  # without a command of the gate for so long nothing can be recorded
REOPEN_S = 2.0


class RecorderNode(Guarded):
    """The recorder's process.

    Topics: in, the contract's streams, `gate/sent`, `gate/state`, `policy/chunk`, `policy/task`, a twin's `episode` and
    `outcome`; out, `recorder/state` (String, latched: JSON), `status`, and on a robot `episode` and `outcome`.
    Services: `~/start`, `~/stop`, `~/save`, `~/discard` (Trigger), `~/label` (SetBool: success or failure), `~/pause`
    (SetBool).
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        self._contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        self._store = declare(self, "store", "", "folder of the dataset, made where there is none")
        if not self._store:
            raise TillerError("parameter 'store': the folder of a dataset is expected. -p store:=data/my_lifts")
        cameras = declare(self, "cameras", [""], "that are recorded; one empty name takes all, 'none' none of them")
        self._instruction = declare(self, "instruction", "", "what is done; empty leaves it to the task")
        self._operator = declare(self, "operator", "", "who demonstrates")
        self._source = declare(self, "source", "teleoperation", "where the episodes come from")
        self._policy = declare(self, "policy", "", "that runs meanwhile, for the record")
        self._goal = declare(self, "goal", 0, "episodes to have in the end; 0 for none", low=0, high=1_000_000)
        seed = declare(self, "seed", 0, "of a robot's first episode", low=0, high=INT64[1])
        resets = declare(self, "resets", True, "a twin begins another episode after each take")
        names = None if cameras == [""] else [name for name in cameras if name not in ("", "none")]
        self._streams = RecordedStreams(self._contract, names)
        self._spec, self._description = action_spec(self._contract), describe(self._contract)
        twin = self._contract.plant == "twin"
        self._episodes = TwinEpisodes(self, resets) if twin else RobotEpisodes(self, seed)
        self._needs_episode = twin

        self._session, self._totals = Session(), Totals()
        self._schema: Schema | None = None
        self._writer: TakeWriter | None = None
        self._take: Take | None = None
        self._rate, self._disk_minutes, self._before = 1.0, 0.0, 0
        self._gate, self._sent_s, self._task = "", float("-inf"), ""
        self._truncated = self._terminated = False
        self._failed_s = float("-inf")
        self._said = ""

        self._state = self.create_publisher(String, "recorder/state", qos.LATCHED)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self._subscriptions = RecorderSubscriptions(self)
        for name in self._streams.names:
            stream = self._contract.state[name]
            profile = qos.RECORD_IMAGE if stream.type in CAMERA_TYPES else qos.RECORD_STATE
            self._subscriptions.want(
                self._streams.message_type(name), stream.topic, partial(self._measured, name), profile
            )
        self._subscriptions.want(JointTrajectory, "gate/sent", self._sent_came, qos.RECORD_STATE)
        self._subscriptions.want(JointTrajectory, "policy/chunk", self._chunk_came, qos.RECORD_STATE)
        self.create_subscription(String, "gate/state", self._gate_came, qos.LATCHED)
        self.create_subscription(String, "policy/task", self._task_came, qos.LATCHED)
        if twin:
            self.create_subscription(JointState, "outcome", self._outcome_came, qos.STATUS)
        requests: tuple[tuple[str, Callable[[], Session | str]], ...] = (
            ("start", self._start),
            ("stop", self._stop),
            ("save", self._save),
            ("discard", self._discard),
        )
        for verb, request in requests:
            self.create_service(Trigger, f"~/{verb}", partial(self._requested, request))
        self.create_service(
            SetBool,
            "~/label",
            lambda asked, answer: self._requested(lambda: self._session.labelled(asked.data), asked, answer),
        )
        self.create_service(
            SetBool, "~/pause", lambda asked, answer: self._requested(lambda: self._pause(asked.data), asked, answer)
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LOOK_S, self._look, clock=steady)
        self.create_timer(REPORT_S, self._report, clock=steady)
        self.create_timer(FLUSH_S, self._flush, clock=steady)

    def on_stop(self) -> None:
        """Save a take that has its verdict; drop one that has none, and say so."""
        if self._writer is None:
            return
        if self._take is not None and self._session.state is State.ENDED and self._session.label:
            self._take.end(0.0)
            self._commit()
        elif self._take is not None:
            self.get_logger().warning(f"the open take of {self._take.seconds:.0f} s was not saved")
        self._writer.close()
        self._writer.turn()

    # -- messages -----------------------------------------------------------------------------------------------------

    def _measured(self, name: str, packed: bytes) -> Refusal | None:
        now_ns, now_s = self.get_clock().now().nanoseconds, time.monotonic()
        refused = self._streams.note(name, packed, now_ns, now_s)
        if refused is not None or self._take is None or self._session.state is not State.RECORDING:
            return refused
        found = self._streams.read(name, packed, now_s)
        if isinstance(found, Refusal):
            return found
        reason = self._take.measured(name, found, now_ns)
        return Refusal(reason) if reason else None

    def _sent_came(self, packed: bytes) -> Refusal | None:
        message = unpacked(packed, JointTrajectory)
        if isinstance(message, Refusal):
            return message
        if tuple(message.joint_names) != self._spec.component_names or len(message.points) != 2:
            return Refusal("the gate has another contract: its commands have other components")
        requested, commanded = (np.array(point.positions) for point in message.points)
        if commanded.shape != (self._spec.dim,) or not np.isfinite(commanded).all():
            return Refusal(f"a command of {commanded.size} numbers, {self._spec.dim} finite ones are expected")
        self._sent_s = time.monotonic()
        if self._take is not None:
            reason = message.header.frame_id.partition("|")[0]
            self._take.sent(time_of(message.header.stamp), requested, commanded, reason)
        return None

    def _chunk_came(self, packed: bytes) -> None:
        if self._take is not None:
            self._take.planned(read_chunk(packed, time.monotonic_ns(), self._contract.period_s, self._spec.dim))

    def _gate_came(self, message: String) -> None:
        self._gate = message.data

    def _task_came(self, message: String) -> None:
        self._task = message.data

    def _outcome_came(self, message: JointState) -> Refusal | None:
        outcome = read_outcome(values_of(message))
        if isinstance(outcome, Refusal):
            return outcome
        ends = bool(outcome["terminated"] or outcome["truncated"])
        if ends and self._session.state is State.RECORDING and self._take is not None:
            if time_of(message.header.stamp) < self._take.start_ns:
                return None
            self._terminated, self._truncated = bool(outcome["terminated"]), bool(outcome["truncated"])
            success = bool(outcome["success"])
            self._end("the task is done" if success else "the time is up")
            if not self._session.label:
                self._become(self._session.labelled(success))
        return None

    # -- requests -----------------------------------------------------------------------------------------------------

    def _requested(self, request: Callable[[], Session | str], asked: Any, answer: Any) -> Any:
        result = request()
        answer.success = not isinstance(result, str)
        answer.message = result if isinstance(result, str) else result.state.value
        if not isinstance(result, str):
            self._become(result)
        return answer

    def _start(self) -> Session | str:
        self._look()  # what was well a moment ago may not be now
        begun = self._session.start()
        if isinstance(begun, str):
            return begun
        assert self._schema is not None and self._writer is not None
        for watch in self._streams.watches.values():
            watch.begin()
        self._episodes.begin(self._prompt)
        self._terminated = self._truncated = False
        sources = stream_sources(self._contract, self._description, self._schema.observation, recorded=True)
        self._take = Take(self._schema, sources, self._writer, self.get_clock().now().nanoseconds)
        return begun

    def _stop(self) -> Session | str:
        ended = self._session.end("stopped")
        if not isinstance(ended, str):
            self._end("stopped")
            return self._session
        return ended

    def _pause(self, on: bool) -> Session | str:
        session = self._session.pause(on)
        if not isinstance(session, str) and self._take is not None:
            self._take.pause(on)
        return session

    def _save(self) -> Session | str:
        session = self._session.save()
        if not isinstance(session, str) and self._take is not None:
            self._take.end(time.monotonic())
        return session

    def _discard(self) -> Session | str:
        session = self._session.discard()
        if not isinstance(session, str):
            self._drop("discarded")
        return session

    # -- a take -------------------------------------------------------------------------------------------------------

    @property
    def _prompt(self) -> str:
        notice = self._episodes.notice
        return self._instruction or self._task or (notice.instruction if notice is not None else "")

    def _become(self, session: Session | str) -> None:
        assert isinstance(session, Session)
        if session != self._session:
            self._session = session
            self._publish_state()

    def _end(self, reason: str) -> None:
        """The take has its rows; a person says what becomes of it."""
        session = self._session.end(reason)
        if isinstance(session, str) or self._take is None:
            return
        self._take.end(time.monotonic())
        self._become(session)

    def _drop(self, end: str) -> None:
        assert self._writer is not None and self._take is not None
        line = self._verdict(end)
        self._take = None
        self._writer.discard(lambda problem: self._ended(problem or line, saved=False))

    def _commit(self) -> None:
        """Hand the take's rest to the writer, with its facts."""
        assert self._writer is not None and self._take is not None
        success = self._session.label == SUCCESS
        take = self._take
        if not take.finish(success=success, terminated=self._terminated or success, truncated=self._truncated):
            self._drop("not saved: there is no row in it")
            return
        line = self._verdict("saved")
        facts = facts_of(
            self._contract,
            {name: watch.summary() for name, watch in self._streams.watches.items()},
            success=success,
            verdict=line,
            operator=self._operator,
            instruction=self._prompt,
            seed=self._episodes.seed,
            source=self._source,
            started_ns=take.start_ns,
            policy=self._policy,
        )
        self._take = None
        self._episodes.end(success, self._terminated or success, self._truncated, take.rows, take.start_ns)
        self._writer.save(facts, lambda problem: self._ended(f"not saved: {problem}" if problem else line, not problem))

    def _ended(self, line: str, saved: bool) -> None:
        self._totals.add(line, saved=saved)
        self.get_logger().info(line)
        self._episodes.next(self._episodes.seed + int(saved))
        self._become(self._session.saved())
        self._look()

    def _verdict(self, end: str) -> str:
        assert self._take is not None
        summaries = {name: watch.summary() for name, watch in self._streams.watches.items()}
        return verdict(end, self._take.seconds, summaries, self._take.idle, self._session.label)

    # -- looking round ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._subscriptions.look()
        if self._writer is not None:
            self._writer.turn()
        now_s = time.monotonic()
        if self._session.state in (State.RECORDING, State.PAUSED):
            reason = self._lost(now_s)
            if reason:
                self._end(reason)
        elif self._session.state in (State.WAITING, State.READY):
            self._become(self._session.waits(self._trouble(now_s)))

    def _lost(self, now_s: float) -> str:
        """Why the take must end; empty while it may go on."""
        for name, watch in self._streams.watches.items():
            problem = watch.lost(now_s)
            if problem:
                return f"{name} is {problem}"
        if self._gate.startswith("fault"):
            return f"the gate: {self._gate}"
        return "the gate sends nothing" if now_s - self._sent_s > SENT_S else ""

    def _trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may."""
        if self.count_publishers("recorder/state") > 1:
            return "there are two recorders: end one of them"
        for name, watch in self._streams.watches.items():
            problem = watch.trouble(now_s)
            if problem:
                return f"{name} ({self.resolve_topic_name(self._contract.state[name].topic)}): {problem}"
        if now_s - self._sent_s > SENT_S:
            return "the gate sends nothing"
        if self._episodes.trouble:
            return self._episodes.trouble
        if self._writer is None:
            self._open()
        assert self._writer is not None
        if self._writer.problem:
            if now_s - self._failed_s > REOPEN_S:
                self._failed_s = now_s
                self._writer.discard(lambda problem: None)
            return self._writer.problem
        self._disk_minutes = disk_minutes(self._store, self._rate)
        if self._disk_minutes < LEAST_MINUTES:
            return f"{self._disk_minutes:.1f} minutes of disk are left, {LEAST_MINUTES:.0f} are needed"
        return ""

    def _open(self) -> None:
        """Make or open the store: all streams have been seen.

        Raises:
            Stop: it is of something else, or cannot be written.
        """
        notice = self._episodes.notice
        try:
            schema = recording_schema(self._contract, *self._streams.observation(notice))
            dataset = open_recording(self._store, self._contract, schema, notice.task if notice is not None else "")
        except TillerError as error:
            raise Stop(str(error), code=error.exit_code) from None
        self._schema, self._before, self._rate = schema, len(dataset), bytes_per_second(schema)
        self._writer = TakeWriter(dataset)

    def _flush(self) -> None:
        if self._take is None or self._writer is None:
            return
        self._take.flush()
        if self._writer.problem:
            problem = self._writer.problem
            self._become(Session(State.SAVING, problem))
            self._drop(f"not saved: {problem}")
        elif self._session.state is State.SAVING and self._take.settled(time.monotonic()):
            self._commit()

    # -- reports ------------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        self._publish_state()
        session = self._session
        level = WARN if session.state is State.WAITING else OK
        text = f"{session.state.value}: {session.reason}" if session.reason else session.state.value
        if self.tally.errors:
            level, text = ERROR, f"{text}; failed: {self.tally.last}"
        numbers = {
            "saved": self._totals.saved,
            "discarded": self._totals.discarded,
            "waiting_mb": f"{self._writer.waiting_bytes / 2**20:.1f}" if self._writer is not None else "",
            **self.tally.numbers(),
        }
        self._status.publish(status_message("recorder", level, text, numbers, self.get_clock().now().nanoseconds))

    def _publish_state(self) -> None:
        now_s = time.monotonic()
        notice = self._episodes.notice
        streams = {}
        for name, watch in self._streams.watches.items():
            age_s = watch.age_s(now_s)
            streams[name] = {
                "rate_hz": round(watch.rate_hz, 1),
                "age_s": None if age_s is None else round(age_s, 3),
                "drops": watch.drops,
            }
        self._state.publish(
            string_message(
                json.dumps(
                    {
                        "state": self._session.state.value,
                        "reason": self._session.reason,
                        "label": self._session.label,
                        "seconds": round(self._take.seconds, 2) if self._take is not None else 0.0,
                        "rows": self._take.rows if self._take is not None else 0,
                        "episodes": self._before + self._totals.saved,
                        "saved": self._totals.saved,
                        "discarded": self._totals.discarded,
                        "verdict": self._totals.verdict,
                        "verdicts": self._totals.verdicts,
                        "goal": self._goal,
                        "disk_minutes": round(self._disk_minutes, 1),
                        "store": str(self._store),
                        "task": notice.task if notice is not None else "",
                        "instruction": self._prompt,
                        "seed": self._episodes.seed,
                        "streams": streams,
                    }
                )
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(RecorderNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
