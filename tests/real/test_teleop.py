"""The teleoperation's process: a person's keys and sticks to the messages that gate and recorder get."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.chunks import trajectory_message
from real.ros.messages import string_message
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.rest import rest_target
from tests.real.conftest import MATCH_S, end_process
from tests.real.person_devices import Keys, Pad

SENT = np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0, 0.08])
COLUMNS = 220


class Robot:
    """The gate's side: says what it sends, and hears the person."""

    def __init__(self) -> None:
        rclpy.init()
        self.node, self.executor = Node("robot"), make_executor()
        self.executor.add_node(self.node)
        self.names = action_spec(load_contract("panda_twin")).component_names
        self.sent, self.silent = SENT, False
        self.follows = True
        self.held: list[Any] = []
        self.targets: list[Any] = []
        self._say = self.node.create_publisher(JointTrajectory, "gate/sent", qos.STATUS)
        self.node.create_subscription(Joy, "enable_held", self.held.append, qos.STATE)
        self.node.create_subscription(JointTrajectory, "teleop/target", self._target_came, qos.COMMAND)
        self.node.create_timer(0.01, self._tick)

    def _tick(self) -> None:
        if not self.silent:
            now_ns = self.node.get_clock().now().nanoseconds
            self._say.publish(trajectory_message(np.stack([SENT + 1, self.sent]), self.names, now_ns, 0, "policy|1||"))

    def _target_came(self, message: Any) -> None:
        self.targets.append(message)
        if self.follows:
            self.sent = np.array(message.points[0].positions)

    @property
    def is_held(self) -> bool:
        return bool(self.held) and self.held[-1].buttons[0] == 1

    @property
    def is_taken(self) -> bool:
        return bool(self.held) and self.held[-1].buttons[1] == 1

    @property
    def target(self) -> np.ndarray:
        """The newest target of the person."""
        return np.array(self.targets[-1].points[0].positions)

    def until(self, condition: Callable[[], Any], what: str, within_s: float = MATCH_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def turn(self, ticks: int = 20) -> None:
        """Until so many more signs of the enabling device have come."""
        heard = len(self.held)
        self.until(lambda: len(self.held) >= heard + ticks, "signs of the enabling device")

    def rest(self) -> None:
        """Until the target stays where it is."""

        def constant() -> bool:
            before = self.target
            self.turn()
            return np.array_equal(self.target, before)

        self.until(constant, "a constant target")

    def close(self) -> None:
        leave(self.node, self.executor)


class Recorder:
    """A recorder that records nothing: its services and its state.

    Attributes:
        asked: services that were called, with their boolean.
        state: as it is published.
    """

    def __init__(self, robot: Robot) -> None:
        self.asked: list[str] = []
        self.state: dict[str, Any] = {"state": "ready", "episodes": 3, "goal": 50}
        node = robot.node
        self._publisher = node.create_publisher(String, "recorder/state", qos.LATCHED)
        for name in ("start", "save", "discard"):
            node.create_service(Trigger, f"recorder/{name}", self._answer(name))
        for name in ("label", "pause"):
            node.create_service(SetBool, f"recorder/{name}", self._answer(name))
        self.tell()

    def tell(self, **changes: Any) -> None:
        """Publish the state, with changes."""
        self.state.update(changes)
        self._publisher.publish(string_message(json.dumps(self.state)))

    def _answer(self, name: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            data = getattr(request, "data", None)
            self.asked.append(name if data is None else f"{name} {data}")
            response.success, response.message = True, "as asked"
            states = {"start": "recording", "save": "saving", "discard": "waiting", "pause": "paused"}
            if name in states:
                self.tell(state=states[name] if data is not False else "recording")
            return response

        return answer


class Shown:
    """What a person sees in the terminal.

    Args:
        robot: whose messages go on meanwhile.
        fd: the person's side of the terminal.
    """

    def __init__(self, robot: Robot, fd: int) -> None:
        self._robot, self._fd, self.text = robot, fd, ""
        os.set_blocking(fd, False)

    def until(self, words: str) -> None:
        """Until words stand in the terminal that were not there before."""
        self.text = ""

        def seen() -> bool:
            with suppress(OSError):
                self.text += os.read(self._fd, 1 << 16).decode()
            return words in self.text

        self._robot.until(seen, words)


@pytest.fixture
def robot(ros_environment: dict[str, str]) -> Iterator[Robot]:
    found = Robot()
    yield found
    found.close()


@pytest.fixture
def teleop(ros_environment: dict[str, str]) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    """Start the node; returns it with the person's side of its terminal."""
    started: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(*words: str) -> tuple[subprocess.Popen[bytes], int]:
        person, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "real.nodes.teleop_node", "--ros-args", *words],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        started.append((process, person))
        return process, person

    yield start
    for process, person in started:
        end_process(process)
        with suppress(OSError):
            os.close(person)


@pytest.fixture
def pad(tmp_path: Path) -> Pad:
    return Pad(tmp_path / "js0")


def test_a_person_at_the_keyboard_takes_the_robot_keeps_it_at_rest_and_gives_it_back(
    robot: Robot, teleop: Callable[..., Any]
) -> None:
    process, person = teleop()
    robot.until(lambda: robot.held, "the enabling device", 60)
    shown = Shown(robot, person)
    os.write(person, b"w")
    robot.turn()
    assert not robot.is_held and not robot.is_taken and not robot.targets  # a key alone moves nothing
    os.write(person, b"e")
    robot.until(lambda: robot.is_held, "the person holds")
    robot.turn()
    assert not robot.is_taken and not robot.targets  # held and at rest: the policy drives
    os.write(person, b"www")
    robot.until(lambda: len(robot.targets) > 5, "targets")
    first = robot.targets[0]
    assert robot.is_taken
    assert tuple(first.joint_names) == robot.names and len(first.points) == 1
    assert np.abs(np.array(first.points[0].positions) - SENT).max() < 2e-3  # from what was sent
    shown.until("you have the robot: b gives it back")
    robot.rest()
    assert robot.is_held and robot.sent[0] > SENT[0] + 0.01 and robot.sent[1:] == pytest.approx(SENT[1:])
    os.write(person, b" ")
    robot.until(lambda: not robot.is_held, "the person lets go")
    count = len(robot.targets)
    robot.follows, robot.sent = False, SENT  # the robot is elsewhere when the person holds again
    robot.turn()
    assert robot.is_taken and len(robot.targets) > count and robot.target == pytest.approx(SENT)
    os.write(person, b"e")
    robot.until(lambda: robot.is_held, "the person holds again")
    robot.turn()
    assert robot.target == pytest.approx(SENT)
    os.write(person, b"b")
    robot.until(lambda: not robot.is_taken, "it is given back")
    robot.turn(5)
    count = len(robot.targets)
    robot.turn()
    assert len(robot.targets) == count and robot.is_held
    process.terminate()
    robot.until(lambda: process.poll() is not None, "the end")
    robot.until(lambda: not robot.is_held, "the last word")
    assert process.returncode == 0


def test_a_gamepad_moves_nobody_while_the_gate_is_silent_and_unplugged_it_lets_go_of_a_robot_that_stays_taken(
    robot: Robot, pad: Pad, teleop: Callable[..., Any]
) -> None:
    teleop("-p", "device:=gamepad", "-p", f"path:={pad.path}")
    robot.until(lambda: robot.held, "the enabling device", 60)
    pad.button("left_shoulder")
    robot.until(lambda: robot.is_held, "the person holds")
    pad.axis("left_stick_y", -1.0)
    robot.until(lambda: robot.targets, "targets")
    robot.silent = True
    robot.turn(30)
    count = len(robot.targets)
    robot.turn(10)
    assert len(robot.targets) == count
    robot.silent = False
    robot.until(lambda: len(robot.targets) > count, "targets")
    pad.unplug()
    robot.until(lambda: not robot.is_held, "it has let go")
    robot.rest()
    pad.plug()
    robot.turn(60)
    assert not robot.is_held and robot.is_taken


def test_held_keys_move_and_releasing_the_enabling_key_stops(
    robot: Robot, tmp_path: Path, teleop: Callable[..., Any]
) -> None:
    keys = Keys(tmp_path / "event0")
    teleop("-p", "device:=evdev_keyboard", "-p", f"path:={keys.path}")
    robot.until(lambda: robot.held, "the enabling device", 60)
    keys.key("capslock")
    robot.until(lambda: robot.is_held, "the person holds")
    keys.key("a")
    robot.until(lambda: robot.sent[1] > 0.02, "motion")
    keys.release("capslock")
    robot.until(lambda: not robot.is_held, "the key is up")
    robot.rest()
    assert robot.is_taken


def test_events_reach_the_recorder_and_its_verdict_the_person(robot: Robot, teleop: Callable[..., Any]) -> None:
    _, person = teleop()
    robot.until(lambda: robot.held, "the enabling device", 60)
    shown = Shown(robot, person)
    os.write(person, b"1")
    shown.until("start: there is no recorder")
    recorder = Recorder(robot)
    shown.until("recorder: ready, 3 of 50 saved")
    for key, asked in (("1", "start"), ("5", "label True"), ("6", "label False"), ("p", "pause True")):
        os.write(person, key.encode())
        robot.until(lambda asked=asked: asked in recorder.asked, asked)
    shown.until("recorder: paused")
    os.write(person, b"p")
    robot.until(lambda: recorder.asked[-1] == "pause False", "it goes on")
    os.write(person, b"2")
    robot.until(lambda: recorder.asked[-1] == "save", "save")
    recorder.tell(state="ready", verdict="saved, 14 s, wrist camera 3 drops")
    shown.until("saved, 14 s, wrist camera 3 drops")
    recorder.tell(state="recording")
    os.write(person, b"4")
    robot.until(lambda: recorder.asked[-1] == "discard", "redo discards")
    robot.turn()
    assert recorder.asked[-1] == "discard"  # the recorder is not ready yet
    recorder.tell(state="ready")
    robot.until(lambda: recorder.asked[-1] == "start", "redo starts again")
    recorder._publisher.publish(string_message('{"state": "dancing"}'))
    shown.until("'recorder/state' was refused")


def test_home_is_the_rest_posture_and_a_terminal_that_is_closed_ends_the_process_with_its_last_word(
    robot: Robot, teleop: Callable[..., Any]
) -> None:
    process, person = teleop("-p", "speed:=0.5", "-p", "turn_speed:=2.0")
    robot.until(lambda: robot.held, "the enabling device", 60)
    shown = Shown(robot, person)
    os.write(person, b"h")
    shown.until("home: hold the enabling device first")
    assert not robot.is_taken
    os.write(person, b"eh")
    contract = load_contract("panda_twin")
    rest = rest_target(describe(contract), action_spec(contract))
    robot.until(lambda: np.allclose(robot.sent, rest, atol=1e-4), "the rest posture")
    assert robot.is_taken and robot.is_held
    os.close(person)
    robot.until(lambda: process.poll() is not None, "the end")
    robot.until(lambda: not robot.is_held, "the last word")
    assert process.returncode == 1


@pytest.fixture
def listening() -> Iterator[None]:
    """Whoever started the tests with nohup ignores SIGHUP, and so would every process below."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_one_line_is_written_over_with_logs_above_it_until_the_shell_hangs_up(
    listening: None, robot: Robot, pad: Pad, teleop: Callable[..., Any]
) -> None:
    process, person = teleop("-p", "device:=gamepad", "-p", f"path:={pad.path}")
    shown = Shown(robot, person)
    shown.until("not held: left shoulder")
    pad.button("left_shoulder")
    pad.press("a")
    shown.until("enable: there is no gate")
    for line in re.split(r"\r\n|\r", shown.text):
        assert len(line) < COLUMNS + len("\x1b[K") and not ("|" in line and "ready after" in line), line
    robot.until(lambda: robot.is_held, "the person holds")
    process.send_signal(signal.SIGHUP)
    robot.until(lambda: process.poll() is not None, "the end")
    robot.until(lambda: not robot.is_held, "the last word")
    assert process.returncode == 1
