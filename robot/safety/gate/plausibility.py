"""Whether a measured state can be that of a robot, or is the report of a driver that restarts or misreads."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from robot.safety.gate.limits import any_differs, limits_of, write_distances
from robot.safety.gate.settings import GateSettings

TURN_ROUNDING = 1.0  # rad, by which a joint that is off by whole turns may have moved besides
JUMP_SPEED = 10.0  # times its speed limit: no arm moves so fast, and no person moves one
JUMP_SHARE = 0.25  # of the allowed distance, from which on a step at such a speed is a jump
OUTSIDE_M = 2.0  # of its workspace, further than any arm reaches


def apart_of(settings: GateSettings) -> np.ndarray:
    """(fields,) how far the robot may be from its command while no source is followed; inf without a limit."""
    limits = {
        part.field: limit for group in settings.groups if group.apart for part, limit in zip(group.parts, group.apart)
    }
    return np.array([limits.get(field.name, np.inf) for field in settings.fields])


class Plausibility:
    """Judges measured states.

    Args:
        settings: of the gate.
        component_names: (dim,) of a command, as they are reported.
    """

    def __init__(self, settings: GateSettings, component_names: Sequence[str]) -> None:
        self._settings, self._limits = settings, limits_of(settings)
        self._component_names = component_names
        self._apart = apart_of(settings)
        parts = {part.field: part for group in settings.groups for part in group.parts}
        self._jump_speed = JUMP_SPEED * np.array([max(parts[field.name].speed) for field in settings.fields])
        self._jump_speed[np.isinf(self._jump_speed)] = 0.0  # without a limit every such step is a jump
        self._turns = np.array([field.kind == "joint" for field in settings.fields])
        # No field can have jumped while no component has changed by more: the chord of an angle is shorter than it.
        self._least_change = 0.3 * JUMP_SHARE * min(self._apart.min(initial=np.inf), 1.0)
        self._names = [field.name for field in settings.fields]
        self._zeros = np.array(settings.zeros or np.zeros(settings.spec.dim))

    def jump(self, before: np.ndarray, after: np.ndarray, elapsed_s: float) -> str:
        """A description of a motion that no robot makes; empty when there is none.

        That is one faster than any, and whatever the time between the two, a whole turn of a joint or all zeros, which
        a driver reports that has restarted.

        Args:
            before, after: (dim,) two consecutive measured states, NaN where nothing was measured.
            elapsed_s: between the two.
        """
        if not len(before) or not any_differs(before, after, self._least_change):
            return ""
        change = np.abs(after - before)
        distances = np.empty(len(self._names))
        write_distances(self._limits, before, after, np.empty(self._limits.tangent), distances)
        turns = np.rint(distances / (2 * math.pi))
        turned = self._turns & (turns > 0) & (np.abs(distances - 2 * math.pi * turns) < TURN_ROUNDING)
        nothing = np.array([self._is_zeros(after, name) for name in self._names])
        fast = distances > self._jump_speed * max(elapsed_s, self._settings.tick_s)
        jumped = ((distances > JUMP_SHARE * self._apart) & fast) | ((distances > self._apart) & (turned | nothing))
        if not jumped.any():
            return ""
        notes = []
        for number in np.flatnonzero(jumped):
            part = self._settings.spec.slices[self._names[number]]
            worst = part.start + int(np.nanargmax(change[part]))
            size = float(distances[number])
            note = f" ({2 * turns[number]:.0f} pi)" if turned[number] else " (all zeros now)" if nothing[number] else ""
            name = self._names[number] if self._settings.fields[number].kind == "pose" else self._component_names[worst]
            notes.append(f"{name} by {size:.3g} in {elapsed_s * 1e3:.0f} ms{note}")
        return ", ".join(notes)

    def all_zeros(self, measured: np.ndarray) -> bool:
        """Whether an arm is measured (dim,) at all zeros, as a driver reports that has read no encoder yet."""
        return len(measured) > 0 and any(
            limit < np.inf and self._is_zeros(measured, field.name)
            for field, limit in zip(self._settings.fields, self._apart)
        )

    def _is_zeros(self, measured: np.ndarray, name: str) -> bool:
        part = self._settings.spec.slices[name]
        return bool((measured[part] == self._zeros[part]).all())

    def implausible(self, measured: np.ndarray) -> str:
        """Why no arm can be measured (dim,) so: all zeros, or far outside of its limits; empty when it can."""
        if self.all_zeros(measured):
            return "the arm says nothing but zeros"
        if len(measured):
            beyond = np.maximum(self._limits.low - measured, measured - self._limits.high)
            for field, limit in zip(self._settings.fields, self._apart):
                part = self._settings.spec.slices[field.name]
                allowed = limit if field.kind == "joint" else max(limit, OUTSIDE_M)
                if limit < np.inf and not field.is_rotation and (beyond[part] > allowed).any():
                    worst = part.start + int(np.argmax(beyond[part]))
                    return f"{self._component_names[worst]} is {beyond[worst]:.3g} {field.unit} outside of its limits"
        return ""
