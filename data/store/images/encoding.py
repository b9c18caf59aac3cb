"""How the rows of a field are stored: as numbers, or each row as an encoded image."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot.errors import InputError, nearest

RAW, JPEG, PNG, AS_IT_CAME = "raw", "jpeg", "png", "as_it_came"
ENCODINGS = (RAW, JPEG, PNG, AS_IT_CAME)
_START, _END = b"\xff\xd8", b"\xff\xd9"  # of a JPEG
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
# Markers that begin a frame (its size follows); C4, C8 and CC in the same range are tables.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True)
class Encoding:
    """How each row of a field is stored.

    Args:
        kind: `raw` as numbers; `jpeg` with a loss; `png` exactly, also uint16 depth; `as_it_came` as the JPEG that the
            camera sent, which is given as bytes and never encoded again.
        quality: of `jpeg`, 1 to 100.

    Raises:
        InputError: there is no such kind, or a quality is outside of its range.
    """

    kind: str = RAW
    quality: int = 90

    def __post_init__(self) -> None:
        if self.kind not in ENCODINGS:
            raise InputError(
                "encoding",
                expected=f"one of {', '.join(ENCODINGS)}",
                got=f"'{self.kind}'",
                way_out=nearest(self.kind, ENCODINGS),
            )
        if not 1 <= self.quality <= 100:
            raise InputError("encoding: quality", expected="1 to 100", got=str(self.quality))

    @property
    def of_images(self) -> bool:
        """Whether each row is an encoded image."""
        return self.kind != RAW

    def require_fit(self, name: str, shape: tuple[int, ...], dtype: str) -> None:
        """Refuse a field (of one row's shape and type) that cannot be stored so.

        Raises:
            InputError: names the field, and what the encoding takes.
        """
        of_colour = len(shape) == 3 and shape[-1] == 3 and dtype == "uint8"
        of_one = len(shape) in (2, 3) and shape[2:] in ((), (1,)) and dtype in ("uint8", "uint16")
        if self.kind in (JPEG, AS_IT_CAME) and not of_colour:
            raise InputError(
                f"'{name}': encoding {self.kind}",
                expected="rows (height, width, 3) of uint8",
                got=f"{shape} of {dtype}",
            )
        if self.kind == PNG and not (of_colour or of_one):
            raise InputError(
                f"'{name}': encoding png",
                expected="rows (height, width, 3) of uint8, or (height, width) of uint8 or uint16",
                got=f"{shape} of {dtype}",
            )
        if self.of_images and not all(1 <= size <= 65_500 for size in shape[:2]):
            raise InputError(f"'{name}': encoding {self.kind}", expected="1 to 65500 pixels a side", got=str(shape))

    def encode(self, row: np.ndarray | bytes) -> bytes:
        """One row as it is stored, for an encoding of images.

        Args:
            row: (height, width, 3) or (height, width), or an image that is encoded already, returned as it is.
        """
        if not isinstance(row, np.ndarray):
            return bytes(row)
        return encode_png(row) if self.kind == PNG else encode_jpeg(row, self.quality)


def encode_jpeg(image: np.ndarray, quality: int | None) -> bytes:
    """An image (height, width, 3) of uint8 as JPEG; without a quality the encoder's own."""
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(image, level=quality))


def encode_png(image: np.ndarray) -> bytes:
    """An image (height, width) or (height, width, 3) of uint8 or uint16 as PNG."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(image, level=1))  # higher ones take long, and gain little on depth


def require_encoded(where: str, encoding: Encoding, stored: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse bytes that are no whole image, encoded so, of this shape and type; nothing is decoded.

    Args:
        where: names the row.
        encoding: of images.
        stored: the bytes.
        shape, dtype: of the field's rows.

    Raises:
        InputError: says what is wrong with it.
    """
    kind = "PNG" if encoding.kind == PNG else "JPEG"
    if not isinstance(stored, (bytes, bytearray, memoryview)):
        raise InputError(where, expected=f"the bytes of a {kind}", got=type(stored).__name__)
    if not len(stored):
        got = "no bytes at all"
    else:
        got = _unlike_png(bytes(stored), shape, dtype) if kind == "PNG" else _unlike_jpeg(bytes(stored), shape)
    if got:
        raise InputError(where, expected=f"a {kind} of {shape[1]} x {shape[0]} pixels", got=got)


def _unlike_jpeg(stored: bytes, shape: tuple[int, ...]) -> str:
    """Why bytes are no JPEG of this shape; empty when they are. Markers are walked up to that of the frame."""
    if not stored.startswith(_START):
        return f"bytes that begin with {stored[:4].hex(' ')}"
    if _END not in stored[-64:]:  # some cameras pad their images
        return "one without its end"
    at = 2
    while at + 9 < len(stored) and stored[at] == 0xFF:
        marker, length = stored[at + 1], int.from_bytes(stored[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            height, width = (int.from_bytes(stored[at + first : at + first + 2], "big") for first in (5, 7))
            channels = stored[at + 9]
            if (height, width, channels) == shape:
                return ""
            return f"one of {width} x {height} pixels and {channels} channels"
        at += 1 if marker == 0xFF else 2 + length
    return "one without a frame"


def _unlike_png(stored: bytes, shape: tuple[int, ...], dtype: str) -> str:
    """Why bytes are no PNG of this shape and type; empty when they are."""
    if not stored.startswith(_PNG) or stored[12:16] != b"IHDR":
        return f"bytes that begin with {stored[:4].hex(' ')}"
    if not stored.endswith(_PNG_END):
        return "one without its end"
    width, height, bits, colour = struct.unpack(">IIBB", stored[16:26])
    if (height, width, bits, colour) == (*shape[:2], 16 if dtype == "uint16" else 8, 2 if shape[2:] == (3,) else 0):
        return ""
    return f"one of {width} x {height} pixels, {bits} bits, colour type {colour}"
