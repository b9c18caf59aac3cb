"""From a person's device to the command on the wire: twin, gate, supervisor and teleoperation, each a process.

    python -m benchmarks.device_latency [--device gamepad] [--contract panda_twin] [--trials 100] [--seed 0]

The device is a FIFO to which events are written as the kernel writes them, at random phases of everybody's periods.
From each event of a stick or key that was at rest, the time is taken until the first message that moves comes in: of
`teleop/target`, of `gate/sent`, and of the driver's commands. Transport to this process is included, the motion of the
robot is not.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, Callable

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from benchmarks.gate_rig import quantiles_ms
from real.connection.hosting import OwnGraph
from real.graph.graph import Deployment, processes
from real.process.profile import write_profile
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.streams import COMMAND_TYPES, read_command
from real.teleop.devices import evdev_keyboard, gamepad
from real.teleop.devices.key_codes import CODES, EV_KEY
from real.teleop.devices.pad_layout import XBOX
from robot.contract.loading import load_contract
from robot.errors import TillerError

START_S, ANSWER_S = 60.0, 5.0
SHARES = (0.5, 0.95, 0.99)
MOVES = 1e-12  # of a command, in any unit: the first step of a ramp is small
STILL = 20  # ticks without a motion, after which the robot rests


class Device:
    """A FIFO in the place of a device file.

    Args:
        kind: of the device.
        path: of the FIFO.
    """

    def __init__(self, kind: str, path: Path) -> None:
        os.mkfifo(path)
        self._kind, self._fd = kind, os.open(path, os.O_RDWR)

    def enable(self) -> None:
        """Ask the gate to be enabled, and hold the enabling device."""
        if self._kind == "gamepad":
            self._button("a", 1)
            self._button("a", 0)
            self._button("left_shoulder", 0)
            self._button("left_shoulder", 1)
        else:
            self._key("capslock", 1)
            self._key("g", 1)
            self._key("g", 0)

    def push(self, direction: int) -> None:
        """Move along y, above 0 to the left; 0 is rest."""
        if self._kind == "gamepad":
            os.write(
                self._fd, gamepad.EVENT.pack(0, -direction * gamepad.FULL, gamepad.AXIS, XBOX.axes["left_stick_x"])
            )
        elif direction:
            self._key("a" if direction > 0 else "d", 1)
        else:
            self._key("a", 0)
            self._key("d", 0)

    def _button(self, name: str, pressed: int) -> None:
        os.write(self._fd, gamepad.EVENT.pack(0, pressed, gamepad.BUTTON, XBOX.buttons[name]))

    def _key(self, name: str, value: int) -> None:
        os.write(self._fd, evdev_keyboard.EVENT.pack(0, 0, EV_KEY, CODES[name], value))


class Wire:
    """What comes over the wire: when each topic's command last changed.

    Args:
        contract: name or file.
    """

    def __init__(self, contract: str) -> None:
        rclpy.init()
        self.node, self._executor = Node("device_latency"), make_executor()
        self._executor.add_node(self.node)
        self._newest: dict[str, np.ndarray] = {}
        self._moved_ns: dict[str, int] = {}
        self._still: deque[bool] = deque(maxlen=STILL)
        self._held, self._gate = False, ""
        sink = next(iter(load_contract(contract).sinks.values()))
        subscribe = self.node.create_subscription
        subscribe(JointTrajectory, "teleop/target", self._target_came, qos.COMMAND)
        subscribe(JointTrajectory, "gate/sent", self._sent_came, qos.STATUS)
        subscribe(COMMAND_TYPES[sink.via], sink.topic, self._command_came, qos.COMMAND)
        subscribe(Joy, "enable_held", self._enable_came, qos.STATE)
        subscribe(String, "gate/state", self._state_came, qos.LATCHED)

    def until(self, condition: Callable[[], Any], what: str, within_s: float = ANSWER_S) -> None:
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end:
                raise TillerError(f"not within {within_s:g} s: {what}; the gate is at '{self._gate}'")
            self._executor.spin_once(timeout_sec=0.02)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    @property
    def enabled(self) -> bool:
        """The person holds the device, and the gate waits for nothing but a source of targets."""
        return self._held and self._gate == "hold no_chunk"

    @property
    def at_rest(self) -> bool:
        return len(self._still) == STILL and all(self._still)

    def first_moves(self, begin: Callable[[], None]) -> dict[str, int]:
        """Topic -> ns from `begin` to the first message that moves."""
        self._moved_ns.clear()
        self._still.clear()
        begun_ns = time.monotonic_ns()
        begin()
        self.until(lambda: len(self._moved_ns) == 3, "a motion")
        return {name: moment - begun_ns for name, moment in self._moved_ns.items()}

    def close(self) -> None:
        leave(self.node, self._executor)

    def _target_came(self, message: JointTrajectory) -> None:
        self._note("teleop/target", np.array(message.points[0].positions))

    def _sent_came(self, message: JointTrajectory) -> None:
        self._still.append(not self._note("gate/sent", np.array(message.points[1].positions)))

    def _command_came(self, message: Any) -> None:
        self._note("driver", read_command(message).values.ravel())

    def _enable_came(self, message: Joy) -> None:
        self._held = bool(message.buttons[0])

    def _state_came(self, message: String) -> None:
        self._gate = message.data

    def _note(self, name: str, values: np.ndarray) -> bool:
        """Note a command; returns whether it moves."""
        now_ns, before = time.monotonic_ns(), self._newest.get(name)
        self._newest[name] = values
        moves = before is not None and bool(np.abs(values - before).max() > MOVES)
        if moves:
            self._moved_ns.setdefault(name, now_ns)
        return moves


def measure(wire: Wire, device: Device, trials: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Topic -> (trials,) ns from event to motion."""

    def enabled() -> bool:
        device.enable()
        wire.spin(0.3)
        return wire.enabled

    wire.until(enabled, "a gate that waits for targets", START_S)
    wire.until(lambda: wire.at_rest, "a robot at rest")
    found = []
    for trial in range(trials + 1):
        wire.spin(float(random.uniform(0.1, 0.2)))
        found.append(wire.first_moves(partial(device.push, 1 if trial % 2 else -1)))
        wire.spin(0.1)
        device.push(0)
        wire.until(lambda: wire.at_rest, "a rest")
    # The first takes the robot from nobody: the gate's answer to that is not that of a device.
    return {name: np.array([each[name] for each in found[1:]]) for name in found[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="gamepad", choices=("gamepad", "evdev_keyboard"))
    parser.add_argument("--contract", default="panda_twin")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    with tempfile.TemporaryDirectory(prefix="device_latency") as name:
        folder = Path(name)
        device = Device(asked.device, folder / "device")
        deployment = Deployment(
            contract=asked.contract,
            twin=True,
            teleop=asked.device,
            records=str(folder),
            parameters={"twin": {"images": False}, "teleop": {"path": str(folder / "device")}},
        )
        profile = write_profile(folder, participants=len(processes(deployment)) + 4)
        os.environ.update(profile.environment)
        graph = OwnGraph(deployment, profile.environment, folder)
        wire = Wire(asked.contract)
        try:
            found = measure(wire, device, asked.trials, np.random.default_rng(asked.seed))
        finally:
            wire.close()
            graph.close()
    for topic in ("teleop/target", "gate/sent", "driver"):
        print(f"{asked.device} to {topic}, {asked.trials} events: {quantiles_ms(found[topic], SHARES)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
