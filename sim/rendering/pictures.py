"""Convert pictures of foreign environments to (height, width, 3) uint8 RGB."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.errors import InputError

_CHANNELS = (1, 3, 4)


def as_rgb(picture: Any, where: str, *, white: float | None = None) -> np.ndarray:
    """Convert a picture to the format of videos.

    Args:
        picture: (height, width) grey, (height, width, 1, 3 or 4) or channels first; integers 0..255, real numbers 0..1
            or 0..255, or booleans; or a list of such, of which the last one is taken. Opacity is dropped.
        where: it came from, for the message.
        white: the number that means full brightness; None for 1 where no real number is above it, else 255.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(picture, (list, tuple)) and picture and np.ndim(picture[-1]) >= 2:
        picture = picture[-1]
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[-1] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[-1] not in _CHANNELS or not array.size or array.dtype.kind not in "biuf":
        got = "None" if picture is None else f"{array.shape} of {array.dtype}"
        raise InputError(f"picture of {where}", expected="numbers (height, width, 3)", got=got)
    colours = array[..., :3]
    if colours.dtype.kind in "bf":
        known = np.nan_to_num(colours.astype(np.float64), nan=0.0)
        colours = np.rint(known * (255 / (white or (1 if known.max() <= 1 else 255))))
    colours = np.clip(colours, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
