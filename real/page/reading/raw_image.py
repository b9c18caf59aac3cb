"""A raw image read where it lies in its message: to unpack one of a megabyte copies it twice."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from real.ros.messages import image_array
from real.ros.reading import Refusal
from real.ros.wire.cdr import Cursor, Malformed
from robot.errors import InputError

_LITTLE = b"\x00\x01"
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class PackedImage:
    """The fields of a `sensor_msgs/Image` that `image_array` reads, its pixels where they were."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


def read_packed(packed: bytes) -> tuple[np.ndarray, int] | Refusal:
    """The pixels of a message, a view as of `image_array`, and its stamp in ns.

    Args:
        packed: bytes of a `sensor_msgs/Image` in CDR.
    """
    order = "<" if packed[:2] == _LITTLE else ">"
    try:
        cursor = Cursor(packed)
        cursor.skip(4, 2)
        seconds, nanoseconds = struct.unpack_from(f"{order}iI", packed, cursor.place - 8)
        cursor.string()
        cursor.skip(4, 2)
        height, width = struct.unpack_from(f"{order}II", packed, cursor.place - 8)
        size = cursor.string()
        encoding = packed[cursor.place - size : cursor.place].rstrip(b"\0").decode("ascii", "replace")
        cursor.skip(1)
        big = packed[cursor.place - 1]
        cursor.skip(4)
        (step,) = struct.unpack_from(f"{order}I", packed, cursor.place - 4)
        count = cursor.length(1)
        data = memoryview(packed)[cursor.place : cursor.place + count]
        image = image_array(PackedImage(height, width, encoding, big, step, data))  # type: ignore[arg-type]
    except (Malformed, InputError) as error:
        return Refusal(str(error))
    return image, seconds * _SECOND_NS + nanoseconds
