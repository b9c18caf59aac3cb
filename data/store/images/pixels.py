"""Pixels from bytes that anybody may have sent: raw as drivers lay them out, JPEG, PNG, and ROS's compressed depth.

Bytes may claim any size and end anywhere: sizes, ends and checksums are looked at before anything is decoded. JPEG has
no checksum, and imagecodecs fills what is missing of one with grey: here its end is required.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from robot.errors import InputError, nearest

MOST_PIXELS = 16 << 20
MOST_SEGMENTS = 256  # of a JPEG before its frame
MOST_CHUNKS = 1 << 14  # of a PNG
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

_JPEG, _JPEG_END, _JPEG_SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # C4, C8 and CC are tables
_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # colour types of a PNG
_DEPTH = "compressedDepth"
_DEPTH_HEADER = struct.Struct("<iff")  # in front of the PNG: of which kind, and two parameters of quantisation


@dataclass(frozen=True)
class EncodedHeader:
    """What a JPEG or PNG says of itself.

    Args:
        kind: `jpeg` or `png`.
        shape: of its pixels as they are stored: (height, width), or (height, width, channels).
        dtype: `uint8` or `uint16`.
        plain: whether pixels are stored as grey or RGB of whole bytes, without palette or transparency.
        end: bytes that are of the image; cameras pad theirs.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    plain: bool
    end: int


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
        return grey if header.plain else np.repeat(grey[..., None], 3, axis=2)
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


def encoded_header(data: bytes) -> EncodedHeader:
    """What a JPEG or PNG says of itself, when it is whole; nothing is decoded.

    Raises:
        InputError: it is neither, ends early, a checksum is wrong, or it has more than `MOST_PIXELS`.
    """
    read = _read_png if data.startswith(_PNG) else _read_jpeg if data.startswith(_JPEG) else None
    header = read(data) if read else f"bytes that begin with {data[:4].hex(' ') or 'nothing'}"
    if isinstance(header, EncodedHeader):
        height, width = header.shape[:2]
        if 0 < height * width <= MOST_PIXELS:
            return header
        header = f"{width} x {height} pixels"
    raise InputError("compressed image", expected="a JPEG or a PNG, whole", got=header)


def _read_jpeg(data: bytes) -> EncodedHeader | str:
    """The header of a JPEG, or what is wrong with it: its segments are walked up to the first scan."""
    at, shape = 2, (0, 0, 0)
    for _ in range(MOST_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return "a JPEG that ends early, or is damaged"
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _JPEG_FRAMES and at + 10 <= len(data):
            height, width = (int.from_bytes(data[at + first : at + first + 2], "big") for first in (5, 7))
            shape = (height, width, data[at + 9])
        if marker == _JPEG_SCAN:
            end = data.rfind(_JPEG_END, at) + 2
            if end < 2:
                return "a JPEG without its end"
            if shape[2] not in (1, 3):
                return f"a JPEG of {shape[2]} channels"
            return EncodedHeader("jpeg", shape if shape[2] == 3 else shape[:2], "uint8", True, end)
        at += 1 if marker == 0xFF else 2 + length  # between segments there may be more 0xFF
    return f"a JPEG without a scan in {MOST_SEGMENTS} segments"


def _read_png(data: bytes) -> EncodedHeader | str:
    """The header of a PNG, or what is wrong with it: the checksums of its chunks are compared."""
    at, content = len(_PNG), b""
    for _ in range(MOST_CHUNKS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            return "a PNG that ends early"
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return "a PNG with a wrong checksum"
        if at == len(_PNG):
            if kind != b"IHDR" or length != 13:
                return "a PNG without its header"
            content = data[at + 8 : end - 4]
        elif kind == b"IEND":
            return _png_header(content, end)
        at = end
    return f"a PNG without its end in {MOST_CHUNKS} chunks"


def _png_header(content: bytes, end: int) -> EncodedHeader:
    width, height, bits, colour = struct.unpack_from(">IIBB", content)
    channels = {_GREY: (), 4: (2,), 6: (4,)}.get(colour, (3,))
    plain = (colour == _GREY and bits > 1) or (colour == _RGB and bits == 8)
    return EncodedHeader("png", (height, width, *channels), "uint16" if bits == 16 else "uint8", plain, end)


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
