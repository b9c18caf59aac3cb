"""A scripted person who lifts the cube of `twin/lift` with keys or sticks, and reacts after a fifth of a second.

It sees what a person sees, with a person's delay, and has only what a person has: keys of a terminal or a gamepad. What
is measured or tested with it is therefore the whole way from a hand to the robot.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import Mapping, Protocol

import numpy as np

from real.teleop.devices.gamepad import AXIS, BUTTON, EVENT, FULL
from real.teleop.devices.keyboard import LEVELS, PASTED, STOP_S
from real.teleop.devices.pad_layout import AXIS_CODES, TRIGGERS, XBOX
from sim.experts.twin.poses import nearest_turn, yaw_of

REACTION_S = 0.2
OPEN_M, GRIPPED_M, LOST_M = 0.07, 0.05, 0.03  # of the gripper's width: the cube has 4 cm
HOVER_M, RAISED_M = 0.08, 0.16
NEAR_M, LOW_M, TURN = 0.006, 0.008, 0.06
GAIN = 1.4  # 1/s: more than that swings with such a delay
SLOW_S = 1.2  # to close the fingers
DEADBAND = 0.15
MOTION = ("x", "y", "z", "about_x", "about_y", "about_z")
DIRECTIONS = (*((f"{name}+", f"{name}-") for name in MOTION), ("close", "open"))
STROKE_S = 0.12  # between two strokes
MOST_KEYS = PASTED - 2  # at once: more are no typing


@dataclass(frozen=True, eq=False)
class Push:
    """What a hand does: motion (6,) and grip, in [-1, 1] of the device's full speed."""

    motion: np.ndarray
    grip: float = 0.0


class Hand(Protocol):
    """A hand on a device."""

    def hold(self) -> None:
        """Press the enabling device."""

    def push(self, wanted: Push, now_s: float) -> None:
        """Move keys or sticks to what is wanted."""

    def press(self, event: str) -> None:
        """Press the key or button of an event."""

    def close(self) -> None:
        """Let go."""


class LiftPilot:
    """Decides what to push, from what was to be seen a reaction time ago.

    Args:
        speed: of the tcp at full stick, m/s.
        turn_speed: rad/s.
        reaction_s: between an event and the hand's answer.
    """

    def __init__(self, speed: float, turn_speed: float, reaction_s: float = REACTION_S) -> None:
        self._speed, self._turn_speed, self._reaction_s = speed, turn_speed, reaction_s
        self.begin()

    def begin(self) -> None:
        """Start an episode."""
        self._seen: deque[tuple[float, Mapping[str, np.ndarray]]] = deque()
        self._phase, self._gripping_s = "approach", 0.0

    def see(self, now_s: float, observation: Mapping[str, np.ndarray]) -> None:
        """Something is to be seen."""
        self._seen.append((now_s, observation))

    @property
    def phase(self) -> str:
        """`approach`, `descend`, `grip`, `raise`."""
        return self._phase

    def push(self, now_s: float) -> Push:
        """What the hand does now."""
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - self._reaction_s:
            self._seen.popleft()
        if not self._seen or self._seen[0][0] > now_s - self._reaction_s:
            return Push(np.zeros(6))
        seen = self._seen[0][1]
        tcp, cube, width = seen["tcp.position"], seen["cube.position"], float(seen["gripper.width"][0])
        rotation = seen["tcp.rotation"]
        turn = nearest_turn(yaw_of(seen["cube.rotation"]) - float(np.arctan2(rotation[1], rotation[0])), np.pi / 2)
        error = cube - tcp
        beside = float(np.linalg.norm(error[:2]))
        if self._phase == "approach" and beside < 2 * NEAR_M and abs(turn) < 2 * TURN:
            self._phase = "descend"
        if self._phase == "descend" and abs(error[2]) < LOW_M and beside < NEAR_M:
            self._phase, self._gripping_s = "grip", now_s
        if self._phase == "grip" and width < GRIPPED_M and now_s - self._gripping_s > SLOW_S:
            self._phase = "raise"
        if self._phase == "raise" and width < LOST_M:
            self._phase = "approach"
        if self._phase == "approach":
            return self._towards(error + [0, 0, HOVER_M], turn, 0.0 if width > OPEN_M else -1.0)
        if self._phase == "descend":
            return self._towards(error, turn, 0.0)
        if self._phase == "grip":
            return Push(np.zeros(6), 1.0)
        return Push(np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]) if cube[2] < RAISED_M else np.zeros(6))

    def _towards(self, error: np.ndarray, turn: float, grip: float) -> Push:
        motion = np.zeros(6)
        motion[:3] = np.where(np.abs(error) > NEAR_M / 2, GAIN * error / self._speed, 0.0)
        motion[5] = GAIN * turn / self._turn_speed if abs(turn) > TURN / 2 else 0.0
        return Push(np.clip(motion, -1, 1), grip)


