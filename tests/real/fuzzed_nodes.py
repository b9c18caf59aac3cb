"""Every node that a message could end, made in this process, with messages that are sound on each of its topics."""

from __future__ import annotations

import os
import pty
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence
from unittest.mock import patch

import numpy as np
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger

from benchmarks.gate_rig import resting
from real.recorder.incoming.arrivals import Arrivals
from real.ros.chunks import Tag, chunk_message, trajectory_message
from real.ros.guarded import Flow
from real.ros.messages import (
    header_of,
    image_message,
    joint_state_message,
    pose_message,
    stamp_of,
    string_message,
    values_message,
)
from real.ros.reading import OUTCOME, EpisodeNotice
from real.ros.signals import OK, alive_message, driver_message, enable_message, status_message
from real.ros.streams import command_message
from robot.contract.contract import CAMERA_TYPES, Contract
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.observation.streams import StreamReader
from robot.control.sinks import SinkEncoder
from robot.safety.gate.flight_record import FlightRecorder
from tests.real.fuzzing import Fuzzer, jpeg, made, subscriptions
from tests.real.untrained import untrained

HORIZON = 16
RECORDED_S = 0.2  # faults come one upon another here, and each is written
GATES = ("fr3_crisp", "xarm7", "inspire", "panda_twin")
NODES = (
    *(f"gate {name}" for name in GATES),
    "policy",
    "teleop",
    "supervisor",
    "twin",
    "twin crisp",
    "connection",
    "episodes",
    "recorder",
)


@dataclass
class Fuzzed:
    """A node under messages that nobody means.

    Args:
        node: with its tally.
        contract: of its robot.
        works: does a piece of the node's own work now and then, between messages.
        alive: after all, whether the node still does what it is for; raises where it does not.
        seed: of what is drawn.
    """

    node: Any
    contract: Contract
    works: Callable[[], object]
    alive: Callable[[], None]
    seed: int = 0

    def run(self, messages: int, every: int = 7) -> int:
        """Feed so many messages to each subscription; returns how many there were."""
        topics = subscriptions(self.node)
        fuzzer, said = Fuzzer(self.seed, sound_messages(self.contract)), 0
        for turn in range(messages):
            for topic, kind, callback in topics:
                callback(fuzzer.draw(kind, topic))
                said += 1
            if turn % every == 0:
                self.works()
        return said


def sound_messages(
    contract: Contract, now_ns: int = 0, number: int = 1, start: np.ndarray | None = None
) -> dict[str, Sequence[Any]]:
    """Topic -> messages as tiller's own nodes or a driver would send them.

    Args:
        contract: of the robot.
        now_ns: their stamp; 0 takes the system's time.
        number: of the chunk and the epoch.
        start: (dim,) where chunks stand; None where the robot rests.
    """
    now_ns = now_ns or time.time_ns()
    values, target = resting(contract)
    if start is not None and len(start):
        target = start
    description, spec = describe(contract), action_spec(contract)
    found: dict[str, Sequence[Any]] = {}
    for name, stream in contract.state.items():
        if stream.type == "driver_state":
            found[stream.topic] = [driver_message("running", now_ns)]
        elif stream.type in CAMERA_TYPES:
            height, width = stream.size or (84, 84)
            found[stream.topic] = (
                [CompressedImage(header=header_of(now_ns), format="jpeg", data=jpeg(height, width))]
                if stream.compressed
                else [image_message(np.zeros((height, width, 3), np.uint8), now_ns)]
            )
        elif stream.type == "values":
            found[stream.topic] = [values_message({"tcp.position": np.ones(3), "gripper.width": np.ones(1)}, now_ns)]
        else:
            reader = StreamReader(contract, name)
            pose = stream.type == "pose"
            found[stream.topic] = [
                pose_message(*reader.write_pose(values), now_ns, "base")
                if pose
                else joint_state_message(*reader.write(values), now_ns)
            ]
    rows, tag = np.repeat(target[None], HORIZON, axis=0), Tag("driver", None, number, 5)
    names, period = spec.component_names, spec.period_ns
    found["policy/chunk"] = [chunk_message(rows, names, now_ns, period, tag)]
    found["teleop/target"] = [chunk_message(rows[:1], names, now_ns, period, tag)]
    found["gate/sent"] = [trajectory_message(rows[:2], names, now_ns, 0, "policy|3||")]
    found["gate/state"] = [string_message("run policy")]
    found["alive"], found["enable_held"] = [alive_message(now_ns, "me")], [enable_message(True, now_ns, "hand")]
    found["episode"] = [string_message(EpisodeNotice(number, 7, "twin/lift", "lift", 100).text())]
    found["outcome"] = [values_message({name: np.ones(1) for name in OUTCOME}, now_ns)]
    found["status"] = [status_message("gate", OK, "run", {"count_policy": 3, "contract": "x"}, now_ns)]
    found["clock"] = [Clock(clock=stamp_of(now_ns))]
    for name, sink in contract.sinks.items():
        command = SinkEncoder(contract, description, name).encode(target, None)
        found[sink.topic] = [command_message(command, now_ns, "3/4")]
    return found


