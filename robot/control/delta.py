"""Bounded changes as actions: a vector in [-1, 1]^n is a target near the measured state, and the other way round.

With u the action and x the measured state, both split by the fields of the target,

    position    p = clip(x_p + d u_p, low, high)            d = 0.015 m per axis
    rotation    R = exp([theta u_R]) R_x                    theta = 0.05 rad per axis of the base frame
    joints      q = clip(x_q + delta u_q, low, high)        delta = 0.03 rad
    tool        w = low + (u_w + 1) / 2 (high - low)        absolute: an open hand is 1, whatever it was before

The change is relative to the state and not to the last target: then nothing that is not observed decides what an
action does. For that the set-point must also start from the measured state in each period: where it came from the last
target instead, it jumped by the lag of the arm, and random actions decided a tenth of the motion.

So u = 0 holds the measured pose, where that is within the box. A spring that carries a load sags below its target: a
policy has to command upwards to hold what it carries.
"""

from __future__ import annotations

from typing import Collection

import numpy as np

from robot.control.rotation import matrix_from_6d, rotvec_from_matrix
from robot.control.rotation_kernels import write_matrix_from_6d, write_turned
from robot.description.action import ActionField, ActionSpec
from robot.errors import InputError

# At 20 Hz as fast as the scripted experts, 0.3 m/s, and 1 rad/s. Random actions then decide 0.7 of the variance of a
# Panda's motion; of 0.03 m and 0.2 rad the drives' limits leave less than 0.1.
STEP_M = 0.015
STEP_RAD = 0.05
STEP_JOINT_RAD = 0.03


class DeltaAction:
    """The law between bounded changes (n,) and targets (dim,) of one robot.

    Args:
        spec: fields of a target: positions, rotations, joints, and those of tools.
        low, high: (dim,) the box that targets are kept in, in the units of `spec`; a rotation is not clipped.
        tools: names of the fields that an action sets absolutely.
        step_m, step_rad, step_joint_rad: largest change, per component of an action.

    Attributes:
        dim: n, the components of an action.
        component_names: one name per component.

    Raises:
        InputError: a field of another kind, or a tool without finite limits.
    """

    def __init__(
        self,
        spec: ActionSpec,
        low: np.ndarray,
        high: np.ndarray,
        *,
        tools: Collection[str],
        step_m: float = STEP_M,
        step_rad: float = STEP_RAD,
        step_joint_rad: float = STEP_JOINT_RAD,
    ) -> None:
        self.spec, self._low, self._high = spec, low, high
        # Per field: its part of the target, its part of the action, its largest change (0 for a tool).
        self._parts: list[tuple[ActionField, slice, slice, float]] = []
        self.dim, names = 0, []
        for field in spec.fields:
            part = spec.slices[field.name]
            if field.name in tools:
                if not (np.isfinite(low[part]) & np.isfinite(high[part]) & (low[part] < high[part])).all():
                    raise InputError(f"bounds of '{field.name}'", expected="finite, low < high", got="others")
                step = 0.0
            elif field.kind == "pose":
                step = step_rad if field.is_rotation else step_m
            elif field.kind == "joint":
                step = step_joint_rad
            else:
                raise InputError(f"change of '{field.name}'", expected="a pose or joints", got=f"'{field.kind}'")
            size = 3 if field.is_rotation else field.size
            self._parts.append((field, part, slice(self.dim, self.dim + size), step))
            self.dim += size
            names += [f"{field.name}.{index}" for index in range(size)] if size > 1 else [field.name]
        self.component_names = tuple(names)

    def decode(self, unit: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """The target of an action.

        Args:
            unit: (..., n), clipped to [-1, 1].
            measured: (..., dim) the state as the target that would keep it.

        Returns:
            (..., dim) in the units of `spec`.

        Raises:
            InputError: another number of components, or one that is not finite.
        """
        unit, measured = self._checked(unit), np.asarray(measured, dtype=np.float64)
        target = np.empty((*np.broadcast_shapes(unit.shape[:-1], measured.shape[:-1]), self.spec.dim))
        for field, part, own, step in self._parts:
            low, high, change = self._low[part], self._high[part], step * unit[..., own]
            if not step:
                target[..., part] = low + (unit[..., own] + 1) / 2 * (high - low)
            elif field.is_rotation:
                _write_turned(measured[..., part], change, target[..., part])
            else:
                target[..., part] = np.clip(measured[..., part] + change, low, high)
        return target

    def encode(self, target: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """The action that leads to a target: the inverse of `decode` where the target is near enough. Towards one
        that is further away, each field takes the longest step in its direction.

        Args:
            target, measured: (..., dim).

        Returns:
            (..., n) in [-1, 1].
        """
        target, measured = np.asarray(target, dtype=np.float64), np.asarray(measured, dtype=np.float64)
        unit = np.empty((*np.broadcast_shapes(target.shape[:-1], measured.shape[:-1]), self.dim))
        for field, part, own, step in self._parts:
            if not step:
                low, high = self._low[part], self._high[part]
                unit[..., own] = np.clip(2 * (target[..., part] - low) / (high - low) - 1, -1.0, 1.0)
                continue
            if field.is_rotation:
                now = np.swapaxes(matrix_from_6d(measured[..., part]), -1, -2)
                change = rotvec_from_matrix(matrix_from_6d(target[..., part]) @ now) / step
            else:
                change = (target[..., part] - measured[..., part]) / step
            unit[..., own] = change / np.maximum(np.abs(change).max(axis=-1, keepdims=True), 1.0)
        return unit

    def _checked(self, unit: np.ndarray) -> np.ndarray:
        unit = np.asarray(unit, dtype=np.float64)
        if unit.shape[-1:] != (self.dim,):
            raise InputError(
                "change", expected=f"(..., {self.dim}): {', '.join(self.component_names)}", got=str(unit.shape)
            )
        if not np.isfinite(unit).all():
            raise InputError("change", expected="finite numbers", got=str(unit))
        clipped: np.ndarray = np.clip(unit, -1.0, 1.0)
        return clipped


def _write_turned(rotation_6d: np.ndarray, turn: np.ndarray, turned: np.ndarray) -> None:
    """Write exp([turn]) R to `turned` (..., 6), for R as (..., 6) and a turn (..., 3) in rad.

    Row by row with the compiled kernels: for the one row of an environment's step the functions on batches take 70 us,
    a tenth of the physics.
    """
    before, after = np.empty((3, 3)), np.empty((3, 3))
    rows = turned.shape[:-1]
    starts, turns = np.broadcast_to(rotation_6d, (*rows, 6)), np.broadcast_to(turn, (*rows, 3))
    for row in np.ndindex(rows):
        write_matrix_from_6d(np.ascontiguousarray(starts[row]), before)
        write_turned(np.ascontiguousarray(turns[row]), 1.0, before, after)
        turned[row] = after.T[:2].ravel()
