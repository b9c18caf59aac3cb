"""What was observed and what was sent, into a store: a person's demonstrations, or a policy's own runs.

A take begins when it is asked for, ends by a request or with its episode, and is saved or discarded; a discarded one
leaves nothing. Rows are made as the policy's are (`robot.control.observation`), actions are what the gate sent.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.process.parameters import declare
from real.process.run import Stop, run_node
from real.recorder.conductor import Conductor
from real.recorder.episodes import RobotEpisodes, TwinEpisodes
from real.recorder.facts import About
from real.recorder.incoming.arrivals import Arrivals
from real.recorder.incoming.commands import SentReader
from real.recorder.incoming.sources import RecordedStreams
from real.recorder.incoming.subscriptions import RecorderSubscriptions
from real.recorder.report import state_of_recorder, status_of_recorder
from real.recorder.session import Session, State
from real.recorder.storage import Storage
from real.ros import qos
from real.ros.chunks import read_chunk
from real.ros.guarded import Guarded, ascii_lines
from real.ros.messages import string_message, time_of, values_of
from real.ros.reading import INT64, Refusal, read_instruction, read_outcome
from real.ros.signals import status_message
from robot.contract.contract import CAMERA_TYPES
from robot.contract.loading import action_spec, load_contract
from robot.control.observation.action_rows import warm_up
from robot.errors import InputError, TillerError

POLL_S, LOOK_S, FLUSH_S, REPORT_S = 0.01, 0.05, 0.25, 0.5
GRAPH_S, SETTLED_GRAPH_S = 0.2, 1.0  # while publishers are missing, and when all are there


class RecorderNode(Guarded):
    """The recorder's process.

    Topics: in, the contract's streams, `gate/sent`, `gate/state`, `policy/chunk`, `policy/task`, a twin's `episode` and
    `outcome`; out, `recorder/state` (String, latched: JSON), `status`, and on a robot `episode` and `outcome`.
    Services: `~/start`, `~/stop`, `~/save`, `~/discard` (Trigger), `~/label` (SetBool: success or failure), `~/pause`
    (SetBool).
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        self._store = declare(self, "store", "", "folder of the dataset, made where there is none")
        if not self._store:
            raise InputError("parameter 'store'", expected="the folder of a dataset", way_out="-p store:=data/my_lifts")
        cameras = declare(self, "cameras", [""], "that are recorded; one empty name takes all, 'none' none of them")
        about = About(
            declare(self, "instruction", "", "what is done; empty leaves it to the task"),
            declare(self, "operator", "", "who demonstrates"),
            declare(self, "source", "teleoperation", "where the episodes come from"),
            declare(self, "policy", "", "that runs meanwhile, for the record"),
        )
        self._goal = declare(self, "goal", 0, "episodes to have in the end; 0 for none", low=0, high=1_000_000)
        seed = declare(self, "seed", 0, "of a robot's first episode", low=0, high=INT64[1])
        resets = declare(self, "resets", True, "a twin begins another episode after each take")
        time_limit = declare(self, "time_limit", False, "a take ends when the time of a twin's task is up")
        twin = contract.plant == "twin"
        # A clock of rclpy takes ten times as long to say the same, where nobody publishes another time.
        simulated = bool(self.get_parameter("use_sim_time").value)
        self._now_ns: Callable[[], int] = (lambda: self.get_clock().now().nanoseconds) if simulated else time.time_ns
        self._period_s, self._spec = contract.period_s, action_spec(contract)
        self._sent, self._polled_s = SentReader(self._spec), 0.0
        self._flushed_s = self._looked_s = 0.0
        self.ending: Stop | None = None
        warm_up(self._spec)  # in the first take it would be a second in which messages are lost
        self._state = self.create_publisher(String, "recorder/state", qos.LATCHED)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        streams = RecordedStreams(contract, None if cameras == [""] else [each for each in cameras if each != "none"])
        self._conductor = Conductor(
            contract,
            Storage(self._store, contract, streams, self._say),
            streams,
            TwinEpisodes(self, resets, lambda: self._topics.hand_over()) if twin else RobotEpisodes(self, seed),
            about,
            time_limit=time_limit,
            obstacle=self._obstacle,
            on_change=self._publish_state,
            say=self._say,
        )
        self._subscribe(twin)
        self._serve()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._wall = Clock(clock_type=ClockType.SYSTEM_TIME)
        self.create_timer(LOOK_S, self._look, clock=steady)
        self.create_timer(GRAPH_S, self._look_around, clock=steady)
        self.create_timer(REPORT_S, self._report, clock=steady)

    def idle(self) -> float:
        """Take what has come, between callbacks: a timer of rclpy costs as much as some messages."""
        now_s = time.monotonic()
        if now_s >= self._polled_s + POLL_S:
            self._polled_s = now_s
            self._topics.poll()
        return max(self._polled_s + POLL_S - time.monotonic(), 0.0)

    def on_stop(self) -> None:
        """Leave the store whole."""
        self._topics.hand_over()
        self._conductor.close(time.monotonic())
        self._topics.close()

    # -- messages -----------------------------------------------------------------------------------------------------

    def _subscribe(self, twin: bool) -> None:
        self._topics = RecorderSubscriptions(self, self._now_ns)
        streams = self._conductor.streams
        for name in streams.names:
            stream = streams.contract.state[name]
            profile = qos.RECORD_IMAGE if stream.type in CAMERA_TYPES else qos.RECORD_STATE
            self._topics.want(
                streams.message_type(name),
                stream.topic,
                partial(self._conductor.measured_together, name),
                profile,
                together=name in streams.fast,
            )
        self._topics.want(JointTrajectory, "gate/sent", self._sent_came, qos.RECORD_STATE, together=True)
        self._topics.want(JointTrajectory, "policy/chunk", self._chunk_came, qos.RECORD_STATE)
        self.create_subscription(
            String, "gate/state", lambda message: self._conductor.gate_said(message.data), qos.LATCHED
        )
        self.create_subscription(String, "policy/task", self._task_came, qos.LATCHED)
        if twin:
            self.create_subscription(JointState, "outcome", self._outcome_came, qos.STATUS)

    def _sent_came(self, arrivals: Arrivals) -> list[Refusal]:
        answers = [
            each
            if isinstance(each, Refusal)
            else self._conductor.sent(
                each.time_ns, each.requested, each.commanded, each.reason, each.now_ns, each.now_s
            )
            for each in self._sent.read(arrivals)
        ]
        return [each for each in answers if each is not None]

    def _chunk_came(self, arrivals: Arrivals) -> None:
        for packed, _, now_s in arrivals:
            self._conductor.planned(read_chunk(packed, round(now_s * 1e9), self._period_s, self._spec.dim))

    def _outcome_came(self, message: JointState) -> Refusal | None:
        outcome = read_outcome(values_of(message))
        if isinstance(outcome, Refusal):
            return outcome
        self._topics.hand_over()  # what came before it belongs to the episode
        self._conductor.outcome(outcome, time_of(message.header.stamp), time.monotonic())
        return None

    def _task_came(self, message: String) -> Refusal | None:
        instruction = read_instruction(message.data)
        if isinstance(instruction, Refusal):
            return instruction
        self._conductor.task_came(instruction)
        return None

    # -- requests -----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        conductor = self._conductor
        requests: dict[str, Callable[[], Session | str]] = {
            "start": lambda: conductor.start(
                self.get_clock().now().nanoseconds, time.monotonic(), self._wall.now().nanoseconds
            ),
            "stop": lambda: conductor.stop(time.monotonic()),
            "save": lambda: conductor.save(time.monotonic()),
            "discard": conductor.discard,
        }
        for name, request in requests.items():
            self.create_service(Trigger, f"~/{name}", partial(self._ask, request))
        switches: dict[str, Callable[[bool], Session | str]] = {
            "label": conductor.label,
            "pause": lambda on: conductor.pause(on, time.monotonic()),
        }
        for name, switch in switches.items():
            self.create_service(SetBool, f"~/{name}", partial(self._switch, switch))

    def _ask(self, request: Callable[[], Session | str], asked: Any, answer: Any) -> Any:
        return self._answer(request, answer)

    def _switch(self, request: Callable[[bool], Session | str], asked: Any, answer: Any) -> Any:
        return self._answer(partial(request, asked.data), answer)

    def _answer(self, request: Callable[[], Session | str], answer: Any) -> Any:
        self._topics.hand_over()  # what came before the request is of the time before it
        result = request()
        answer.success = not isinstance(result, str)
        answer.message = result if isinstance(result, str) else result.state.value
        return answer

    # -- turns and reports --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._topics.hand_over()
        now_s = time.monotonic()
        try:
            self._conductor.look(now_s)
        except TillerError as error:
            self.ending = Stop(str(error), code=error.exit_code)  # raised here it would be logged as an error of ours
        if now_s >= self._flushed_s + FLUSH_S or self._conductor.session.state is State.SAVING:
            self._flushed_s = now_s
            self._conductor.flush(now_s)

    def _look_around(self) -> None:
        now_s = time.monotonic()
        if not self._topics.complete or now_s >= self._looked_s + SETTLED_GRAPH_S:
            self._looked_s = now_s
            self._topics.look()

    def _obstacle(self) -> str:
        if self.count_publishers("recorder/state") > 1:
            return "there are two recorders: end one of them"
        for topic, types in self._topics.other_types.items():
            return f"'{topic}' has messages of another type: {types}"
        return ""

    def _say(self, line: str) -> None:
        self.get_logger().info(ascii_lines(line))

    def _report(self) -> None:
        self._publish_state()
        level, text, numbers = status_of_recorder(self._conductor, self.tally.numbers())
        self._status.publish(status_message("recorder", level, text, numbers, self.get_clock().now().nanoseconds))

    def _publish_state(self) -> None:
        text = state_of_recorder(self._conductor, self._store, self._goal, time.monotonic()).text()
        self._state.publish(string_message(text))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(RecorderNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