@contextmanager
def fuzzed(name: str, seed: int = 0, **parameters: object) -> Iterator[Fuzzed]:
    """A node of `NODES`, made in this process."""
    kind, _, word = name.partition(" ")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # All are to be read, however quickly they come.
        stack.enter_context(patch.object(Flow, "passes", lambda self, size, now_ns: True))
        found = _MADE[kind](stack, folder, word, parameters)
        found.seed = seed
        yield found


def tell(node: Any, messages: Mapping[str, Sequence[Any]], *topics: str) -> None:
    """Give a node sound messages, of all topics where none is named."""
    for topic, _, callback in subscriptions(node):
        if topic in messages and (not topics or topic in topics):
            callback(serialize_message(messages[topic][0]))


def _gate(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.gate_node import GateNode

    stack.callback(_wait_for_records)  # last of all: they are written beside the gate's work
    node = stack.enter_context(made(GateNode, contract=word, records=str(folder), priority=0, **parameters))
    node._recorder = FlightRecorder(node._settings, span_s=RECORDED_S)
    contract = load_contract(word)
    counted = [0]

    def works() -> None:
        """As near to running as it gets: a fault is reset, whoever sends is accepted, and what is needed comes."""
        counted[0] += 1
        node._gate_services._reset(Trigger.Request(), Trigger.Response())
        for on in (False, True):
            node._gate_services._enable(SetBool.Request(data=on), SetBool.Response())
        # What anybody said of the robot has drawn the command away: a chunk starts where it is.
        messages = sound_messages(contract, number=counted[0], start=node._state.command)
        tell(node, messages, *(topic for topic in messages if topic not in ("episode", "teleop/target")))
        node._tick(node._now())

    def alive() -> None:
        modes = set()
        for _ in range(400):
            works()
            time.sleep(0.002)
            output = node._output
            assert output is not None, "a tick has an output"
            modes.add(output.mode.value)
            if output.mode.value == "run":
                return
        raise AssertionError(f"the gate does not run any more: {node._line}, {modes}")

    return Fuzzed(node, contract, works, alive)


def _wait_for_records() -> None:
    for thread in threading.enumerate():
        if thread.name == "flight record":
            thread.join()


def _policy(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.policy_node import PolicyNode

    contract = load_contract("panda_twin")
    path = untrained("panda_twin", folder / "policy")
    settings = {"contract": "panda_twin", "checkpoint": str(path), **parameters}
    node = stack.enter_context(made(PolicyNode, **settings))
    end = time.monotonic() + 60
    while not node.ready and time.monotonic() < end:
        node._woken()
        time.sleep(0.01)

    def works() -> None:
        node._woken()

    def alive() -> None:
        plans, number = node._plans, (node._epoch or 0) + 1
        end = time.monotonic() + 10
        tell(node, sound_messages(contract, number=min(number, 2**63 - 1)), "episode")
        while node._plans == plans:
            assert time.monotonic() < end, "the policy does not plan any more"
            now_ns = node.get_clock().now().nanoseconds
            messages = sound_messages(contract, now_ns)
            tell(node, messages, *(topic for topic in messages if topic not in ("episode", "clock")))
            node._woken()
            time.sleep(0.005)

    return Fuzzed(node, contract, works, alive)


def _teleop(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.teleop_node import TeleopNode

    person, terminal = pty.openpty()
    before = sys.stdin
    sys.stdin = os.fdopen(terminal, "r")

    def put_back() -> None:
        sys.stdin.close()
        sys.stdin = before
        os.close(person)

    stack.callback(put_back)
    node = stack.enter_context(made(TeleopNode, contract="panda_twin", **parameters))
    contract = load_contract("panda_twin")

    def works() -> None:
        os.write(person, b"ew")
        node._tick()
        node._report()

    def alive() -> None:
        targets = node._targets
        tell(node, sound_messages(contract), "gate/sent")
        for _ in range(10):
            works()
            time.sleep(0.01)
        assert node._targets > targets, "a person moves nothing any more"

    return Fuzzed(node, contract, works, alive)


def _supervisor(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.supervisor_node import SupervisorNode

    node = stack.enter_context(made(SupervisorNode, contract="panda_twin", view="page", **parameters))
    contract = load_contract("panda_twin")

    def works() -> None:
        node._live()
        node._report()
        node._show()

    def alive() -> None:
        count = node._alive_count
        tell(node, sound_messages(contract))
        works()
        assert node._alive_count == count + 1 and node._board.gate == "run policy"

    return Fuzzed(node, contract, works, alive)


def _twin(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.twin_node import TwinNode

    name = f"panda_twin_{word}" if word else "panda_twin"
    contract = load_contract(name)
    node = stack.enter_context(made(TwinNode, contract=name, images=False, **parameters))
    pacer: Any = node._pacer
    pacer.due = lambda now_ns: 2  # two steps a tick, whatever the time

    def works() -> None:
        node._tick()

    def alive() -> None:
        node._reset_service(Trigger.Request(), Trigger.Response())
        before = node._robot.clock.monotonic_ns()
        tell(node, sound_messages(contract))
        works()
        assert node._robot.clock.monotonic_ns() > before and not node._error, node._error
        assert node._driven.state == "running", node._driven.state

    return Fuzzed(node, contract, works, alive)


def _graph_subscriptions(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.connection.subscriptions import GraphSubscriptions
    from real.ros.guarded import Guarded

    node = stack.enter_context(made(lambda: Guarded("program"), **parameters))
    contract = load_contract("panda_twin")
    found = GraphSubscriptions(node, contract, contract.cameras)

    def works() -> None:
        found.measured()
        assert not found.episode or found.episode["epoch"] >= 0

    def alive() -> None:
        tell(node, sound_messages(contract))
        assert (found.line, found.episode["epoch"], found.sender) == (
            "run policy",
            1,
            "driver",
        )
        assert found.sent is not None and found.sent.chunk_id == 3 and found.measured()["tcp.position"].shape == (3,)

    return Fuzzed(node, contract, works, alive)


def _episodes(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.connection.episodes import EpisodeClient

    client = EpisodeClient()
    stack.callback(client.close)
    contract = load_contract("panda_twin")

    def alive() -> None:
        tell(client.node, sound_messages(contract))
        assert client.gate == "run policy" and client._begun(0, 7) and client._outcomes

    return Fuzzed(client.node, contract, client._outcomes.clear, alive)


def _recorder(stack: ExitStack, folder: Path, word: str, parameters: Mapping[str, object]) -> Fuzzed:
    from real.nodes.recorder_node import RecorderNode

    store = folder / "store"
    node = stack.enter_context(made(RecorderNode, contract="panda_twin", store=str(store), resets=False, **parameters))
    contract = load_contract("panda_twin")
    epoch = [0]
    driver = Node("driver")  # whose topics the recorder subscribes to once it is there
    stack.callback(driver.destroy_node)
    for topic, (kind, profile) in node._topics._wanted.items():
        driver.create_publisher(kind, topic, profile)
    end = time.monotonic() + 20
    while len(node._topics._made) < len(node._topics._wanted):
        assert time.monotonic() < end, "the recorder does not subscribe"
        node._topics.look()
        time.sleep(0.02)

    def came(packed: bytes) -> Arrivals:
        return Arrivals([packed], [node._now_ns()], [time.monotonic()], len(packed))

    def works() -> None:
        """A driver that says all that a take needs, and a person who asks for everything in turn."""
        now_ns = node.get_clock().now().nanoseconds
        messages = sound_messages(contract, now_ns)
        node._conductor.task_came("")
        for name in node._conductor.streams.names:
            topic = contract.state[name].topic
            node._conductor.measured_together(name, came(serialize_message(messages[topic][0])))
        node._sent_came(came(serialize_message(messages["gate/sent"][0])))
        tell(node, messages, "gate/state")
        node._look()
        node._conductor.flush(time.monotonic())
        node._report()

    def ask(what: Callable[[], object], state: str) -> None:
        end = time.monotonic() + 20
        while node._conductor.session.state.value != state:
            what()
            works()
            time.sleep(0.01)
            assert time.monotonic() < end, f"not {state}: {node._conductor.session}"

    def alive() -> None:
        conductor = node._conductor
        saved = conductor.totals.saved
        epoch[0] += 1
        tell(node, sound_messages(contract, number=2**62 + epoch[0]), "episode")
        outcome = values_message({name: np.zeros(1) for name in OUTCOME}, node.get_clock().now().nanoseconds)
        node._outcome_came(outcome)
        ask(conductor.discard, "ready")
        start = node.get_clock().now().nanoseconds
        ask(lambda: conductor.start(start, time.monotonic(), start), "recording")
        for _ in range(20):
            works()
            time.sleep(0.02)
        assert conductor.rows > 3, conductor.session
        conductor.save(time.monotonic())
        ask(lambda: None, "ready")
        assert conductor.totals.saved == saved + 1, conductor.totals

    return Fuzzed(node, contract, works, alive)


_MADE: Mapping[str, Callable[[ExitStack, Path, str, Mapping[str, object]], Fuzzed]] = {
    "gate": _gate,
    "policy": _policy,
    "teleop": _teleop,
    "supervisor": _supervisor,
    "twin": _twin,
    "connection": _graph_subscriptions,
    "episodes": _episodes,
    "recorder": _recorder,
}
