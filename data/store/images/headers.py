"""What JPEGs and PNGs say of themselves, read from bytes that anybody may have sent; nothing is decoded.

Bytes may claim any size and end anywhere: sizes, ends and checksums are looked at here. A JPEG has no checksum: its end
is required.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from robot.errors import InputError

MOST_PIXELS = 16 << 20
MOST_SEGMENTS = 256  # of a JPEG before its first scan
MOST_CHUNKS = 1 << 14  # of a PNG
_JPEG, _JPEG_END, _JPEG_SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment
_JPEG_QUANTA = 0xDB
_JPEG_READ = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what decoders of pictures read
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # C4, C8 and CC are tables
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KNOWN = frozenset({b"IDAT", b"PLTE"})
_GREY, _RGB = 0, 2  # colour types of a PNG


@dataclass(frozen=True)
class EncodedHeader:
    """What a JPEG or PNG says of itself.

    Args:
        kind: `jpeg` or `png`.
        shape: of its pixels as they are stored: (height, width), or (height, width, channels).
        bits: of a number.
        plain: whether its pixels are grey of 8 or 16 bits or RGB of 8, without palette or transparency.
        end: bytes that are of the image; cameras pad theirs.
    """

    kind: str
    shape: tuple[int, ...]
    bits: int
    plain: bool
    end: int

    @property
    def dtype(self) -> str:
        """Of its pixels: `uint8` or `uint16`."""
        return "uint16" if self.bits == 16 else "uint8"


def encoded_header(data: bytes) -> EncodedHeader:
    """What a JPEG or PNG says of itself, when it is whole; nothing is decoded.

    Raises:
        InputError: it is neither, ends early, a checksum is wrong, or it has more than `MOST_PIXELS`.
    """
    header = header_or_reason(data)
    if isinstance(header, EncodedHeader):
        height, width = header.shape[:2]
        if 0 < height * width <= MOST_PIXELS:
            return header
        header = f"{width} x {height} pixels"
    raise InputError("compressed image", expected="a JPEG or a PNG, whole", got=header)


def header_or_reason(data: bytes) -> EncodedHeader | str:
    """What a JPEG or PNG of any size says of itself, or what is wrong with the bytes, as words behind "got"."""
    read = _read_png if data.startswith(_PNG) else _read_jpeg if data.startswith(_JPEG) else None
    return read(data) if read else f"bytes that begin with {data[:4].hex(' ') or 'nothing'}"


def _read_jpeg(data: bytes) -> EncodedHeader | str:
    """The header of a JPEG, or what is wrong with it: its segments are walked up to the first scan."""
    at, frame, tables = 2, b"", False
    for _ in range(MOST_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return "a JPEG that ends early, or is damaged"
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # between segments there may be more of them
            at += 1
            continue
        if marker in _JPEG_ALONE:
            at += 2
            continue
        content = data[at + 4 : at + 2 + length]
        if marker in _JPEG_FRAMES:
            if frame or marker not in _JPEG_READ or len(content) < 6 or len(content) != 6 + 3 * content[5]:
                return f"a JPEG with a frame of kind {marker:02x}" if not frame else "a JPEG with two frames"
            frame = content
        tables = tables or marker == _JPEG_QUANTA
        if marker == _JPEG_SCAN:
            return _jpeg_header(data, at, frame, content) if tables else "a JPEG without its tables"
        at += 2 + length
    return f"a JPEG without a scan in {MOST_SEGMENTS} segments"


def _jpeg_header(data: bytes, at: int, frame: bytes, scan: bytes) -> EncodedHeader | str:
    """The header from the contents of a JPEG's frame and first scan, which begins at a position."""
    end = data.rfind(_JPEG_END, at) + 2
    if end < 2:
        return "a JPEG without its end"
    if not frame:
        return "a JPEG without a frame"
    bits, channels = frame[0], frame[5]
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if channels not in (1, 3):
        return f"a JPEG of {channels} channels"
    if bits != 8:
        return f"a JPEG of {bits} bits"
    factors = frame[7::3]
    if not all(1 <= each >> 4 <= 4 and 1 <= each & 15 <= 4 for each in factors) or len(scan) < 6:
        return "a JPEG that is damaged"
    shape = (height, width, channels) if channels == 3 else (height, width)
    return EncodedHeader("jpeg", shape, 8, True, end)


def _read_png(data: bytes) -> EncodedHeader | str:
    """The header of a PNG, or what is wrong with it: the checksums of its chunks are compared."""
    at, content, transparent, pixels = len(_PNG), b"", False, False
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
            return _png_header(content, transparent, end) if pixels else "a PNG without pixels"
        elif kind not in _PNG_KNOWN and not kind[0] & 0x20:
            return f"a PNG with a chunk that must be understood, {kind!r}"
        transparent, pixels = transparent or kind == b"tRNS", pixels or (kind == b"IDAT" and length > 0)
        at = end
    return f"a PNG without its end in {MOST_CHUNKS} chunks"


def _png_header(content: bytes, transparent: bool, end: int) -> EncodedHeader | str:
    width, height, bits, colour, *ways = struct.unpack_from(">IIBBBBB", content)
    if ways[:2] != [0, 0] or ways[2] > 1:
        return f"a PNG of compression, filter and interlace {ways}"
    channels = {_GREY: (), 4: (2,), 6: (4,)}.get(colour, (3,))
    plain = not transparent and (colour, bits) in ((_GREY, 8), (_GREY, 16), (_RGB, 8))
    return EncodedHeader("png", (height, width, *channels), bits, plain, end)
