"""Fingers whose effort is capped: how they press, and how far their command may go until they are measured again.

A finger presses like a spring from its measured position q towards its command c. With its effort as a share f of the
largest one, the spring would reach that at a deflection of (c - q) / f, and the command goes there by GIVES_WAY of the
difference per measurement:

    c+ = c + GIVES_WAY ((c - q) / f - (c - q))

In delays of m measurements that is stable for GIVES_WAY < 2 sin(pi / (4 m + 2)): 0.44 for three of them. A finger that
has met something goes on so while it presses less, too: at full speed it would run far beyond before it is measured.
"""

from __future__ import annotations

import math
from typing import Iterable, NamedTuple

import numpy as np

from robot.contract.names import effort_name
from robot.safety.gate.inputs import StateSample
from robot.safety.gate.limits import FIRST, GROUP, TANGENT_FIRST, LimitArrays
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.state import Grip, Measurement

GIVES_WAY = 0.3  # of the difference, per measurement
PRESSES, LOOSE = 0.7, 0.2  # shares of the largest effort: from one on a finger has met something, below the other not
MEASUREMENTS = 25  # below `LOOSE`, after which a finger that had met something is free again
SLOW = 0.25  # of its speed limit, at which a finger goes on or back where its position shows no deflection
TOUCH, LEAST_TOUCH = 0.005, 1e-4  # share of a finger's range, and unit: smaller deflections show no direction


class Finger(NamedTuple):
    """A component of a tool whose effort is capped.

    Args:
        column, tangent: its indices in a command and in a velocity.
        effort: name of its effort among the measured values.
        force: its largest.
        slow: step per measurement where its position shows no deflection.
        touch: smallest deflection that shows a direction.
        closing: direction in which it closes, where that is known: -1 for a width, else 0.
    """

    column: int
    tangent: int
    effort: str
    force: float
    slow: float
    touch: float
    closing: float


class Fingers:
    """All capped fingers of a gate.

    Args:
        settings: of the gate.
        limits: the same, laid out.
    """

    def __init__(self, settings: GateSettings, limits: LimitArrays) -> None:
        self._dim = settings.spec.dim
        self._fingers: list[Finger] = []
        width = limits.high - limits.low
        for row, field in enumerate(settings.fields):
            group = settings.groups[int(limits.part[row, GROUP])]
            if group.force is None:
                continue
            first, tangent = int(limits.part[row, FIRST]), int(limits.part[row, TANGENT_FIRST])
            for number, name in enumerate(group.measured):
                column, speed = first + number, float(limits.speed[tangent + number])
                self._fingers.append(
                    Finger(
                        column,
                        tangent + number,
                        effort_name(name),
                        group.force,
                        SLOW * speed * settings.tick_s,
                        max(TOUCH * width[column], LEAST_TOUCH) if math.isfinite(width[column]) else LEAST_TOUCH,
                        -1.0 if field.size == 1 and field.unit == "m" else 0.0,
                    )
                )

    def efforts(self, known: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """The efforts (dim,) updated by newer samples; empty while none is measured, or where none is capped."""
        if not self._fingers:
            return known
        result = known.copy() if len(known) else np.full(self._dim, np.nan)
        for sample in samples:
            for finger in self._fingers:
                value = sample.values.get(finger.effort)
                if value is not None:
                    result[finger.column] = abs(value.item())
        return result

    def are_measured(self, samples: Iterable[StateSample]) -> bool:
        """Whether the samples have an effort that is capped."""
        return bool(self._fingers) and any(
            finger.effort in sample.values for sample in samples for finger in self._fingers
        )

    def grip(
        self, known: Measurement, efforts: np.ndarray, command: np.ndarray, velocity: np.ndarray, measured: np.ndarray
    ) -> Grip:
        """How the fingers press now.

        Args:
            known: the measurement before.
            efforts: (dim,) new.
            command, velocity: (dim,) and (tangent,) the last.
            measured: (dim,) with the efforts.
        """
        before, bound = known.grip, np.full(self._dim, np.nan)
        if len(before.onward):
            onward, contact = before.onward.copy(), before.contact.copy()
        else:
            onward, contact = np.zeros(self._dim), np.zeros(self._dim)
            for finger in self._fingers:
                onward[finger.column] = finger.closing
        for finger in self._fingers:
            at = finger.column
            share, deflection = float(efforts[at]) / finger.force, float(command[at] - measured[at])
            onward[at] = self._direction(finger, known, float(onward[at]), deflection, command, velocity)
            if share > PRESSES:
                contact[at] = MEASUREMENTS
            elif share < LOOSE:
                contact[at] = max(contact[at] - 1, 0)
            if contact[at] and onward[at]:
                bound[at] = command[at] + onward[at] * self._step(finger, share, deflection * float(onward[at]))
        return Grip(command, onward, contact, bound)

    @staticmethod
    def _direction(
        finger: Finger,
        known: Measurement,
        onward: float,
        deflection: float,
        command: np.ndarray,
        velocity: np.ndarray,
    ) -> float:
        """The direction in which a finger would press on; 0 while it is not known.

        It is that of the deflection, or where the driver reports its command as the position, of the last motion before
        it pressed. While it presses, only a deflection under a command that stands turns it round: a late report of the
        command is behind a command that gives way, too.
        """
        pressed = len(known.efforts) > 0 and known.efforts[finger.column] > PRESSES * finger.force
        shows = abs(deflection) > finger.touch
        if not pressed:
            speed = float(velocity[finger.tangent])
            return math.copysign(1.0, deflection) if shows else math.copysign(1.0, speed) if speed else onward
        moved = abs(command[finger.column] - known.grip.command[finger.column]) if len(known.grip.command) else 0.0
        turned = bool(onward) and shows and deflection * onward < 0 and moved <= LEAST_TOUCH
        return -onward if turned else onward

    @staticmethod
    def _step(finger: Finger, share: float, deflection: float) -> float:
        """How far the command of a finger in contact may go on until the next measurement; below 0 it goes back."""
        if deflection > LEAST_TOUCH and share > LOOSE:
            return min(GIVES_WAY * (deflection / share - deflection), 4 * finger.slow)
        return finger.slow * min(max((1 - share) / (1 - PRESSES), -1.0), 1.0)
