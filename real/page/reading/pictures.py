"""Camera images as a page shows them: JPEG as it came, anything else made small and encoded."""

from __future__ import annotations

import numpy as np
from imagecodecs import jpeg8_encode

QUALITY = 75
LARGEST_JPEG = 4 << 20  # bytes that pass through as they are
FARTHEST_MM = 2000  # of a depth image, shown white

_JPEG = b"\xff\xd8\xff"


def passes(packed: bytes) -> bool:
    """Whether the bytes of a compressed image go to the page as they are."""
    return packed[:3] == _JPEG and len(packed) <= LARGEST_JPEG


def small(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image of at most a size: every n-th pixel of every n-th row.

    Args:
        image: (h, w, 3) or (h, w).
        width, height: of the page's frame, px.
    """
    step = max(-(-image.shape[0] // height), -(-image.shape[1] // width), 1)
    if image.ndim == 3 and image.flags.c_contiguous:
        # One element per pixel: numpy copies every other pixel three times as fast as every other three bytes.
        pixels = image.view(np.dtype((np.void, image.shape[2])))[..., 0]
        return np.ascontiguousarray(pixels[::step, ::step])[..., None].view(np.uint8)
    return image[::step, ::step]


def encoded(image: np.ndarray, width: int, height: int, quality: int = QUALITY) -> bytes:
    """A JPEG of an image of at most a size.

    Args:
        image: uint8 RGB (h, w, 3), uint8 grey (h, w), or uint16 depth (h, w) in mm.
        width, height: of the page's frame, px.
        quality: of the JPEG, 1 to 100.
    """
    pixels = small(image, width, height)
    if pixels.dtype == np.uint16:
        pixels = (np.minimum(pixels, FARTHEST_MM) * (255.0 / FARTHEST_MM)).astype(np.uint8)
    return bytes(jpeg8_encode(np.ascontiguousarray(pixels), level=quality))
