"""Generators of rotations, chunks and specs for the tests of the room `robot`."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from robot.control.rotation import matrix_from_rotvec
from robot.description import ActionField, ActionSpec

finite = st.floats(-10, 10, allow_nan=False, allow_infinity=False)
POSE = ActionSpec(
    (
        ActionField("tcp.position", 3, "m", "pose"),
        ActionField("tcp.rotation", 6, "1", "pose"),
        ActionField("gripper.width", 1, "m", "width"),
    ),
    period_s=0.05,
)


@st.composite
def rotvecs(draw: st.DrawFn, largest_angle: float = np.pi) -> np.ndarray:
    axis = np.array(draw(st.tuples(finite, finite, finite)))
    norm = np.linalg.norm(axis)
    axis = axis / norm if norm > 1e-3 else np.array([0.0, 0.0, 1.0])
    return axis * draw(st.floats(0, largest_angle))


@st.composite
def rotations(draw: st.DrawFn) -> np.ndarray:
    return matrix_from_rotvec(draw(rotvecs()))
