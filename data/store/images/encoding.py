"""How the rows of a field are stored: as numbers, or each row as an encoded image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.store.images.headers import header_or_reason
from robot.errors import InputError, nearest

RAW, JPEG, PNG, AS_IT_CAME = "raw", "jpeg", "png", "as_it_came"
ENCODINGS = (RAW, JPEG, PNG, AS_IT_CAME)


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
    header = header_or_reason(bytes(stored)) if len(stored) else "no bytes at all"
    if not isinstance(header, str):
        plain = shape[:2] if shape[2:] == (1,) else shape
        if (header.kind, header.shape, header.dtype, header.plain) == (kind.lower(), plain, dtype, True):
            return
        channels = header.shape[2] if len(header.shape) == 3 else 1
        size = f"{header.shape[1]} x {header.shape[0]} pixels, {channels} channels of {header.bits} bits"
        header = f"a {header.kind.upper()} of {size}"
    raise InputError(where, expected=f"a {kind} of {shape[1]} x {shape[0]} pixels", got=header)
