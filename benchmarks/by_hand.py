"""A scripted person records episodes of `twin/lift` through `tiller teleop`: from a device to a dataset, in real time.

    python -m benchmarks.by_hand OUTPUT [--episodes 50] [--discard 0] [--device gamepad] [--speed 0.25] [--policy DIR]

The person of `benchmarks.pilot` sees the twin's topics with its delay, and drives with the keys of a pseudo terminal or
with a gamepad's events. It can be interrupted: what is saved counts, the next call records the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Callable, Iterator, Mapping

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from benchmarks.pilot import GamepadHand, Hand, KeyboardHand, LiftPilot
from data.store.dataset import Dataset
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.guarded import Guarded, turn
from real.ros.messages import values_of
from real.teleop.bindings import load_bindings
from real.teleop.registry import device_kind
from robot.errors import TillerError

STARTING_S, LONGEST_S, ANSWER_S, REFUSED_S = 90.0, 60.0, 15.0, 1.5
HAND_HZ = 20.0
TURN_SPEED = 1.0
GRIPPED_AGAIN = 3  # attempts at one cube


@dataclass
class Seen:
    """What a person sees of the graph.

    Attributes:
        observation: name -> array, newest, and when it came.
        recorder: newest state of the recorder.
        gate: line of the gate.
    """

    observation: Mapping[str, np.ndarray] = field(default_factory=dict)
    recorder: Mapping[str, Any] = field(default_factory=dict)
    gate: str = ""


class Watcher:
    """Eyes on a graph.

    Args:
        pilot: who sees.
        alive: whether there is anything to be seen.
    """

    def __init__(self, pilot: LiftPilot, alive: Callable[[], bool]) -> None:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.seen, self._pilot, self.alive = Seen(), pilot, alive
        self._executor = make_executor()
        self.node = Guarded("person")
        self._executor.add_node(self.node)
        self.node.create_subscription(JointState, "observation", self._observed, qos.STATE)
        self.node.create_subscription(String, "recorder/state", self._recorded, qos.LATCHED)
        self.node.create_subscription(String, "gate/state", self._gated, qos.LATCHED)

    def _observed(self, message: JointState) -> None:
        self.seen.observation = values_of(message)
        self._pilot.see(time.monotonic(), self.seen.observation)

    def _recorded(self, message: String) -> None:
        self.seen.recorder = json.loads(message.data)

    def _gated(self, message: String) -> None:
        self.seen.gate = message.data

    def turn(self, seconds: float) -> None:
        turn(self.node, self._executor, seconds)

    def until(self, condition: Callable[[], Any], within_s: float, what: str) -> None:
        """Watch until something is so.

        Raises:
            TillerError: it was not, in time.
        """
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end or not self.alive():
                raise TillerError(f"waited {within_s:g} s for {what}; gate '{self.seen.gate}', {self.seen.recorder}")
            self.turn(0.02)

    def close(self) -> None:
        leave(self.node, self._executor)


class Person:
    """A scripted person at a device.

    Args:
        hand: on the device.
        speed: of the tcp at full stick, m/s.
        alive: whether the graph runs.
    """

    def __init__(self, hand: Hand, speed: float, alive: Callable[[], bool]) -> None:
        self.pilot = LiftPilot(speed, TURN_SPEED)
        self.hand, self._watcher = hand, Watcher(self.pilot, alive)

    @property
    def seen(self) -> Seen:
        return self._watcher.seen

    def close(self) -> None:
        with suppress(OSError):
            self.hand.close()
        self._watcher.close()

    def look(self, seconds: float) -> None:
        """See what comes for a while."""
        self._watcher.turn(seconds)

    def wait_for(self, *states: str, within_s: float = ANSWER_S) -> None:
        """Wait until the recorder is in one of some states."""
        self._watcher.until(lambda: self.seen.recorder.get("state") in states, within_s, " or ".join(states))

    def settle(self, within_s: float) -> None:
        """Wait until a take may begin; what faults while processes start is reset."""
        end = time.monotonic() + within_s
        while self.seen.recorder.get("state") != "ready":
            if self.seen.gate.startswith("fault"):
                self.recover()
            self._watcher.turn(0.05)
            if time.monotonic() > end:
                self.wait_for("ready", within_s=0.0)

    def recover(self) -> None:
        """Reset a fault of the gate, and enable it."""
        self.hand.press("reset")
        self._watcher.until(lambda: not self.seen.gate.startswith("fault"), ANSWER_S, "the gate's reset")
        self.hand.press("enable")
        self.wait_for("ready")

    def take(self, *, keep: bool) -> bool:
        """Record one attempt, and save or discard it; whether the cube was lifted."""
        if self.seen.gate.startswith("fault"):
            self.recover()
        before = self.seen.recorder["saved"] + self.seen.recorder["discarded"]
        self.pilot.begin()
        self.hand.hold()
        while self.seen.recorder.get("state") not in ("recording", "ended"):
            self.wait_for("ready", "recording", "ended")
            self.hand.press("start")
            with suppress(TillerError):  # what was well a moment ago may not be now: a person tries again
                self.wait_for("recording", "ended", within_s=REFUSED_S)
        lifted = self._drive()
        self.hand.press("save" if keep and lifted else "discard")
        self._watcher.until(
            lambda: self.seen.recorder["saved"] + self.seen.recorder["discarded"] > before, ANSWER_S, "the take's end"
        )
        self.wait_for("ready")
        return lifted

    def _drive(self) -> bool:
        """Push until the task is done, or for as long as anybody would try."""
        began_s = time.monotonic()
        while self.seen.recorder.get("state") == "recording" and time.monotonic() - began_s < LONGEST_S:
            now_s = time.monotonic()
            self.hand.push(self.pilot.push(now_s), now_s)
            until_s = now_s + 1 / HAND_HZ
            while (left := until_s - time.monotonic()) > 0:
                self._watcher.turn(left)
        return self.seen.recorder.get("label") == "success"


@contextmanager
def teleop(device: str, store: Path, speed: float, *words: str, settle: bool = True) -> Iterator[Person]:
    """`tiller teleop` in a terminal of its own, and a person at it.

    Args:
        device: keyboard or gamepad.
        store: of the recording.
        speed: of the tcp at full stick, m/s.
        words: more of the command line.
        settle: whether to wait until a take may begin.
    """
    ours, theirs = os.openpty()
    folder = Path(tempfile.mkdtemp(prefix="tiller_by_hand_"))
    pad = folder / "js0"
    os.mkfifo(pad)
    events = os.open(pad, os.O_RDWR)
    own = [f"path: {pad}"] if device == "gamepad" else []
    settings = ", ".join([f"speed: {speed}", f"turn_speed: {TURN_SPEED}", *own])
    command = [
        *(sys.executable, "-m", "tiller", "teleop", "robot=panda_twin", "task=twin/lift", f"device={device}"),
        *(f"output={store}", f"parameters.teleop={{{settings}}}", f"logs={folder / 'logs'}", *words),
    ]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = bytearray()
    reader = Thread(target=_drain, args=(ours, shown), daemon=True)
    reader.start()
    vocabulary = device_kind(device).vocabulary
    assert vocabulary is not None, "keyboard and gamepad have bindings"
    controls = load_bindings(device, vocabulary).controls
    hand: Hand = KeyboardHand(ours, controls) if device == "keyboard" else GamepadHand(events, controls)
    person = Person(hand, speed, lambda: process.poll() is None)
    try:
        if settle:
            person.wait_for("ready", "waiting", within_s=STARTING_S)
            person.settle(STARTING_S)
        yield person
    except TillerError as error:
        raise TillerError(f"{error}\n{bytes(shown[-3000:]).decode(errors='replace')}") from None
    finally:
        person.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        os.close(events)
        reader.join(2.0)
        os.close(ours)


def _drain(fd: int, shown: bytearray) -> None:
    with suppress(OSError):
        while data := os.read(fd, 65536):
            shown += data


def record(store: Path, episodes: int, discard: int, device: str, speed: float, *words: str) -> dict[str, float]:
    """Record until a store has so many episodes; figures of this call."""
    there = len(Dataset.open(store)) if (store / "zarr.json").exists() else 0
    began_s, tried, lifted = time.monotonic(), 0, 0
    if there < episodes:
        with teleop(device, store, speed, *words) as person:
            left = discard
            while person.seen.recorder["episodes"] < episodes:
                keep = left == 0 or tried % 3 != 1
                left -= not keep
                success = person.take(keep=keep)
                tried, lifted = tried + 1, lifted + success
                recorder = person.seen.recorder
                print(f"{recorder['episodes']} of {episodes}: {recorder['verdict']}", flush=True)
    return {"tried": tried, "lifted": lifted, "minutes": (time.monotonic() - began_s) / 60}


def main() -> None:
    """Record, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--discard", type=int, default=0)
    parser.add_argument("--device", default="gamepad", choices=("keyboard", "gamepad"))
    parser.add_argument("--speed", type=float, default=0.25)
    parser.add_argument("words", nargs="*", help="more of tiller teleop, such as page=false")
    options = parser.parse_intermixed_args()
    print(record(options.output, options.episodes, options.discard, options.device, options.speed, *options.words))


if __name__ == "__main__":
    main()
