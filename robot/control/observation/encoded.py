"""Images that stay as their cameras have encoded them."""

from __future__ import annotations


class EncodedImage(bytes):
    """The bytes of a JPEG or PNG, with what its header says of the pixels.

    Args:
        data: the image.
        shape: (height, width, 3) of colour, (height, width) of grey or depth.
        dtype: `uint8` or `uint16`.
    """

    shape: tuple[int, ...]
    dtype: str

    def __new__(cls, data: bytes, shape: tuple[int, ...], dtype: str) -> EncodedImage:
        image = super().__new__(cls, data)
        image.shape, image.dtype = shape, dtype
        return image
