"""Whether the values of a state message can be those of its stream: names, sizes, finite numbers, rotations."""

from __future__ import annotations

import math
from typing import Mapping

import numpy as np

from robot.safety.gate.inputs import LARGEST
from robot.safety.gate.settings import GateSettings

_SKEW = 0.01  # error of the columns of a measured rotation, above which it is none


class StreamValues:
    """Checks the messages of one stream.

    Args:
        settings: of the gate.
        name: of the stream.
    """

    def __init__(self, settings: GateSettings, name: str) -> None:
        fields = {field.name: field for field in settings.fields}
        self._names = settings.streams[name].names
        joints = frozenset(settings.capsules.joints.values()) if settings.capsules is not None else frozenset()
        single = joints.union(*(group.measured for group in settings.groups))
        # A pose beside commands of joints is compared with nothing: its size is its own affair.
        sizes = [fields[each].size if each in fields else 1 if each in single else None for each in self._names]
        rotations = [each in fields and fields[each].is_rotation for each in self._names]
        self._expected = list(zip(self._names, sizes, rotations))
        own = frozenset(self._names)
        others = frozenset(each for stream in settings.streams.values() for each in stream.names) - own
        self._foreign, self._joints = others, joints - own

    def fault(self, values: Mapping[str, np.ndarray]) -> str:
        """The fault in measured values: one is missing, of another size, not finite, huge, or no rotation; empty when
        there is none.
        """
        for name, size, is_rotation in self._expected:
            value = values.get(name)
            if value is None:
                return f"no {name}"
            # Without numpy's reductions, which take five times as long for so few.
            numbers = value.ravel().tolist()
            if size is not None and len(numbers) != size:
                return f"{name} has {len(numbers)} numbers, not {size}"
            for number in numbers:
                if not -LARGEST <= number <= LARGEST:
                    return f"{name} is beyond {LARGEST:g}" if math.isfinite(number) else f"{name} is not finite"
            if is_rotation and not _is_rotation(numbers):
                return f"{name} is no rotation"
        return ""

    def own(self, values: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The values that this stream may tell: its own names, and further ones, such as efforts, of one number each
        that are no other stream's.
        """
        if len(values) == len(self._names):
            return values
        odd = [name for name, value in values.items() if name not in self._names and self._is_odd(name, value)]
        return {name: value for name, value in values.items() if name not in odd} if odd else values

    def _is_odd(self, name: str, value: np.ndarray) -> bool:
        if name in self._foreign or value.size != 1:
            return True
        return name in self._joints and not abs(value.item()) <= LARGEST


def _is_rotation(numbers: list[float]) -> bool:
    """Whether six numbers are two unit columns at right angles, but for rounding."""
    a, b, c, x, y, z = numbers
    return (
        abs(a * a + b * b + c * c - 1) < _SKEW
        and abs(x * x + y * y + z * z - 1) < _SKEW
        and abs(a * x + b * y + c * z) < _SKEW
    )
