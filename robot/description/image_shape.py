"""Shapes that are taken for images where an array has no declared kind."""

from __future__ import annotations

from typing import Sequence

CHANNELS = (1, 3, 4)
"""Grey, colour, and colour with opacity."""

SMALLEST_SIDE = 8
"""Pixels; smaller arrays of two axes and more are numbers."""


def can_be_image(shape: Sequence[int]) -> bool:
    """Whether a frame (h, w), (h, w, channels) or (channels, h, w) can be an image where it is declared as one."""
    if len(shape) not in (2, 3):
        return False
    if len(shape) == 2:
        return min(shape) >= SMALLEST_SIDE
    sides = shape[:2] if shape[-1] in CHANNELS else shape[1:]
    return (shape[-1] in CHANNELS or shape[0] in CHANNELS) and min(sides) >= SMALLEST_SIDE


def looks_like_image(shape: Sequence[int]) -> bool:
    """Whether an undeclared frame is an image: four channels first are more often a stack of grey images."""
    return can_be_image(shape) and not (len(shape) == 3 and shape[-1] not in CHANNELS and shape[0] == 4)
