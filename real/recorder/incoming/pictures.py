"""What a camera's pictures are like: learnt from the first one, and held to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from data.store.images.encoding import AS_IT_CAME, PNG
from real.ros.messages import encoded_image
from real.ros.reading import Refusal
from real.ros.streams import read_image
from robot.contract.contract import Stream
from robot.control.observation.encoded import EncodedImage
from robot.errors import InputError


@dataclass(frozen=True)
class Picture:
    """A camera's first picture: what all others have to be like.

    Args:
        shape: (height, width, 3) of colour, (height, width) of depth.
        dtype: `uint8` or `uint16`.
        is_jpeg: whether it came as a JPEG.
    """

    shape: tuple[int, ...]
    dtype: str
    is_jpeg: bool

    def stored_as(self, stream: Stream) -> str:
        """How the pictures are stored: as the contract says, but for bytes that came as something else than a JPEG."""
        return PNG if stream.stored_as == AS_IT_CAME and not self.is_jpeg else stream.stored_as

    def unlike(self, picture: np.ndarray | EncodedImage, stored_as: str) -> str:
        """Why another picture cannot stand in the same array; empty where it can."""
        if picture.shape != self.shape or str(picture.dtype) != self.dtype:
            return f"{described(picture.shape, str(picture.dtype))}, before {described(self.shape, self.dtype)}"
        if stored_as == AS_IT_CAME and not isinstance(picture, EncodedImage):
            return "no JPEG, as those before were"
        return ""


def first_picture(stream: Stream, message: Image | CompressedImage) -> Picture | Refusal:
    """What a camera's first message says of all that follow, or why it is no picture of such a camera."""
    try:
        picture = read_image(message)
        is_jpeg = isinstance(message, CompressedImage) and encoded_image(message, "jpeg") is not None
    except InputError as error:
        return Refusal(str(error))
    dtype = str(picture.dtype)
    if (picture.ndim, dtype) != ((3, "uint8") if stream.type == "image" else (2, "uint16")):
        return Refusal(f"{described(picture.shape, dtype)}, a camera of type {stream.type} is expected")
    if stream.size and picture.shape[:2] != tuple(stream.size):
        height, width = stream.size
        return Refusal(f"{described(picture.shape, dtype)}, the contract says {width} x {height}")
    if stream.encoding == AS_IT_CAME and not is_jpeg:
        return Refusal("no JPEG, and the contract stores pictures as they come")
    return Picture(picture.shape, dtype, is_jpeg)


def described(shape: tuple[int, ...], dtype: str) -> str:
    """Pixels in words."""
    kind = "depth" if dtype == "uint16" else "colour" if len(shape) == 3 else "grey"
    return f"{kind} of {shape[1]} x {shape[0]}"
