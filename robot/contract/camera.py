"""What a contract says of a camera beside its topic: its lens, where it is fixed, how its images are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robot.errors import InputError

CAMERA_TYPES = ("image", "depth")
IMAGE_ENCODINGS = ("raw", "jpeg", "png", "as_it_came")
"""How a recorder stores images, by the names of the store."""
LOSSLESS_ENCODINGS = ("raw", "png")
DISTORTIONS = (0, 4, 5, 8)  # numbers of coefficients


@dataclass(frozen=True)
class Intrinsics:
    """The projection of a pinhole camera at the size of its images, as in `sensor_msgs/CameraInfo`.

    Args:
        fx, fy: focal lengths, px.
        cx, cy: principal point, px from the centre of the top left pixel.
        distortion: k1, k2, p1, p2[, k3[, k4, k5, k6]], the coefficients of `plumb_bob` and `rational_polynomial`; empty
            for rectified images.

    Raises:
        InputError: a focal length that is not above 0, another number of coefficients, or a number that is not finite.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.fx, self.fy, self.cx, self.cy, *self.distortion))):
            raise InputError("intrinsics", expected="finite numbers", got=str(self))
        if min(self.fx, self.fy) <= 0:
            raise InputError(
                "intrinsics: fx and fy", expected="focal lengths above 0 px", got=f"{self.fx:g}, {self.fy:g}"
            )
        if len(self.distortion) not in DISTORTIONS:
            raise InputError(
                "intrinsics: distortion",
                expected="4, 5 or 8 coefficients (k1, k2, p1, p2, k3, k4, k5, k6), or none",
                got=str(len(self.distortion)),
            )


@dataclass(frozen=True)
class Mount:
    """Where a camera is fixed: the pose of its optical frame (z ahead, x to the right of the image, y down).

    Args:
        frame: that it is fixed to: the robot's base or tool frame, or a name that is the user's own, such as `table`.
        position: (3,) m in that frame.
        quat_xyzw: (4,) of unit length.

    Raises:
        InputError: no frame, another number of numbers, or a quaternion of another length.
    """

    frame: str
    position: tuple[float, ...]
    quat_xyzw: tuple[float, ...] = (0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if not self.frame:
            raise InputError("mount: frame", expected="the name of a frame", got="none")
        if len(self.position) != 3 or not all(map(math.isfinite, self.position)):
            raise InputError("mount: position", expected="3 finite numbers, m", got=str(self.position))
        if len(self.quat_xyzw) != 4 or not abs(math.hypot(*self.quat_xyzw) - 1) < 1e-3:
            raise InputError("mount: quat_xyzw", expected="4 numbers of unit length", got=str(self.quat_xyzw))


def chosen_encoding(kind: str, compressed: bool) -> str:
    """How images are stored where the contract does not say it.

    Args:
        kind: one of `CAMERA_TYPES`.
        compressed: whether they come as JPEG or PNG.

    Returns:
        `png` for depth, which a JPEG would blur; `as_it_came` for colour that comes compressed; else `jpeg`.
    """
    if kind == "depth":
        return "png"
    return "as_it_came" if compressed else "jpeg"


def require_storable(encoding: str, kind: str, compressed: bool) -> None:
    """Refuse an encoding that a camera's images cannot have.

    Raises:
        InputError: there is no such encoding, a lossy one for depth, or `as_it_came` for what comes uncompressed.
    """
    allowed = LOSSLESS_ENCODINGS if kind == "depth" else IMAGE_ENCODINGS if compressed else IMAGE_ENCODINGS[:-1]
    if encoding not in allowed:
        of = f"{'compressed' if compressed else 'raw'} {kind}"
        raise InputError("encoding", expected=f"one of {', '.join(allowed)} for {of}", got=f"'{encoding}'")
