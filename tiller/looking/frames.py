"""Frames of cameras as they are stored: nothing is decoded that is an image, and nothing is encoded."""

from __future__ import annotations

import struct
from typing import Sequence

import numpy as np

from data.store.images.encoding import RAW
from data.store.reading import read_encoded
from robot.errors import InputError, TillerError, one_line, printable
from tiller.looking.fields import Field
from tiller.looking.snapshot import Shelf, Snapshot

LARGEST_FRAME = 32 << 20
PART = struct.Struct("<II")
ALIGNED = 8


def frame(shelf: Shelf, snapshot: Snapshot, field: Field, row: int) -> bytes:
    """A row of a camera: the bytes of its JPEG or PNG, or its numbers, little-endian, row by row.

    Args:
        shelf, snapshot: of the store.
        field: of images.
        row: of the store.

    Raises:
        InputError: it is too large to be looked at.
        DamagedChunkError: it is missing or broken.
    """
    if field.encoding != RAW:
        array = snapshot.contents.array(field.path)
        return read_encoded(array, snapshot.contents.name, field.path, row, row + 1, LARGEST_FRAME)[0]
    if field.row_bytes > LARGEST_FRAME:
        raise InputError(
            f"'{field.name}'",
            expected=f"frames of up to {LARGEST_FRAME >> 20} MiB, to look at",
            got=f"{field.row_bytes >> 20} MiB",
        )
    numbers = shelf.read(snapshot, field.path, row, row + 1)[0]
    return np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<")).tobytes()


def pack_frames(shelf: Shelf, snapshot: Snapshot, fields: Sequence[Field], row: int) -> bytes:
    """Frames of several cameras at a row: of each whether there is none (u32), length (u32), its bytes, zeros up to a
    multiple of eight. Where there is none, the bytes say why.
    """
    parts = []
    for field in fields:
        try:
            missing, body = 0, frame(shelf, snapshot, field, row)
        except (TillerError, OSError, ValueError, IndexError) as error:
            missing, body = 1, printable(one_line(error))[:500].encode("utf-8", "replace")
        parts += [PART.pack(missing, len(body)), body, bytes(-len(body) % ALIGNED)]
    return b"".join(parts)
