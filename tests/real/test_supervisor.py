"""The sign of life, and what a person sees of a running graph."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import Any, Callable, Iterator

import numpy as np
import pytest

from real.supervision.board import BAD, GOOD, MOST_PROCESSES, POOR, Board, line_of, page_of
from real.supervision.screen import Screen
from robot.contract.wiring import Ages
from tests.real.conftest import MATCH_S, end_process

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.messages import joint_state_message, string_message
from real.ros.signals import ERROR, OK, alive_message, status_message

# -- what is known -----------------------------------------------------------------------------------------------------


def board() -> Board:
    return Board({"arm": Ages(0.01, 0.05, 0.5), "pose": Ages(0.01, 0.05, 0.5)})


def test_a_stream_is_as_good_as_the_gate_takes_it() -> None:
    found = board()
    for step in range(101):
        found.stream("arm", 10 + step * 0.005)
    levels = [found.streams["arm"].level(10.5 + age) for age in (0.005, 0.03, 0.06)]
    assert levels == [GOOD, POOR, BAD]
    assert found.stream_text("arm", 10.52) == "200 Hz, 20 ms old"
    assert found.streams["pose"].level(10.5) == BAD and found.stream_text("pose", 10.5) == "not heard"


def test_what_anybody_may_say_leaves_the_board_readable() -> None:
    found = board()
    told = {
        "count_speed": "3",
        "count_long": "9" * 5000,
        "count_minus": "--5",
        "count_foreign": "٣",
        "count_less": "-1",
    }
    assert found.status("gate", GOOD, "x" * 100_000, told, 10.0)
    assert found.counts() == {"speed": 3}
    taken = [found.status(f"stranger {number}", GOOD, "", {}, 10.0) for number in range(1000)]
    assert sum(taken) == MOST_PROCESSES - 1 and found.status("gate", GOOD, "run", {}, 11.0)
    assert max(map(len, page_of(found, 10.0, "", ""))) < 5000


def test_a_process_that_falls_silent_is_as_bad_as_one_that_complains() -> None:
    found = board()
    found.status("policy", GOOD, "planning", {}, 10.0)
    assert found.level_of("policy", 11.0) == GOOD
    assert found.level_of("policy", 13.0) == BAD and "silent for 3 s" in found.process_text("policy", 13.0)
    assert "policy: silent for 3 s" in line_of(found, 13.0, "alive")


def test_the_page_says_why_the_gate_stands_and_what_it_counted() -> None:
    found = board()
    assert "gate not heard of" in page_of(found, 1.0, "title", "alive")[2]
    assert found.state("run policy", 10.0, "12:00:00")
    assert not found.state("run policy", 11.0, "12:00:01")
    assert found.state("hold state_stale", 12.0, "12:00:02")
    found.status("gate", POOR, "hold", {"count_speed": "3", "count_state_stale": "40", "tick_p99_ms": "0.2"}, 12.0)
    page = page_of(found, 14.5, "title", "alive")
    assert "hold: a state stream is too old  for 2.5 s" in page[2]
    assert any("counted state_stale 40, speed 3" in row for row in page)
    assert page[-2:] == ["  12:00:02  hold: a state stream is too old", "  12:00:00  run: following the policy"]


# -- how it is shown ---------------------------------------------------------------------------------------------------


class Terminal:
    """A pseudo terminal of a size, and what was written to it."""

    def __init__(self, columns: int = 60, rows: int = 10):
        self.person, self.inner = pty.openpty()
        fcntl.ioctl(self.inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.person, False)
        self.text = ""

    def read(self) -> str:
        with suppress(OSError):  # nothing there, or its other end is closed
            self.text += os.read(self.person, 1 << 16).decode()
        return self.text

    def until(self, condition: Callable[[str], Any], what: str, within_s: float = 10.0) -> str:
        end = time.monotonic() + within_s
        while not condition(self.read()):
            assert time.monotonic() < end, f"not within {within_s} s: {what}: {self.text[-500:]!r}"
            time.sleep(0.01)
        return self.text

    def close(self) -> None:
        os.close(self.person)


def test_a_page_is_painted_over_and_the_terminal_left_as_it_was() -> None:
    terminal = Terminal(20, 3)
    screen = Screen(os.fdopen(terminal.inner, "w"))
    screen.page(["one", "two", "three", "four, which does not fit"])
    first = terminal.until(lambda text: "three" in text, "a page")
    assert "four" not in first and "\x1b[2J" not in first  # nothing is erased before it is written
    screen.page(["wider than twenty columns", "\x1b]0;evil\x07"])
    text = terminal.until(lambda text: "evil" in text, "the next page")
    assert text.count("\x1b[?1049h") == 1 and "wider than twenty co\x1b" in text
    assert "\x1b]0;" not in text and "\x07" not in text  # texts of others steer no terminal
    screen.close()
    assert "\x1b[?25h\x1b[?1049l" in terminal.read()
    terminal.close()


def test_a_reader_that_stands_still_stops_nobody() -> None:
    reading, writing = os.pipe()
    screen = Screen(os.fdopen(writing, "w"))
    for number in range(5000):  # far more than a pipe holds
        screen.line(f"line {number} " + "x" * 200)
    screen.close()
    os.close(reading)


# -- the node ----------------------------------------------------------------------------------------------------------


class Graph:
    """The rest of a graph: hears the sign of life, and says what it is told to."""

    def __init__(self) -> None:
        rclpy.init()
        self.node, self.executor = Node("rest"), make_executor()
        self.executor.add_node(self.node)
        self.alive: list[Header] = []
        self.status: list[str] = []
        self.node.create_subscription(Header, "alive", self.alive.append, qos.STATE)
        self.node.create_subscription(DiagnosticArray, "status", self._status_came, qos.STATUS)
        self._state = self.node.create_publisher(String, "gate/state", qos.LATCHED)
        self._status = self.node.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self._joints = self.node.create_publisher(JointState, "joint_states", qos.STATE_OUT)

    def _status_came(self, message: DiagnosticArray) -> None:
        self.status += [f"{line.name}: {line.message}" for line in message.status]

    def gate(self, line: str) -> None:
        self._state.publish(string_message(line))

    def process(self, name: str, level: bytes, text: str) -> None:
        self._status.publish(status_message(name, level, text, {}, 0))

    def joints(self) -> None:
        self._joints.publish(joint_state_message(["panda_joint1"], np.zeros(1), 0))

    def until(self, condition: Callable[[], Any], what: str, within_s: float = MATCH_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, name: str) -> Any:
        client = self.node.create_client(Trigger, name)
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(Trigger.Request())
        self.until(future.done, f"answer of {name}")
        return future.result()

    def close(self) -> None:
        leave(self.node, self.executor)


@pytest.fixture
def graph(ros_environment: dict[str, str]) -> Iterator[Graph]:
    found = Graph()
    yield found
    found.close()


@pytest.fixture
def supervisor(ros_environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(stdout: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "real.nodes.supervisor_node"], stdout=stdout, text=True, start_new_session=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        end_process(process)
        if process.stdout is not None:
            process.stdout.close()


def test_a_stop_is_the_absence_of_the_sign_of_life(graph: Graph, supervisor: Callable[..., Any]) -> None:
    process = supervisor()
    graph.until(lambda: len(graph.alive) > 20, "signs of life", 60)
    assert len({message.frame_id for message in graph.alive}) == 1
    assert graph.call("supervisor/stop").success
    graph.until(lambda: "supervisor: stopped" in graph.status, "the stop in the status")
    count = len(graph.alive)
    graph.status.clear()
    graph.until(lambda: len(graph.status) >= 2, "a second of status")
    assert len(graph.alive) == count
    assert graph.call("supervisor/resume").success
    graph.until(lambda: len(graph.alive) > count + 20, "signs of life again")
    assert not graph.call("supervisor/resume").success
    process.terminate()
    assert process.wait(timeout=10) == 0


def test_a_stop_says_when_another_keeps_the_gate_running(graph: Graph, supervisor: Callable[..., Any]) -> None:
    supervisor()
    graph.until(lambda: graph.alive, "signs of life", 60)
    other = graph.node.create_publisher(Header, "alive", qos.STATE_OUT)
    other.publish(alive_message(1, "another"))
    graph.until(lambda: any("1 more publish" in line for line in graph.status), "the other one is noticed")
    answer = graph.call("supervisor/stop")
    assert not answer.success and "1 more" in answer.message


def test_without_a_terminal_a_line_comes_at_each_change(graph: Graph, supervisor: Callable[..., Any]) -> None:
    process = supervisor()
    graph.until(lambda: graph.alive, "signs of life", 60)
    graph.process("policy", ERROR, "3 plans refused")
    lines: list[str] = []
    os.set_blocking(process.stdout.fileno(), False)

    def said(text: str) -> bool:
        line = process.stdout.readline()
        lines.extend([line.rstrip()] if line else [])
        return any(text in each for each in lines)

    graph.until(lambda: any(line == "policy: 3 plans refused" for line in graph.status), "the status is out")
    for line, text in (("hold no_chunk", "hold: waiting for a chunk"), ("run policy", "run: following the policy")):
        graph.gate(line)
        graph.until(lambda text=text: said(text), text)
    assert "\x1b" not in "".join(lines)
    assert "policy: 3 plans refused" in lines[-1] and "arm not heard" in lines[-1]
    graph.gate("run policy")  # the same again is no change
    graph.gate("fault driver")
    graph.until(lambda: said("fault: the driver does not run"), "the fault")
    assert sum("run: following" in line for line in lines) == 1


def test_on_a_terminal_a_page_shows_gate_processes_and_streams(graph: Graph, supervisor: Callable[..., Any]) -> None:
    terminal = Terminal(100, 30)
    process = supervisor(terminal.inner)
    os.close(terminal.inner)
    graph.until(lambda: graph.alive, "signs of life", 60)
    graph.gate("run policy")
    graph.process("policy", OK, "planning")
    timer = graph.node.create_timer(0.01, graph.joints)
    graph.until(
        lambda: all(text in terminal.read() for text in ("run: following the policy", "planning", "Hz, ")), "the page"
    )
    timer.cancel()
    process.terminate()
    assert process.wait(timeout=10) == 0
    last = terminal.read().split("\x1b[?25h\x1b[?1049l")[-1]
    assert last.startswith("run: following the policy | no more sign of life")
    terminal.close()


def test_a_status_in_a_pipe_is_a_line_when_something_changed_and_its_last_state_is_not_lost(monkeypatch) -> None:
    reading, writing = os.pipe()
    screen = Screen(os.fdopen(writing, "w"))
    now_s = [0.0]
    monkeypatch.setattr("real.supervision.screen.time.monotonic", lambda: now_s[0])
    for tick in range(200):  # 40 s at 5 Hz, of which two changes matter
        now_s[0] += 0.2
        screen.over(f"tick {tick}", state=("held", tick >= 50))
    screen.over("tick 200", state="within a second of nothing")
    screen.over("tick 201", state="the last")
    screen.close()
    with os.fdopen(reading) as pipe:
        os.set_blocking(reading, False)
        assert pipe.read().splitlines() == ["tick 0", "tick 50", "tick 200", "tick 201"]


def test_a_status_in_a_dumb_terminal_is_a_line_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    screen = Screen(os.fdopen(terminal.inner, "w"))
    screen.over("held", state="held")
    screen.over("held, 9 s", state="held")
    screen.close()
    assert terminal.read() == "held\r\n"
    terminal.close()


def test_log_lines_stand_above_the_status_of_a_terminal_and_not_in_it() -> None:
    terminal = Terminal()
    screen = Screen(os.fdopen(terminal.inner, "w"))
    screen.over("status one")
    terminal.until(lambda text: "status one" in text, "the status")
    screen.line("a warning")
    shown = terminal.until(lambda text: text.count("status one") == 2, "the status again").replace("\x1b[K", "")
    assert shown == "\rstatus one\ra warning\r\n\rstatus one"
    screen.close()
    terminal.close()
