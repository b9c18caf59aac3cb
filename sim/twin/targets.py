"""The targets that a twin accepts: of its size, finite, rotations that are rotations, within reach."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from robot.control.reach import Reach
from robot.control.rotation import span_rotations
from robot.description.action import ActionSpec
from robot.description.limb import Limb
from robot.errors import InputError


class Targets:
    """Checks targets and brings them back into reach.

    Args:
        limbs: of the robot.
        spec: what a target is.

    Attributes:
        clamped: number of targets that were out of reach since it was set to 0.
    """

    def __init__(self, limbs: Sequence[Limb], spec: ActionSpec) -> None:
        self._spec, self._reach = spec, [Reach(limb, spec) for limb in limbs]
        self._rotations = [spec.slices[each.name].start for each in spec.fields if each.is_rotation]
        self.clamped = 0

    def require(self, target: np.ndarray, where: str) -> None:
        """Raise an InputError unless `target` is (dim,), finite, and its rotations have independent columns.

        Args:
            target: of a limb or several.
            where: names it in the error.
        """
        names = self._spec.component_names
        if target.shape != (self._spec.dim,):
            raise InputError(where, expected=f"({self._spec.dim},): {', '.join(names)}", got=str(target.shape))
        if not np.isfinite(target).all():
            bad = int(np.flatnonzero(~np.isfinite(target))[0])
            raise InputError(f"{where}: {names[bad]}", expected="a finite number", got=str(target[bad]))
        for first in self._rotations:
            rotation = target[first : first + 6]
            x0, x1, x2, y0, y1, y2 = rotation.tolist()
            x_x, y_y, x_y = x0 * x0 + x1 * x1 + x2 * x2, y0 * y0 + y1 * y1 + y2 * y2, x0 * y0 + x1 * y1 + x2 * y2
            # Nearly every target passes the plain comparison, at a tenth of the exact one's time.
            if not (0.5 < x_x < 2 and 0.5 < y_y < 2 and abs(x_y) < 0.4) and not span_rotations(rotation):
                raise InputError(
                    f"{where}: {names[first].removesuffix('.0')}",
                    got=str(rotation),
                    expected="two columns of a rotation, neither zero nor parallel",
                )

    def bring_into_reach(self, targets: np.ndarray) -> None:
        """Move targets (n, dim) that are out of reach back into it, in place, and count them."""
        for reach in self._reach:
            for target in targets:
                self.clamped += reach.clamp(target)
