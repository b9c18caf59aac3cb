"""A person's hands: keys of a pseudo terminal and events of a gamepad, to the messages that the gate hears."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

from real.teleop.device import Wish
from real.teleop.gamepad import AXIS, BUTTON, CLOSE, FULL, HOLD, INIT, Gamepad
from real.teleop.jogging import AHEAD_S, Jogging, Speeds
from real.teleop.keyboard import STOP_S, Keyboard
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.rotation import angle_between, matrix_from_6d
from robot.errors import InputError
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import (
    ACTIVATE,
    ENABLE,
    ChunkSample,
    DriverSample,
    GateInputs,
    Now,
    Signal,
    StateSample,
)
from robot.safety.gate.reasons import Mode
from robot.safety.gate.state import GateState
from tests.real.conftest import MATCH_S, end_process

LEFT_Y, RIGHT_Y = 1, 4
SENT = np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0, 0.08])


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys() -> Iterator[tuple[int, Keyboard]]:
    person, terminal = pty.openpty()
    keyboard = Keyboard(10.0, terminal)
    yield person, keyboard
    keyboard.close()
    os.close(terminal)


def typed(keys: tuple[int, Keyboard], text: str, now_s: float) -> Wish:
    os.write(keys[0], text.encode())
    return keys[1].read(now_s)


def test_keys_step_a_velocity_that_ends_by_itself(keys: tuple[int, Keyboard]) -> None:
    assert not typed(keys, "w", 0.0).held
    held = typed(keys, "e", 0.1)
    assert held.held and not held.moves  # what was typed before does not count
    assert 0 < typed(keys, "w", 0.15).motion[0] < 1
    assert typed(keys, "ww", 0.2).motion[0] == 1
    assert typed(keys, "sss", 0.3).motion[0] == 0
    assert typed(keys, "sa", 0.4).motion[:2] == pytest.approx([-1 / 3, 1 / 3])
    assert keys[1].read(0.4 + STOP_S - 0.01).moves
    after = keys[1].read(0.4 + STOP_S + 0.01)
    assert after.held and not after.moves


def test_space_lets_go_and_so_does_time(keys: tuple[int, Keyboard]) -> None:
    assert typed(keys, "ew", 0.0).moves
    let_go = typed(keys, " ", 0.1)
    assert not let_go.held and not let_go.motion.any()
    assert typed(keys, "e", 1.0).held
    assert typed(keys, "e", 9.0).held  # again, while it is held: the time begins anew
    assert keys[1].read(18.9).held
    assert not keys[1].read(19.1).held


def test_arrows_and_pasted_text_move_nothing(keys: tuple[int, Keyboard]) -> None:
    assert typed(keys, "e", 0.0).held
    assert not typed(keys, "\x1b[a\x1b[1;5d\x1bOa\x1bw", 0.1).moves
    assert not typed(keys, "\x1b[", 0.15).moves and not typed(keys, "a", 0.2).moves  # one sequence in two readings
    assert typed(keys, "w", 0.3).moves
    pasted = typed(keys, "sudo rm -rf everything", 0.4)
    assert not pasted.held and not pasted.moves and "let go" in pasted.note


def test_the_terminal_is_as_before_and_one_that_is_gone_holds_nothing() -> None:
    person, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    keyboard = Keyboard(10.0, terminal)
    assert termios.tcgetattr(terminal) != before
    os.write(person, b"e")
    assert keyboard.read(0.0).held
    keyboard.close()
    assert termios.tcgetattr(terminal) == before
    os.close(person)
    gone = keyboard.read(0.1)
    assert not gone.held and not gone.connected
    os.close(terminal)


def test_a_keyboard_needs_a_terminal() -> None:
    reading, writing = os.pipe()
    with pytest.raises(InputError, match="terminal"):
        Keyboard(10.0, reading)
    os.close(reading)
    os.close(writing)


# -- gamepad ----------------------------------------------------------------------------------------------------------


class Pad:
    """A pipe that says what a gamepad would."""

    def __init__(self, path: Path):
        os.mkfifo(path)
        self.path = path
        self.plug()

    def plug(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR)

    def unplug(self) -> None:
        os.close(self._fd)

    def event(self, kind: int, number: int, value: float) -> None:
        os.write(self._fd, struct.pack("=IhBB", 0, int(value * FULL) if kind & AXIS else int(value), kind, number))

    def button(self, number: int, pressed: bool) -> None:
        self.event(BUTTON, number, pressed)

    def axis(self, number: int, value: float) -> None:
        self.event(AXIS, number, value)


@pytest.fixture
def pad(tmp_path: Path) -> Pad:
    return Pad(tmp_path / "js0")


def test_sticks_move_while_the_shoulder_is_held(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.axis(LEFT_Y, -1.0)
    assert not gamepad.read(0.0).moves
    pad.axis(LEFT_Y, 0.0)
    pad.button(HOLD, True)
    assert gamepad.read(0.1).held
    pad.axis(LEFT_Y, -1.0)
    pad.axis(CLOSE, 1.0)
    wish = gamepad.read(0.2)
    assert wish.moves and wish.motion == pytest.approx([1, 0, 0, 0, 0, 0]) and wish.grip == 1
    pad.button(HOLD, False)
    assert not gamepad.read(0.3).held


def test_drift_never_takes_over(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path), deadband=0.15)
    pad.button(HOLD, True)
    assert not gamepad.read(0.0).moves
    pad.axis(LEFT_Y, 0.14)
    assert not gamepad.read(0.1).moves
    pad.button(HOLD, False)
    pad.axis(RIGHT_Y, 0.4)  # it hangs there when the button goes down
    gamepad.read(0.2)
    pad.button(HOLD, True)
    assert not gamepad.read(0.3).moves
    pad.axis(RIGHT_Y, 0.6)
    assert not gamepad.read(0.4).moves
    pad.axis(RIGHT_Y, 0.0)
    gamepad.read(0.5)
    pad.axis(RIGHT_Y, 0.6)
    assert gamepad.read(0.6).moves


def test_what_was_pressed_before_it_was_opened_does_not_count(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.event(BUTTON | INIT, HOLD, 1)
    pad.event(AXIS | INIT, LEFT_Y, -1.0)  # a driver's guess, before the stick was ever touched
    assert not gamepad.read(0.0).held
    pad.button(HOLD, False)
    pad.button(HOLD, True)
    wish = gamepad.read(0.1)
    assert wish.held and not wish.moves


def test_unplugging_lets_go_and_the_pad_that_comes_back_holds_nothing(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.button(HOLD, True)
    assert gamepad.read(0.0).held
    pad.unplug()
    gone = gamepad.read(0.1)
    assert not gone.held and not gone.connected
    pad.plug()
    back = gamepad.read(5.0)
    assert back.connected and not back.held
    pad.button(HOLD, True)
    assert gamepad.read(5.1).held


def test_a_jammed_shoulder_is_let_go_of_after_its_time(pad: Pad) -> None:
    gamepad = Gamepad(10.0, str(pad.path))
    pad.button(HOLD, True)
    assert gamepad.read(0.0).held and gamepad.read(9.9).held
    assert not gamepad.read(10.1).held and not gamepad.read(11.0).held
    pad.button(HOLD, False)
    pad.button(HOLD, True)
    assert gamepad.read(12.0).held


def test_without_a_gamepad_one_is_told_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="js7"):
        Gamepad(10.0, str(tmp_path / "js7"))


# -- targets ----------------------------------------------------------------------------------------------------------


def jogging(contract: str = "panda_twin_crisp", **options: Any) -> Jogging:
    found = load_contract(contract)
    return Jogging(found, describe(found), **options)


def pushed(*motion: float, grip: float = 0.0, part: int = 0) -> Wish:
    return Wish(True, np.array([*motion, *(0.0,) * (6 - len(motion))]), grip, part)


def test_a_take_over_starts_where_the_gate_is_and_ends_when_the_sticks_are_let_go() -> None:
    jog, dt = jogging(), 0.02
    assert jog.step(Wish(held=True), SENT, dt) is None
    assert jog.step(Wish(False, np.ones(6)), SENT, dt) is None
    first = jog.step(pushed(1), SENT, dt)
    assert first is not None and 0 < first[0] - SENT[0] < 1e-3 and np.array_equal(first[1:], SENT[1:])
    sent = first
    for _ in range(50):
        before, sent = sent, jog.step(pushed(1), sent, dt)
    assert (sent - before)[0] / dt == pytest.approx(0.1)  # m/s, the default
    steps = 0
    while (target := jog.step(Wish(held=True), sent, dt)) is not None:
        assert 0 <= target[0] - sent[0] <= 0.1 * dt + 1e-12
        sent, steps = target, steps + 1
    assert 5 <= steps <= 11  # it slows down, then says nothing
    assert not jog.moving


def test_a_target_waits_for_a_robot_that_is_kept_back() -> None:
    jog = jogging()
    for _ in range(300):
        target = jog.step(pushed(0, 0, 1, 1), SENT, 0.02)
    assert target[2] - SENT[2] == pytest.approx(0.1 * AHEAD_S)
    assert angle_between(matrix_from_6d(target[3:9]), matrix_from_6d(SENT[3:9])) == pytest.approx(0.5 * AHEAD_S)


def test_a_person_is_as_limited_as_the_contract_says() -> None:
    contract = load_contract("panda_twin_crisp")
    limits = contract.limits.tcp
    assert limits is not None and limits.workspace is not None
    jog, sent = jogging(speeds=Speeds(position=50.0, rotation=50.0, grip=50.0)), SENT
    fastest = turned = 0.0
    for _ in range(200):
        before, sent = sent, jog.step(pushed(1, 1, -1, 0, 1, 1, grip=1), sent, 0.02)
        fastest = max(fastest, float(np.linalg.norm(sent[:3] - before[:3])) / 0.02)
        turned = max(turned, float(angle_between(matrix_from_6d(sent[3:9]), matrix_from_6d(before[3:9]))) / 0.02)
        if contract.limits.tool.speed:
            assert abs(sent[9] - before[9]) / 0.02 <= contract.limits.tool.speed + 1e-9
    assert fastest <= limits.speed + 1e-9 and turned <= limits.turn_speed + 1e-6
    assert fastest > 0.9 * limits.speed
    assert (sent[:3] >= limits.workspace.low).all() and (sent[:3] <= limits.workspace.high).all()
    assert sent[9] == 0


def test_in_the_tool_frame_forward_is_where_the_hand_points() -> None:
    jog, sent = jogging(frame="tool"), SENT
    for _ in range(20):
        sent = jog.step(pushed(0, 0, 1), sent, 0.02)
    assert sent[2] < SENT[2] - 0.01 and sent[:2] == pytest.approx(SENT[:2])


def test_a_hand_closes_as_one_and_its_fingers_do_not_spread() -> None:
    contract = load_contract("leap")
    spec = action_spec(contract)
    jog = Jogging(contract, describe(contract))
    hand = spec.slices["hand.joints"]
    sent = np.concatenate([SENT[:9], np.zeros(16)])
    for _ in range(300):
        sent = jog.step(pushed(grip=1), sent, 0.02)
    limb = describe(contract).limbs[0]
    closed = dict(zip(limb.tool.joints, sent[hand]))
    assert closed["index_forward"] > 1.5 and closed["index_side"] == 0
    assert np.array_equal(sent[:9], SENT[:9])


def test_seven_joints_are_two_parts_in_joint_control() -> None:
    jog = jogging("xarm7")
    assert [len(part.columns) for part in jog.parts] == [6, 1]
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    target = jog.step(pushed(1, part=3), sent, 0.02)
    assert target[6] > 0 and not target[:6].any()


def test_the_gate_follows_a_person_without_a_jump_and_then_the_policy() -> None:
    contract = load_contract("panda_twin")
    settings = gate_settings(contract, describe(contract))
    gate, state, jog = Gate(settings), GateState(), jogging("panda_twin")
    names, period_s, tick_ns = settings.spec.component_names, contract.period_s, 5_000_000
    start = np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0, 0.04])
    joints = {f"joint{number + 1}": np.zeros(1) for number in range(7)}
    measured = {
        "arm": joints,
        "pose": {"tcp.position": start[:3], "tcp.rotation": start[3:9]},
        "gripper": {"gripper.width": start[9:]},
    }
    sent, seen = start, []
    for tick in range(600):
        now_ns, chunks, person = 10**9 + tick * tick_ns, (), ()
        held = 100 <= tick < 300  # half a second of the policy, a second of the person, then the policy again
        if tick % 10 == 0:
            rows = np.repeat(sent[None] if not held else start[None], 16, axis=0)
            chunks = (ChunkSample(names, rows, now_ns, period_s, tick, now_ns, "policy", "policy"),)
        if tick % 4 == 0:
            target = jog.step(pushed(0, 1) if held else Wish(held=True), sent, 4 * tick_ns * 1e-9)
            if target is not None:
                person = (ChunkSample(names, target[None], now_ns, period_s, tick, now_ns, "person", "person"),)
        inputs = GateInputs(
            {name: StateSample(values, now_ns, now_ns) for name, values in measured.items()},
            chunks,
            person,
            Signal(now_ns, now_ns),
            None,
            DriverSample("running", now_ns, now_ns),
            (ACTIVATE, ENABLE) if tick == 0 else (),
        )
        state, output = gate.step(state, inputs, Now(now_ns, now_ns))
        assert output.mode is not Mode.FAULT
        if output.target is not None:
            assert np.abs(output.target - sent).max() <= 0.1 * tick_ns * 1e-9 * 1.5  # never quicker than a person is
            sent = output.target
        seen.append(output.source)
    assert seen[90] == "policy" and set(seen[110:300]) == {"person"} and seen[-1] == "policy"
    assert 0.07 < sent[1] - start[1] < 0.11 and np.abs(np.delete(sent - start, 1)).max() < 1e-9


# -- the node ---------------------------------------------------------------------------------------------------------


class Robot:
    """The gate's side: says what it sends, and hears the person."""

    def __init__(self) -> None:
        rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
        from rclpy.node import Node
        from sensor_msgs.msg import Joy
        from trajectory_msgs.msg import JointTrajectory

        from real.process.run import make_executor
        from real.ros import qos

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
        self.node.create_subscription(JointTrajectory, "teleop/target", self._told, qos.COMMAND)
        self.node.create_timer(0.01, self._tick)

    def _tick(self) -> None:
        from real.ros.chunks import trajectory_message

        if not self.silent:
            now_ns = self.node.get_clock().now().nanoseconds
            self._say.publish(trajectory_message(np.stack([SENT + 1, self.sent]), self.names, now_ns, 0, "policy|1||"))

    def _told(self, message: Any) -> None:
        self.targets.append(message)
        if self.follows:
            self.sent = np.array(message.points[0].positions)

    @property
    def is_held(self) -> bool:
        return bool(self.held) and self.held[-1].buttons[0] == 1

    def until(self, condition: Callable[[], Any], what: str, within_s: float = MATCH_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def rest(self) -> None:
        """Until nothing more is asked for: twenty signs of the enabling device without a target between them."""

        def quiet() -> bool:
            count = len(self.targets)
            heard = len(self.held)
            self.until(lambda: len(self.held) >= heard + 20, "signs of the enabling device")
            return len(self.targets) == count

        self.until(quiet, "an end of the targets")

    def close(self) -> None:
        from real.process.run import leave

        leave(self.node, self.executor)


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
        process = subprocess.Popen(
            [sys.executable, "-m", "real.nodes.teleop_node", "--ros-args", *words],
            stdin=terminal,
            stdout=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        started.append((process, person))
        return process, person

    yield start
    for process, person in started:
        end_process(process)
        os.close(person)


def test_a_person_at_the_keyboard_takes_over_and_hands_back(robot: Robot, teleop: Callable[..., Any]) -> None:
    process, person = teleop()
    robot.until(lambda: robot.held, "the enabling device", 60)
    os.write(person, b"w")
    robot.rest()
    assert not robot.is_held and not robot.targets  # a key alone moves nothing
    os.write(person, b"e")
    robot.until(lambda: robot.is_held, "the person holds")
    robot.rest()
    assert not robot.targets  # held and at rest: the policy drives
    os.write(person, b"www")
    robot.until(lambda: len(robot.targets) > 5, "targets")
    first = robot.targets[0]
    assert tuple(first.joint_names) == robot.names and len(first.points) == 1
    assert np.abs(np.array(first.points[0].positions) - SENT).max() < 2e-3  # from what was sent, not what was asked for
    robot.rest()
    assert robot.is_held and robot.sent[0] > SENT[0] + 0.01 and robot.sent[1:] == pytest.approx(SENT[1:])
    os.write(person, b" ")
    robot.until(lambda: not robot.is_held, "the person lets go")
    os.write(person, b"e")
    robot.until(lambda: robot.is_held, "the person holds again")
    process.terminate()
    robot.until(lambda: process.poll() is not None, "the end")
    robot.until(lambda: not robot.is_held, "the last word")
    assert process.returncode == 0


def test_a_gamepad_that_is_unplugged_lets_go_in_the_midst_of_a_motion(
    robot: Robot, pad: Pad, teleop: Callable[..., Any]
) -> None:
    teleop("-p", "device:=gamepad", "-p", f"path:={pad.path}")
    robot.until(lambda: robot.held, "the enabling device", 60)
    pad.button(HOLD, True)
    robot.until(lambda: robot.is_held, "the person holds")
    pad.axis(LEFT_Y, -1.0)
    robot.until(lambda: len(robot.targets) > 5, "targets")
    pad.unplug()
    robot.until(lambda: not robot.is_held, "it has let go")
    robot.rest()
    pad.plug()
    robot.rest()
    assert not robot.is_held


def test_nobody_moves_a_robot_whose_gate_is_silent(robot: Robot, pad: Pad, teleop: Callable[..., Any]) -> None:
    teleop("-p", "device:=gamepad", "-p", f"path:={pad.path}")
    robot.until(lambda: robot.held, "the enabling device", 60)
    pad.button(HOLD, True)
    robot.until(lambda: robot.is_held, "the person holds")
    pad.axis(LEFT_Y, -1.0)
    robot.until(lambda: robot.targets, "targets")
    robot.silent = True
    robot.rest()
    robot.silent = False
    count = len(robot.targets)
    robot.until(lambda: len(robot.targets) > count, "targets")
