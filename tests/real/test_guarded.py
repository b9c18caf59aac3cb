"""What stands behind every callback: bytes that are no message, and callbacks that fail."""

from __future__ import annotations

import time
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from std_srvs.srv import Trigger

from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.guarded import LEAST, Flow, Guarded, Stop, turn
from real.ros.reading import Refusal
from robot.errors import InputError
from robot.safety.gate.inputs import FAILED
from robot.safety.gate.reasons import Mode, Reason
from tests.real.conftest import MATCH_S
from tests.real.fuzzed_nodes import fuzzed, sound_messages, tell


class Probe(Guarded):
    def __init__(self) -> None:
        super().__init__("probe")
        self.heard: list[str] = []
        self.failures: list[str] = []
        self.ticks = 0
        self.create_subscription(String, "word", self.came, qos.STATUS)
        self.create_timer(0.02, self.tick)
        self.create_service(Trigger, "ask", self.answer)

    def on_failure(self, what: str, error: Exception) -> None:
        self.failures.append(f"{what}: {error}")

    def came(self, message: String) -> Refusal | None:
        if message.data == "bug":
            raise ValueError("a bug")
        if message.data == "wrong":
            raise InputError("word", expected="another")
        if message.data == "stop":
            raise Stop("that is all")
        if message.data == "refuse":
            return Refusal("not this one")
        self.heard.append(message.data)
        return None

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 3:
            raise ValueError("third")

    def answer(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = True
        raise KeyError("no answer")


@pytest.fixture(params=["events", "single"])
def rig(request: pytest.FixtureRequest, ros_environment: dict[str, str]) -> Iterator[tuple[Probe, Any]]:
    rclpy.init()
    node, executor = Probe(), make_executor(request.param)
    executor.add_node(node)
    yield node, executor
    leave(node, executor)


def until(rig: tuple[Probe, Any], condition: Any) -> None:
    end = time.monotonic() + MATCH_S
    while not condition():
        assert time.monotonic() < end
        turn(*rig, 0.02)


def test_a_callback_that_fails_costs_one_message_and_is_counted(rig: tuple[Probe, Any]) -> None:
    node, _ = rig
    say = node.create_publisher(String, "word", qos.STATUS)
    until(rig, say.get_subscription_count)
    # All at once: what waits behind a message that fails is not left behind.
    for text in ("a", "bug", "b", "refuse", "c", "wrong", "d"):
        say.publish(String(data=text))
    until(rig, lambda: node.heard == ["a", "b", "c", "d"])
    until(rig, lambda: node.ticks > 5)
    assert node.tally.errors == 2 and node.tally.refused == {"word": 2}
    assert sorted(node.failures) == ["timer tick: third", "word: a bug"]
    assert node.tally.numbers()["unread"] == 2


def test_bytes_that_are_no_message_are_dropped_and_the_next_is_heard(rig: tuple[Probe, Any]) -> None:
    node, _ = rig
    say = node.create_publisher(String, "word", qos.STATUS)
    until(rig, say.get_subscription_count)
    for packed in (b"garbage!!", b"\x00\x01\x00\x00\xff\xff\xff\xff", serialize_message(String(data="x" * 70_000))):
        say.publish(packed)
    say.publish(String(data="after"))
    until(rig, lambda: node.heard == ["after"])
    assert node.tally.refused == {"word": 3} and not node.tally.errors


def test_a_service_that_fails_says_so_to_whoever_asked(rig: tuple[Probe, Any]) -> None:
    node, _ = rig
    client = node.create_client(Trigger, "ask")
    until(rig, client.service_is_ready)
    future = client.call_async(Trigger.Request())
    until(rig, future.done)
    assert not future.result().success and "KeyError" in future.result().message
    assert "service ask" in node.tally.last


def test_a_stop_passes_through(rig: tuple[Probe, Any]) -> None:
    node, _ = rig
    callback = next(each.callback for each in node.subscriptions if each.topic_name == "/word")
    with pytest.raises(Stop):
        callback(serialize_message(String(data="stop")))


def test_a_negative_time_on_the_clock_is_refused_and_time_goes_on(ros_environment: dict[str, str]) -> None:
    rclpy.init()
    node = Probe()
    try:
        node.set_parameters([Parameter("use_sim_time", value=True)])
        callback = next(each.callback for each in node.subscriptions if each.topic_name == "/clock")
        for seconds, nanoseconds in ((5, 0), (-7, 0), (2, 4_000_000_000), (6, 1)):
            message = Clock()
            message.clock.sec, message.clock.nanosec = seconds, nanoseconds
            callback(serialize_message(message))
        assert node.get_clock().now().nanoseconds == 6_000_000_001
        assert node.tally.refused == {"/clock": 2} and not node.tally.errors
    finally:
        node.destroy_node()
        rclpy.shutdown()


# -- the gate and the twin, when something fails ----------------------------------------------------------------------


def test_a_gate_whose_core_fails_stands_still_and_says_so(ros_environment: dict[str, str]) -> None:
    with fuzzed("gate panda_twin") as found:
        found.alive()
        gate, step = found.node._stepper.gate, found.node._stepper.gate.step

        def fails(state: Any, inputs: Any, now: Any) -> Any:
            if inputs.chunks:
                raise ZeroDivisionError("in the core")
            return step(state, inputs, now)

        gate.step = fails
        before = found.node._state.command
        tell(found.node, sound_messages(found.contract, number=10**6), "policy/chunk")
        found.node._tick(found.node._now())
        output = found.node._output
        assert output.mode is Mode.FAULT and output.reason is Reason.INTERNAL
        assert np.abs(output.target - before).max() < 0.01 and found.node._state.plan.path is None
        assert "ZeroDivisionError" in found.node.tally.last
        for _ in range(100):
            time.sleep(0.005)
            found.node._tick(found.node._now())
        still = found.node._output.target
        found.node._tick(found.node._now())
        assert found.node._output.target == pytest.approx(still, abs=1e-6)
        gate.step = step
        found.alive()  # a person resets it, and it runs


def test_a_gate_whose_core_fails_even_at_rest_sends_nothing_and_lives(ros_environment: dict[str, str]) -> None:
    with fuzzed("gate panda_twin") as found:
        found.alive()
        step, sent = found.node._stepper.gate.step, []

        def fails(*args: Any) -> Any:
            raise ZeroDivisionError("always")

        found.node._stepper.gate.step = fails
        found.node._send = lambda *args: sent.append(args)
        for _ in range(5):
            found.node._tick(found.node._now())
            time.sleep(0.01)
        assert not sent and found.node.tally.errors >= 10 and found.node._state.mode is Mode.FAULT
        del found.node._send
        found.node._stepper.gate.step = step
        found.alive()


@pytest.mark.parametrize("size", [1e7, 1e160, 1e308, -1e308])
def test_a_measurement_beyond_all_measure_is_a_bad_state(ros_environment: dict[str, str], size: float) -> None:
    from real.ros.messages import pose_message

    with fuzzed("gate inspire") as found:
        found.alive()
        hearing = found.node._gate_subscriptions
        hearing._state(
            "pose",
            serialize_message(pose_message(np.array([0.4, 0, size]), np.array([0, 0, 0, 1.0]), time.time_ns(), "base")),
        )
        found.node._tick(found.node._now())
        assert found.node._output.mode is Mode.HOLD and np.isfinite(found.node._output.target).all()
        assert not found.node.tally.errors
        found.alive()


def test_what_fails_in_the_gates_node_reaches_its_core(ros_environment: dict[str, str]) -> None:
    with fuzzed("gate panda_twin") as found:
        found.node.failed("a topic", ValueError("a bug"))
        assert FAILED in found.node._gate_subscriptions.take(0).events


def test_a_twin_in_which_something_fails_stands_and_says_why(ros_environment: dict[str, str]) -> None:
    with fuzzed("twin") as found:
        found.alive()
        found.node.failed("a topic", ValueError("a bug"))
        before = found.node._robot.clock.monotonic_ns()
        found.works()
        assert found.node._robot.clock.monotonic_ns() == before and "a bug" in found.node._error
        found.alive()  # a reset ends it


@pytest.mark.parametrize(
    "name, value",
    [
        ("seed", -1),
        ("seed", 1.5),
        ("seed", None),
        ("seed", "3"),
        ("faults", ["delay state/arm inf"]),
        ("faults", ["clock 1e300"]),
        ("faults", ["drop state/arm nan"]),
        ("faults", ["speed -1"]),
        ("faults", [3]),
        ("faults", ["x" * 10_000]),
        ("faults", ["brakes from 1e9"]),
    ],
)
def test_a_twin_refuses_parameters_that_it_cannot_follow(
    ros_environment: dict[str, str], name: str, value: object
) -> None:
    with fuzzed("twin") as found:
        result = found.node.set_parameters([Parameter(name, value=value)])[0]
        assert not result.successful and result.reason
        found.alive()


def test_a_twin_takes_the_largest_seed(ros_environment: dict[str, str]) -> None:
    with fuzzed("twin", task="twin/lift") as found:
        assert found.node.set_parameters([Parameter("seed", value=2**63 - 1)])[0].successful
        found.alive()
        assert found.node._seed == 2**63 - 1 and not found.node.tally.errors


def test_a_flood_is_not_unpacked_and_what_comes_in_its_time_is() -> None:
    flow = Flow(a_second=1000 * LEAST, burst=10 * LEAST)
    assert sum(flow.passes(1, 0) for _ in range(100)) == 10
    assert [flow.passes(1, round(number * 1e6)) for number in range(2, 50)] == [True] * 48
    assert flow.passes(10**9, round(1e9)), "one that is too large is refused for its size, elsewhere"


def test_nobody_can_ask_a_gate_for_parameters_or_give_it_another_time(ros_environment: dict[str, str]) -> None:
    with fuzzed("gate panda_twin") as found:
        assert not [service for service in found.node.services if "parameters" in service.srv_name]
    with fuzzed("twin") as found:
        assert not found.node.set_parameters([Parameter("use_sim_time", value=True)])[0].successful
