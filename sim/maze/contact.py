"""Contact forces between two bodies in the plane: an elastic, damped normal force and Coulomb friction."""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled

OUTSIDE, LEFT, RIGHT, BELOW, ABOVE = range(5)
"""The face of a box through which the centre of a disc entered."""

_ON_FACE_M = 1e-12  # from a face, too near for a direction of its own
STICKING_MPS = 0.002  # slip, below which friction is viscous instead of constant


@compiled
def touch_box(x: float, y: float, radius: float, box: np.ndarray, face: int) -> tuple[float, float, float, int]:
    """Penetration of a disc into a box.

    A centre inside of the box is pushed out by the nearest face, by the same one as long as it is inside: a soft, thin
    wall cannot be passed by pushing through its middle.

    Args:
        x, y: centre of the disc, m.
        radius: m.
        box: (4,) lowest x and y, highest x and y.
        face: through which the centre entered before; `OUTSIDE` when it did not.

    Returns:
        Depth (m, 0 or less without contact), the direction out of the box, and the face.
    """
    low_x, low_y, high_x, high_y = box[0], box[1], box[2], box[3]
    if face == OUTSIDE:
        near_x, near_y = min(max(x, low_x), high_x), min(max(y, low_y), high_y)
        dx, dy = x - near_x, y - near_y
        far = dx * dx + dy * dy
        if far >= radius * radius:
            return 0.0, 0.0, 0.0, OUTSIDE
        if far > _ON_FACE_M * _ON_FACE_M:
            far = np.sqrt(far)
            return radius - far, dx / far, dy / far, OUTSIDE
        depths = (x - low_x, high_x - x, y - low_y, high_y - y)
        face = LEFT
        for other in (RIGHT, BELOW, ABOVE):
            if depths[other - 1] < depths[face - 1]:
                face = other
    if face < BELOW:
        beside, depth = y < low_y or y > high_y, x - low_x if face == LEFT else high_x - x
    else:
        beside, depth = x < low_x or x > high_x, y - low_y if face == BELOW else high_y - y
    if beside or depth < 0.0:
        # The centre has left by that face, or round an end of the box.
        near_x, near_y = min(max(x, low_x), high_x), min(max(y, low_y), high_y)
        dx, dy = x - near_x, y - near_y
        far = np.sqrt(dx * dx + dy * dy)
        if far >= radius:
            return 0.0, 0.0, 0.0, OUTSIDE
        if far > _ON_FACE_M:
            return radius - far, dx / far, dy / far, OUTSIDE
        depth = 0.0
    out_x = -1.0 if face == LEFT else (1.0 if face == RIGHT else 0.0)
    out_y = -1.0 if face == BELOW else (1.0 if face == ABOVE else 0.0)
    return radius + depth, out_x, out_y, face


@compiled
def contact_force(
    depth: float,
    out_x: float,
    out_y: float,
    slip_x: float,
    slip_y: float,
    stiffness: float,
    damping: float,
    friction: float,
    stickiest: float,
) -> tuple[float, float]:
    """The force (N) on a body that is pushed out.

        N = max(0, k depth - c d(out)/dt),    T = -min(mu N / max(|v|, v_0), s) v

    Args:
        depth: m, above 0.
        out_x, out_y: the direction out.
        slip_x, slip_y: m/s, velocity of the body against what it touches.
        stiffness, damping: k (N/m) and c (N s/m).
        friction: mu.
        stickiest: s, N s/m, so that one step of the integration cannot turn the slip round.
    """
    normal = stiffness * depth - damping * (slip_x * out_x + slip_y * out_y)
    if normal <= 0.0:
        return 0.0, 0.0
    slip = slip_y * out_x - slip_x * out_y
    drag = slip * min(friction * normal / max(abs(slip), STICKING_MPS), stickiest)
    return normal * out_x + drag * out_y, normal * out_y - drag * out_x
