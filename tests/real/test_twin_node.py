"""The twin as a process: the environment's own bits in lock-step, its rates in real time, faults as they are told."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool, Trigger

import sim
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.messages import image_array, pose_message, time_of, values_of, vector_message
from real.ros.signals import driver_sample
from tests.real.conftest import MATCH_S, Program

SEEN = {
    "joint_states": JointState,
    "current_pose": PoseStamped,
    "gripper/joint_states": JointState,
    "observation": JointState,
    "outcome": JointState,
    "driver_state": DiagnosticArray,
    "/clock": Clock,
    "front/color/image_raw": Image,
}


class Beside:
    """A node in the test's process that hears what the twin says.

    Attributes:
        heard: topic -> (monotonic s, message) in order.
    """

    def __init__(self, topics: tuple[str, ...]):
        rclpy.init()
        self.executor, self.node = make_executor(), Node("beside")
        self.executor.add_node(self.node)
        self.heard: dict[str, list[tuple[float, Any]]] = {topic: [] for topic in topics}
        for topic in topics:
            profile = (
                qos.IMAGE if SEEN[topic] is Image else qos.STATUS if topic in ("outcome", "observation") else qos.STATE
            )
            self.node.create_subscription(
                SEEN[topic],
                topic,
                lambda message, topic=topic: self.heard[topic].append((time.monotonic(), message)),
                profile,
            )
        self.episodes: list[dict[str, Any]] = []
        self.node.create_subscription(
            String, "episode", lambda m: self.episodes.append(json.loads(m.data)), qos.LATCHED
        )

    def until(self, condition: Callable[[], Any], what: str, within_s: float = MATCH_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def publisher(self, kind: type, topic: str) -> Any:
        found = self.node.create_publisher(kind, topic, qos.COMMAND)
        self.until(lambda: found.get_subscription_count(), f"the twin listens to {topic}")
        return found

    def call(self, kind: type, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.until(future.done, f"answer of {name}")
        return future.result()

    def set(self, name: str, value: Any) -> Any:
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, "twin/set_parameters", request).results[0]

    def latest(self, topic: str) -> Any:
        return self.heard[topic][-1][1]

    def state(self) -> str:
        return driver_sample(self.latest("driver_state"), 0).state

    def close(self) -> None:
        leave(self.node, self.executor)


@pytest.fixture
def start(ros_environment: dict[str, str]) -> Iterator[Callable[..., Beside]]:
    """Start a twin with parameters, and a node beside it that hears some of its topics."""
    programs: list[Program] = []
    nodes: list[Beside] = []

    def begin(*topics: str, **parameters: object) -> Beside:
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={_yaml(value)}")]
        programs.append(Program("-m", "real.nodes.twin_node", "--ros-args", *words))
        programs[-1].wait_for("ready after")
        nodes.append(Beside(topics))
        nodes[-1].until(lambda: nodes[-1].episodes, "an episode")
        return nodes[-1]

    yield begin
    for node in nodes:
        node.close()
    for each in programs:
        each.process.kill()
        each.finish()


def _yaml(value: object) -> str:
    return json.dumps(value)


def stamps(beside: Beside, topic: str) -> np.ndarray:
    return np.array([time_of(message.header.stamp) for _, message in beside.heard[topic]])


def scripted(seed: int, count: int) -> Iterator[np.ndarray]:
    """Actions that reach about, open and close."""
    random = np.random.default_rng(seed)
    for step in range(count):
        place = np.array([0.45, 0, 0.2]) + 0.1 * np.sin(0.2 * step + random.uniform(0, 3, 3))
        turn = np.array([1, 0, 0, 0, -1, 0]) + random.normal(0, 0.1, 6)
        yield np.concatenate([place, turn, random.uniform(0, 0.08, 1)])


def test_lock_step_gives_the_bits_of_the_environment(start: Callable[..., Beside]) -> None:
    beside = start(
        "observation",
        "outcome",
        "/clock",
        "front/color/image_raw",
        contract="panda_twin",
        task="twin/lift",
        lock_step=True,
    )
    env = sim.make("twin/lift", cameras=("front",), image_size=84)
    command = beside.publisher(Float64MultiArray, "command")
    for seed in (3, 11):
        assert beside.set("seed", seed).successful
        answer = beside.call(Trigger, "twin/reset", Trigger.Request())
        assert answer.success and f"seed {seed}" in answer.message
        beside.until(lambda seed=seed: beside.episodes[-1]["seed"] == seed, "the new episode")
        expected, _ = env.reset(seed=seed)
        beside.until(
            lambda: beside.heard["observation"] and time_of(beside.latest("observation").header.stamp) == 1_000_000_000,
            "the start",
        )
        beside.until(lambda expected=expected: _same(beside, expected), "the start's observation")
        for step, action in enumerate(scripted(seed, 20)):
            stamp_ns = time_of(beside.latest("observation").header.stamp)
            assert stamp_ns == 1_000_000_000 + step * 50_000_000
            for _ in range(2):  # the second comes for a state that is gone, and is not obeyed
                command.publish(vector_message(action, stamp_ns))
            expected, _, terminated, _, info = env.step(action)
            beside.until(lambda s=stamp_ns: time_of(beside.latest("observation").header.stamp) > s, "the next state")
            assert _same(beside, expected), f"seed {seed}, step {step}"
            beside.until(
                lambda step=step: beside.heard["outcome"] and values_of(beside.latest("outcome"))["steps"] == step + 1,
                "the outcome",
            )
            outcome = values_of(beside.latest("outcome"))
            assert outcome["success"] == info["success"] and outcome["terminated"] == terminated
    beside.until(
        lambda: (
            time_of(beside.heard["front/color/image_raw"][-1][1].header.stamp)
            == time_of(beside.latest("observation").header.stamp)
        ),
        "the last image",
    )
    assert np.array_equal(image_array(beside.latest("front/color/image_raw")), expected["front.image"])
    env.close()


def _same(beside: Beside, expected: dict[str, np.ndarray]) -> bool:
    seen = values_of(beside.latest("observation"))
    numbers = {key: value for key, value in expected.items() if value.dtype.kind == "f"}
    return set(seen) == set(numbers) and all(np.array_equal(seen[key], np.ravel(numbers[key])) for key in numbers)


@pytest.mark.parametrize(
    "speed", [pytest.param(0.5, marks=pytest.mark.slow), 1.0, pytest.param(2.0, marks=pytest.mark.slow)]
)
def test_real_time_keeps_its_pace(start: Callable[..., Beside], speed: float) -> None:
    beside = start("joint_states", "/clock", contract="panda_twin", clock=True, speed=speed, images=False)
    beside.until(lambda: len(beside.heard["/clock"]) > 10, "the clock")
    beside.spin(4.0)
    (first_s, first), (last_s, last) = beside.heard["/clock"][5], beside.heard["/clock"][-1]
    passed_s = (time_of(last.clock) - time_of(first.clock)) * 1e-9
    assert passed_s == pytest.approx(speed * (last_s - first_s), rel=0.1)
    seen = stamps(beside, "joint_states")
    assert (np.diff(seen) > 0).all()
    assert len(seen) <= 200 * (seen[-1] - seen[0]) * 1e-9 + 2  # the contract's rate, of the twin's time


def test_the_arm_follows_the_exact_sink_in_real_time(start: Callable[..., Beside]) -> None:
    beside = start("current_pose", contract="panda_twin", images=False)
    command = beside.publisher(Float64MultiArray, "command")
    target = np.array([0.5, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.04])
    beside.until(lambda: beside.heard["current_pose"], "a pose")
    for _ in range(20):
        command.publish(vector_message(target))
        beside.spin(0.05)
    place = beside.latest("current_pose").pose.position
    assert [place.x, place.y, place.z] == pytest.approx(target[:3], abs=2e-3)


def test_a_reset_sets_time_back_and_bumps_the_epoch(start: Callable[..., Beside]) -> None:
    beside = start("joint_states", "driver_state", contract="panda_twin", task="twin/lift", clock=True, images=False)
    beside.until(lambda: len(beside.heard["joint_states"]) > 200, "a second of states")
    before = beside.episodes[-1]["epoch"]
    beside.call(Trigger, "twin/reset", Trigger.Request())
    beside.until(lambda: beside.episodes[-1]["epoch"] == before + 1, "the next epoch")
    beside.until(lambda: (np.diff(stamps(beside, "joint_states")) < 0).any(), "time that runs back")
    beside.until(
        lambda: beside.latest("driver_state").status[0].values[0].value == f"epoch {before + 1}", "the driver's word"
    )


def test_a_pause_stops_states_but_not_the_driver_and_a_step_takes_one_period(start: Callable[..., Beside]) -> None:
    beside = start("joint_states", "driver_state", contract="panda_twin", clock=True, images=False)
    beside.until(lambda: len(beside.heard["joint_states"]) > 20, "states")
    assert beside.call(SetBool, "twin/set_pause", SetBool.Request(data=True)).success
    beside.until(lambda: beside.state() == "paused", "the pause")
    count, last = len(beside.heard["joint_states"]), stamps(beside, "joint_states")[-1]
    beside.spin(0.3)
    assert len(beside.heard["joint_states"]) == count
    assert beside.call(Trigger, "twin/step", Trigger.Request()).success
    beside.until(lambda: len(beside.heard["joint_states"]) == count + 1, "one more state")
    assert stamps(beside, "joint_states")[-1] - last == pytest.approx(50e6, abs=6e6)


def test_faults_are_told_while_it_runs(start: Callable[..., Beside]) -> None:
    beside = start("joint_states", "current_pose", "driver_state", contract="panda_twin_crisp", images=False)
    beside.until(lambda: len(beside.heard["joint_states"]) > 20, "states")
    refused = beside.set("faults", ["freze state/arm"])
    assert not refused.successful and "freeze" in refused.reason

    assert beside.set("faults", ["freeze state/arm", "brakes"]).successful
    beside.until(lambda: beside.state() == "user stop", "the user stop")
    held = stamps(beside, "joint_states")[-1]
    beside.spin(0.2)
    assert stamps(beside, "joint_states")[-1] == held
    before = beside.latest("current_pose").pose.position.y
    pose = beside.publisher(PoseStamped, "target_pose")
    beside.until(lambda: beside.heard["driver_state"], "the driver")
    for _ in range(10):
        pose.publish(pose_message(np.array([0.45, 0.1, 0.3]), np.array([1.0, 0, 0, 0]), 0, "base"))
        beside.spin(0.05)
    assert beside.latest("current_pose").pose.position.y == pytest.approx(before, abs=1e-3)

    assert beside.set("faults", [""]).successful
    beside.until(lambda: beside.state() == "running", "the end of the stop")
    beside.until(lambda: beside.latest("current_pose").pose.position.y > 0.09, "the jump to where crisp was told")


def test_crisp_behind_its_topic_is_mute_with_two_publishers(start: Callable[..., Beside]) -> None:
    beside = start("current_pose", contract="panda_twin_crisp", images=False)
    first, second = (beside.publisher(PoseStamped, "target_pose") for _ in range(2))
    assert beside.node.count_publishers("target_pose") == 2
    beside.spin(0.5)
    for _ in range(10):
        first.publish(pose_message(np.array([0.45, 0.1, 0.3]), np.array([1.0, 0, 0, 0]), 0, "base"))
        beside.spin(0.05)
    assert beside.latest("current_pose").pose.position.y == pytest.approx(0, abs=5e-3)
    beside.node.destroy_publisher(second)
    for _ in range(40):
        first.publish(pose_message(np.array([0.45, 0.1, 0.3]), np.array([1.0, 0, 0, 0]), 0, "base"))
        beside.spin(0.05)
    assert beside.latest("current_pose").pose.position.y == pytest.approx(0.1, abs=1e-2)
