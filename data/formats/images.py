"""Foreign images, in several layouts and scales, as uint8 of (height, width, 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from data.formats.source import BLOCK_BYTES, Source, SourceField
from robot.description.image_shape import CHANNELS, can_be_image, looks_like_image
from robot.errors import InputError


@dataclass(frozen=True)
class ImageLayout:
    """How a key's images are stored.

    Args:
        channels_first: (channels, height, width) instead of (height, width, channels).
        channels: 1 for grey, repeated to three; 3; 4 with opacity, which is dropped; 0 for grey without an axis for it.
        scale: multiplies the numbers to give 0..255.
    """

    channels_first: bool
    channels: int
    scale: int

    def row_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Shape of one row after `to_uint8`, given the stored one."""
        height, width = shape[1:] if self.channels_first else shape[:2]
        return height, width, 3

    @property
    def changes(self) -> tuple[str, ...]:
        """What `to_uint8` changes besides the type, in words."""
        applies = {
            "channels moved last": self.channels_first,
            "grey repeated to three channels": self.channels < 3,
            "opacity dropped": self.channels == 4,
            "scaled from 0..1 to 0..255": self.scale != 1,
        }
        return tuple(change for change, happens in applies.items() if happens)


def looks_like_images(field: SourceField) -> bool:
    """Whether rows have the shape of colour or grey images in either layout.

    Bytes of two axes are grey images. Four channels first are more often a stack of grey images, and so numbers.
    """
    grey = len(field.shape) == 2
    return can_be_images(field) and looks_like_image(field.shape) and (field.dtype == np.uint8 or not grey)


def can_be_images(field: SourceField) -> bool:
    """Whether a key can be images where it is declared to be."""
    return field.dtype.kind in "buif" and can_be_image(field.shape)


def find_layout(source: Source, field: SourceField, episodes: Sequence[int]) -> ImageLayout:
    """The layout by shape, type and, for floating numbers, as many rows as it takes to tell 0..1 from 0..255.

    Args:
        source: that has the key.
        field: the key.
        episodes: that are converted; others may hold anything.

    Raises:
        InputError: images of another shape.
    """
    if not can_be_images(field):
        raise InputError(
            field.label,
            expected="images (rows, height, width, 3) or (rows, 3, height, width)",
            got=f"rows {field.shape} of {field.dtype}",
            way_out=f"Keep it as numbers with kinds.{field.name}=state, or leave it out with exclude=[{field.name}]",
        )
    scale = 255 if field.dtype.kind == "b" else _scale(source, field, episodes) if field.dtype.kind == "f" else 1
    if len(field.shape) == 2:
        return ImageLayout(False, 0, scale)
    channels_first = field.shape[-1] not in CHANNELS
    return ImageLayout(channels_first, field.shape[0 if channels_first else -1], scale)


def _scale(source: Source, field: SourceField, episodes: Sequence[int]) -> int:
    """255 where no number is above 1, else 1: an image whose brightest point is 1 of 255 would be black."""
    step = max(1, BLOCK_BYTES // field.row_bytes)
    for episode in episodes:
        length = int(source.lengths[episode])
        for start in range(0, length, step):
            block = np.asarray(source.read(field.name, episode, start, min(start + step, length)))
            if (block > 1).any():
                return 1
            if not np.array_equal(block, np.trunc(block)):
                return 255
    return 255


def to_uint8(field: SourceField, layout: ImageLayout, block: np.ndarray, episode: int, first: int) -> np.ndarray:
    """A block (rows, ...) as uint8 (rows, height, width, 3), checked to lose nothing but a half step of 0..1 numbers.

    Args:
        field: the key, for messages.
        layout: how it is stored.
        block: rows as stored.
        episode: of these rows.
        first: number of the block's first row in the episode.

    Raises:
        InputError: names the row that holds something else than images.
    """
    if block.dtype == np.uint8 and layout == ImageLayout(False, 3, 1):
        return np.ascontiguousarray(block)
    if layout.scale != 1:
        block = block.astype(np.uint8) if block.dtype == bool else block
        bad = ~((block >= 0) & (block <= 1))
        _refuse_rows(field, episode, first, bad, block, "numbers 0..1, as in the rows before")
        block = np.rint(block * layout.scale)
    with np.errstate(invalid="ignore"):
        images = block.astype(np.uint8)
    if block.dtype != np.uint8 and not np.array_equal(images, block):
        _refuse_rows(field, episode, first, images != block, block, "integers 0..255, or of numbers 0..1")
    if layout.channels == 0:
        images = images[..., None]
    if layout.channels_first:
        images = images.transpose(0, 2, 3, 1)
    images = images[..., :3]
    return np.ascontiguousarray(np.broadcast_to(images, (*images.shape[:-1], 3)))


def _refuse_rows(
    field: SourceField, episode: int, first: int, bad: np.ndarray, block: np.ndarray, expected: str
) -> None:
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise InputError(
            field.at(episode, first + int(index[0])),
            expected=f"images of {expected}",
            got=str(block[index]),
            way_out=f"Leave the episode out with skip_episodes=[{episode}], the key with exclude=[{field.name}], or "
            f"keep it as numbers with kinds.{field.name}=state",
        )
