"""Noise on actions, so that demonstrations and experience leave the narrow path of what acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

import numpy as np

from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.description import ActionSpec
from robot.errors import InputError, nearest


@dataclass(frozen=True)
class ActionNoise:
    """White normal noise, drawn anew in each step.

    Args:
        deviations: field of the action -> standard deviation of each component, in the field's unit; of a rotation that
            of a rotation vector in the frame of the target, rad.

    Raises:
        InputError: a deviation that is no finite number from 0 on.
    """

    deviations: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, deviation in self.deviations.items():
            if isinstance(deviation, bool) or not 0 <= deviation < np.inf:
                raise InputError(f"action_noise.{name}", expected="a finite number, at least 0", got=str(deviation))

    def require(self, spec: ActionSpec) -> None:
        """Refuse fields that an action does not have."""
        known = [each.name for each in spec.fields]
        for name in self.deviations:
            if name not in known:
                raise InputError(
                    f"action_noise.{name}",
                    expected=f"a field of the action: {', '.join(known)}",
                    way_out=nearest(name, known),
                )

    def apply(self, spec: ActionSpec, action: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A noisy copy of an action (dim,)."""
        noisy = np.array(action, dtype=np.float64)
        for each in spec.fields:
            deviation = self.deviations.get(each.name, 0.0)
            if not deviation:
                continue
            part = noisy[spec.slices[each.name]]
            if each.is_rotation:
                turn = matrix_from_rotvec(deviation * random.standard_normal(3))
                part[:] = rotation_6d_from_matrix(matrix_from_6d(part) @ turn)
            else:
                part += deviation * random.standard_normal(each.size)
        return noisy
