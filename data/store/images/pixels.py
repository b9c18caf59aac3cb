"""Pixels from bytes that anybody may have sent: raw as drivers lay them out, JPEG, PNG, and ROS's compressed depth.

Headers are read before anything is decoded (`data.store.images.headers`): imagecodecs fills what is missing of a JPEG
with grey, and says nothing.
"""

from __future__ import annotations

import struct

import numpy as np

from data.store.images.headers import encoded_header
from robot.errors import InputError, nearest

ENCODINGS = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "mono8": (np.uint8, 1),
    "8UC3": (np.uint8, 3),
    "16UC1": (np.uint16, 1),
    "mono16": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}
"""Raw images by the names of `sensor_msgs/image_encodings`: type and number of channels."""

_DEPTH = "compressedDepth"
_DEPTH_HEADER = struct.Struct("<iff")  # in front of the PNG: of which kind, and two parameters of quantisation


def pixels(data: object, encoding: str, height: int, width: int, step: int, big_endian: bool) -> np.ndarray:
    """Pixels of a raw image.

    Rows may be padded and bytes of depth swapped, as drivers do. Where nothing has to be turned round the result is a
    view on the data.

    Args:
        data: a buffer of bytes.
        encoding: one of `ENCODINGS`.
        height, width: px.
        step: bytes from one row to the next.
        big_endian: whether numbers of two and four bytes begin with the high one.

    Returns:
        uint8 RGB (height, width, 3), uint8 grey or uint16 (height, width). `32FC1`, depth in m after REP 118, comes out
        as depth in mm, 0 where it is none.

    Raises:
        InputError: an encoding that is not known, or fewer bytes than the size says.
    """
    if encoding not in ENCODINGS:
        raise InputError(
            f"image encoding '{encoding}'",
            expected=f"one of {', '.join(ENCODINGS)}",
            way_out=nearest(encoding, ENCODINGS),
        )
    kind, channels = ENCODINGS[encoding]
    size = np.dtype(kind).itemsize
    row = width * channels * size
    buffer = np.frombuffer(data, np.uint8)  # type: ignore[call-overload]
    if step < row or len(buffer) < step * (height - 1) + row or not height * width:
        raise InputError(
            f"image of {width} x {height} {encoding}",
            expected=f"{height} rows of {row} bytes",
            got=f"{len(buffer)} bytes in steps of {step}",
        )
    swapped = big_endian and size > 1
    layout = np.dtype(kind).newbyteorder(">" if swapped else "=")
    image: np.ndarray = np.ndarray(
        (height, width, channels),
        layout,
        buffer,
        strides=(step, channels * size, size),  # type: ignore[arg-type]
    )
    if encoding.startswith("bgr"):
        image = image[..., ::-1] if channels == 3 else image[..., 2::-1]
    elif channels == 4:
        image = image[..., :3]
    if channels == 1:
        image = image[..., 0]
    if encoding == "32FC1":
        return _millimetres(image)
    return image.astype(kind) if swapped else image


def decoded(data: bytes) -> np.ndarray:
    """Pixels of a JPEG or PNG: uint8 RGB (height, width, 3), uint8 grey or uint16 (height, width).

    Palettes become RGB, transparency is left out, and of colour of 16 bits the upper 8 are taken.

    Raises:
        InputError: it is none, is damaged, or has more than `MOST_PIXELS`.
    """
    import imagecodecs

    header = encoded_header(data)
    if header.kind == "jpeg":
        return _by(imagecodecs.jpeg8_decode, data)
    image = _by(imagecodecs.png_decode, data)
    if len(header.shape) == 2:
        grey = image if image.ndim == 2 else image[..., 0]  # one grey may stand for transparency
        # One bit per pixel is black and white, which no field has: it is shown as colour.
        return grey if header.bits > 1 else np.repeat(grey[..., None], 3, axis=2)
    image = image[..., :3] if image.shape[2] > 2 else np.repeat(image[..., :1], 3, axis=2)
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def decoded_depth(data: bytes, form: str) -> np.ndarray:
    """Depth of ROS's transport `compressedDepth`: uint16 (height, width) in mm, 0 where there is none.

    Twelve bytes precede a PNG. Depth of floats was quantised as inverse depth, `value = a / depth + b` with a and b in
    those bytes (compressed_depth_image_transport), and is turned back.

    Args:
        data: of the message.
        form: the message's format, such as `16UC1; compressedDepth png`.

    Raises:
        InputError: another format, such as RVL, or a PNG that is damaged or no depth.
    """
    image = decoded(depth_png(data, form))
    if image.dtype != np.uint16 or image.ndim != 2:
        raise InputError("compressed depth", expected="a PNG of 16 bits", got=f"{image.dtype} {image.shape}")
    if not is_quantised(form):
        return image
    _, a, b = _DEPTH_HEADER.unpack_from(data)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _millimetres(np.where(image > 0, np.float32(a) / (image.astype(np.float32) - np.float32(b)), np.nan))


def is_compressed_depth(form: str) -> bool:
    """Whether the format of a compressed image is that of the transport of depth."""
    return _DEPTH in form


def is_quantised(form: str) -> bool:
    """Whether the format of a compressed depth is one of floats, which were quantised."""
    return form.strip().startswith("32FC1")


def depth_png(data: bytes, form: str) -> bytes:
    """The PNG in a message of the transport `compressedDepth`; of `16UC1` it has the depth itself, in mm.

    Raises:
        InputError: as `decoded_depth`.
    """
    encoding, _, transport = form.partition(";")
    codec = transport.replace(_DEPTH, "").strip()
    if encoding.strip() not in ("16UC1", "mono16", "32FC1") or codec not in ("", "png"):
        raise InputError(
            "compressed depth",
            expected="16UC1 or 32FC1 as PNG",
            got=ascii(form[:60]),
            way_out="Set the publisher's compressed_depth format to png",
        )
    return data[_DEPTH_HEADER.size :]


def _by(decode: object, data: bytes) -> np.ndarray:
    try:
        image: np.ndarray = decode(data)  # type: ignore[operator]
    except Exception as error:  # each codec has errors of its own
        raise InputError("compressed image", expected="a JPEG or a PNG, whole", got=f"{error}") from None
    return image


def _millimetres(metres: np.ndarray) -> np.ndarray:
    """Depth in m as uint16 mm, 0 for what is none: not finite, not above 0, or beyond the range."""
    with np.errstate(invalid="ignore", over="ignore"):
        millimetres = np.rint(metres.astype(np.float64) * 1e3)
        valid = (millimetres > 0) & (millimetres <= 65535)
        return np.where(valid, millimetres, 0).astype(np.uint16)