class KeyboardHand:
    """Keys of a terminal: each steps a velocity, which ends by itself when no key comes.

    Args:
        fd: of the other end of the terminal.
        keys: action -> key, as `configs/bindings/keyboard.yaml` has them.
    """

    def __init__(self, fd: int, keys: Mapping[str, str]) -> None:
        self._fd, self._keys = fd, keys
        self._levels = np.zeros(7, dtype=np.int64)
        self._rest = np.zeros(7)  # of what was wanted and has no level: it is tapped
        self._pressed_s = float("-inf")

    def hold(self) -> None:
        self._levels[:], self._rest[:] = 0, 0.0
        self._type(self._keys["hold"])

    def push(self, wanted: Push, now_s: float) -> None:
        if now_s - self._pressed_s > STOP_S:
            self._levels[:] = 0  # the device has let go of them
        if now_s - self._pressed_s < STROKE_S:
            return
        exact = LEVELS * np.append(wanted.motion, wanted.grip)
        levels = np.rint(exact + self._rest).astype(np.int64)
        self._rest = np.where(exact != 0, np.clip(self._rest + exact - levels, -1, 1), 0.0)
        keys: list[str] = []
        for axis, step in enumerate(np.sign(levels - self._levels)):
            if step and len(keys) < MOST_KEYS:
                keys.append(self._keys[DIRECTIONS[axis][0 if step > 0 else 1]])
                self._levels[axis] += step
        if not keys and levels.any() and now_s - self._pressed_s > STOP_S / 2:
            # There and back again: the velocity stays, and does not end.
            axis = int(np.flatnonzero(levels)[0])
            inwards, outwards = DIRECTIONS[axis][::-1] if levels[axis] > 0 else DIRECTIONS[axis]
            keys = [self._keys[inwards], self._keys[outwards]]
        if keys:
            self._pressed_s = now_s
            self._type("".join(keys))

    def press(self, event: str) -> None:
        self._type(self._keys[event])

    def close(self) -> None:
        self._type(self._keys["let_go"])

    def _type(self, keys: str) -> None:
        os.write(self._fd, keys.replace("space", " ").encode())


class GamepadHand:
    """Sticks, triggers and buttons of a gamepad, as its driver reports them.

    Args:
        fd: into which the events of `linux/joystick.h` are written.
        controls: action -> stick, trigger or button, as `configs/bindings/gamepad.yaml` has them.
    """

    def __init__(self, fd: int, controls: Mapping[str, str]) -> None:
        self._fd, self._controls = fd, controls
        self._values: dict[int, int] = {}

    def hold(self) -> None:
        for number in range(len(AXIS_CODES)):
            self._axis(number, -1.0 if number in (XBOX.axis(name) for name in TRIGGERS) else 0.0)
        self._button(self._controls["hold"], True)

    def push(self, wanted: Push, now_s: float) -> None:
        for name, value in zip(MOTION, wanted.motion):
            control = self._controls[name]
            number = XBOX.axis(control.lstrip("-"))
            if number is not None:
                self._axis(number, _stick(-value if control.startswith("-") else value))
        for name, value in (("close", wanted.grip), ("open", -wanted.grip)):
            number = XBOX.axis(self._controls[name])
            assert number is not None
            self._axis(number, 2 * _stick(max(value, 0.0)) - 1)

    def press(self, event: str) -> None:
        control = self._controls[event]
        shifted = control.startswith("shift + ")
        if shifted:
            self._button(self._controls["shift"], True)
        self._button(control.removeprefix("shift + "), True)
        self._button(control.removeprefix("shift + "), False)
        if shifted:
            self._button(self._controls["shift"], False)

    def close(self) -> None:
        self._button(self._controls["hold"], False)

    def _axis(self, number: int, value: float) -> None:
        raw = round(FULL * float(np.clip(value, -1, 1)))
        if self._values.get(number) != raw:
            self._values[number] = raw
            os.write(self._fd, EVENT.pack(0, raw, AXIS, number))

    def _button(self, name: str, down: bool) -> None:
        number = XBOX.button(name)
        assert number is not None
        os.write(self._fd, EVENT.pack(0, int(down), BUTTON, number))


def _stick(value: float) -> float:
    """How far a stick is pushed for a share of the full speed: beyond its deadband."""
    return float(np.copysign(DEADBAND + (1 - DEADBAND) * abs(value), value)) if value else 0.0
