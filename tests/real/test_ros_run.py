"""The life of a node's process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from tests.real.conftest import MATCH_S

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

if TYPE_CHECKING:
    from rclpy.executors import Executor

NODE = """
import sys
from rclpy.node import Node
from real.ros.clock import RosClock
from real.process.parameters import declare
from real.process.run import Stop, run_node

class Probe(Node):
    ready, ending = False, None

    def __init__(self):
        super().__init__("probe")
        self.ends = declare(self, "ends", "", "how it ends", choices=("", "stop", "bug"))
        self.rate = declare(self, "rate", 100.0, "Hz", low=1.0, high=1000.0)
        self.create_timer(1 / self.rate, self.tick)
        self.count = 0

    def tick(self):
        self.count += 1
        if self.count == 20:
            self.ready = True
        if self.count == 40 and self.ends == "stop":
            self.ending = Stop("has seen enough", 3)
        if self.count == 40 and self.ends == "bug":
            raise ValueError("a bug")

    def on_stop(self):
        print("last word", self.count >= 20, flush=True)

sys.exit(run_node(Probe))
"""
TALKER = """
from rclpy.node import Node
from std_msgs.msg import Header
from real.ros import qos
from real.process.run import run_node

class Talker(Node):
    def __init__(self):
        super().__init__("talker")
        self.topic = self.create_publisher(Header, "talk", qos.STATE_OUT)
        self.create_timer(0.01, lambda: self.topic.publish(Header()))

run_node(Talker)
"""
Start = Callable[..., object]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executor", ["events", "single"])
def test_a_signal_ends_a_node_soon_and_after_its_last_word(program, number, executor) -> None:
    node = program(NODE, TILLER_EXECUTOR=executor)
    ready = node.wait_for("ready after")
    assert "/probe" in ready and "domain" in ready and "localhost" in ready
    assert node.signal(number) < 2.0
    assert node.process.returncode == 0
    assert node.lines.count("last word True") == 1


def test_a_node_says_ready_only_when_it_is(program) -> None:
    node = program(NODE)
    node.wait_for("ready after")
    node.signal(signal.SIGINT)
    assert "last word True" in node.lines  # it had ticked 20 times, which is what ready means here


def test_a_driver_stays_a_moment_after_the_signal(program) -> None:
    node = program(NODE, TILLER_LINGER_S="0.6")
    node.wait_for("ready after")
    assert 0.6 <= node.signal(signal.SIGINT) < 2.6
    assert node.process.returncode == 0


def test_a_signal_that_comes_twice_at_once_does_not_take_the_last_word(program) -> None:
    node = program(NODE, TILLER_LINGER_S="0.3")
    node.wait_for("ready after")
    node.process.send_signal(signal.SIGINT)
    node.signal(signal.SIGINT)
    assert node.process.returncode == 0 and "last word True" in node.lines


def test_a_node_ends_when_its_supervisor_is_gone(program) -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    node = program(NODE, TILLER_PARENT=str(ended.pid))
    assert node.finish() == 0
    assert not any("ready" in line for line in node.lines)


def test_a_node_that_is_told_to_end_winds_down_first(program) -> None:
    node = program(
        NODE.replace(
            "def on_stop",
            """def wind_down(self):
        if not hasattr(self, "asked"):
            self.asked = self.count
        return self.count >= self.asked + 30

    def on_stop""",
        ).replace('"last word", self.count >= 20', '"last word", self.count >= self.asked + 30')
    )
    node.wait_for("ready after")
    assert 0.2 < node.signal(signal.SIGINT) < 3.0  # 30 ticks of 10 ms, while the node goes on turning
    assert node.process.returncode == 0 and "last word True" in node.lines


def test_a_node_that_does_not_come_to_rest_ends_all_the_same(program) -> None:
    node = program(
        NODE.replace(
            "def on_stop",
            """def wind_down(self):
        return False

    def on_stop""",
        )
    )
    node.wait_for("ready after")
    assert 0.9 < node.signal(signal.SIGTERM) < 4.0
    assert node.process.returncode == 0 and "last word True" in node.lines


@pytest.mark.parametrize("variables", [{"TILLER_LINGER_S": "1.5"}, {"TILLER_ORPHAN_LINGER_S": "1.5"}])
def test_a_driver_stays_a_moment_when_its_supervisor_is_gone(program, variables) -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    node = program(NODE, TILLER_PARENT=str(ended.pid), **variables)
    assert node.finish() == 0
    assert any("ready" in line for line in node.lines)  # after 0.2 s of the 1.5


def test_a_variable_that_makes_no_sense_is_one_message(program) -> None:
    node = program(NODE, TILLER_PARENT="somebody")
    assert node.finish() == 2
    assert any("TILLER_PARENT" in line and "'somebody'" in line for line in node.lines)
    assert not any("Traceback" in line for line in node.lines)


def test_a_node_can_end_its_process_with_a_reason(program) -> None:
    node = program(NODE, "--ros-args", "-p", "ends:=stop")
    assert node.finish() == 3
    assert "/probe: has seen enough" in node.lines and "last word True" in node.lines
    assert not any("FATAL" in line or "Traceback" in line for line in node.lines)


@pytest.mark.parametrize("executor", ["events", "single"])
@pytest.mark.parametrize("base", ["real.ros.guarded import Guarded as Node", "rclpy.node import Node"])
def test_a_bug_is_said_with_its_trace_and_ends_nothing(program, base, executor) -> None:
    source = NODE.replace("rclpy.node import Node", base).replace("print(", "print('ticks', self.count); print(")
    node = program(source, "--ros-args", "-p", "ends:=bug", TILLER_EXECUTOR=executor)
    node.wait_for("ValueError: a bug")
    time.sleep(0.5)
    node.signal(signal.SIGTERM)
    assert node.process.returncode == 0 and "last word True" in node.lines
    assert any(line.startswith("ticks ") and int(line.split()[1]) > 60 for line in node.lines), node.lines


def test_a_node_that_cannot_be_made_ends_with_its_traceback(program) -> None:
    node = program(NODE.replace('super().__init__("probe")', 'raise ValueError("a bug")'))
    assert node.finish() == 1 and "ValueError: a bug" in node.lines


@pytest.mark.parametrize(
    "words, message",
    [
        (("-p", "rtae:=3.0"), "Did you mean 'rate'?"),
        (("-p", "rate:=5000.0"), "1.0 to 1000.0"),
        (("-p", "rate:=fast"), "expected float"),
        (("-p", "ends:=stpo"), "Did you mean 'stop'?"),
        (("-r", "nonsense"), "expected --ros-args -p NAME:=VALUE"),
    ],
)
def test_what_is_asked_wrongly_is_one_message(program, words, message) -> None:
    node = program(NODE, "--ros-args", *words)
    assert node.finish() == 2
    assert any(message in line for line in node.lines), node.lines
    assert not any("Traceback" in line for line in node.lines)


def test_who_has_left_is_heard_no_more(ros_environment: dict[str, str], program: Start) -> None:
    import rclpy
    from rclpy.node import Node
    from std_msgs.msg import Header, String

    from real.process.run import leave, make_executor
    from real.ros import qos

    def join(name: str) -> tuple[Node, Executor]:
        rclpy.init()
        node, executor = Node(name), make_executor()
        executor.add_node(node)
        return node, executor

    program(TALKER)
    first, turning = join("first")
    heard: list[Header] = []
    first.create_subscription(Header, "talk", heard.append, qos.STATE)
    first.create_publisher(String, "word", qos.LATCHED).publish(String(data="old"))
    end = time.monotonic() + MATCH_S
    while len(heard) < 20 and time.monotonic() < end:
        turning.spin_once(timeout_sec=0.02)
    leave(first, turning)
    assert len(heard) >= 20
    second, executor = join("second")
    words: list[String] = []
    second.create_subscription(String, "word", words.append, qos.LATCHED)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.02)
    found = second.count_publishers("word")
    leave(second, executor)
    assert found == 0 and not words


@pytest.mark.parametrize("base", ["rclpy.node import Node", "rclpy.lifecycle import LifecycleNode as Node"])
def test_a_node_that_ends_leaves_no_shared_memory_behind(program: Start, base: str) -> None:
    others = set(Path("/dev/shm").iterdir())  # a node maps those of its neighbours too
    node = program(NODE.replace("rclpy.node import Node", base))
    node.wait_for("ready after")
    mapped = Path(f"/proc/{node.process.pid}/maps").read_text().split()
    segments = {Path(word) for word in mapped if word.startswith("/dev/shm/") and "fastdds" in word}
    assert segments
    node.signal(signal.SIGTERM)
    own = {
        each
        for each in segments - others
        if each.name.startswith("fastdds_") and not each.name.startswith("fastdds_port")
    }
    assert own and not any(each.exists() for each in own)
