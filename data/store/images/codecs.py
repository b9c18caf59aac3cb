"""Codecs of encoded images for zarr: those of `imagecodecs`, under its own names.

They are entry points of zarr, so that `zarr.open` reads such an array wherever tiller is installed.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import zarr
from zarr.abc.codec import ArrayBytesCodec
from zarr.codecs import ShardingCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer
from zarr.core.common import JSON, parse_named_configuration
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.registry import register_codec

from data.store.images.encoding import JPEG, PNG, Encoding, encode_jpeg, encode_png


def codec_of(encoding: Encoding) -> ArrayBytesCodec:
    """The codec that decodes rows stored so, and encodes those that zarr itself writes."""
    return PngCodec() if encoding.kind == PNG else JpegCodec(encoding.quality if encoding.kind == JPEG else None)


def image_codec(array: zarr.Array[Any]) -> ImageCodec | None:
    """The codec of an array in shards of encoded images, one a row; None for any other array."""
    outer = array.metadata.codecs[0] if isinstance(array.metadata, ArrayV3Metadata) else None
    if not isinstance(outer, ShardingCodec) or array.chunks != (1, *array.shape[1:]):
        return None
    inner = outer.codecs[0]
    return inner if isinstance(inner, ImageCodec) else None


class ImageCodec(ArrayBytesCodec):
    """One chunk is one image."""

    is_fixed_size = False

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        raise NotImplementedError("the size of an encoded image depends on what it shows")

    def encode_image(self, image: np.ndarray) -> bytes:
        raise NotImplementedError

    def decode_image(self, stored: bytes) -> np.ndarray:
        raise NotImplementedError

    def decode_row(self, stored: bytes, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """One row of an array, of its shape and type.

        Raises:
            ValueError: the image is another one.
        """
        image = self.decode_image(stored)
        if image.size != math.prod(shape) or image.dtype != dtype:
            raise ValueError(f"an image {image.shape} of {image.dtype} where {shape} of {dtype} is declared")
        return image.reshape(shape)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        row = await asyncio.to_thread(
            self.decode_row, chunk_bytes.to_bytes(), chunk_spec.shape, chunk_spec.dtype.to_native_dtype()
        )
        return chunk_spec.prototype.nd_buffer.from_numpy_array(row)

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        image = np.ascontiguousarray(chunk_array.as_numpy_array()).reshape(chunk_spec.shape[1:])
        stored = await asyncio.to_thread(self.encode_image, image)
        return chunk_spec.prototype.buffer.from_bytes(stored)


@dataclass(frozen=True)
class JpegCodec(ImageCodec):
    """JPEG, 8 bits a channel.

    Args:
        level: quality, 1 to 100; None for images that were encoded elsewhere.
    """

    level: int | None = None
    NAME = "imagecodecs_jpeg"

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> JpegCodec:
        _, configuration = parse_named_configuration(data, cls.NAME, require_configuration=False)
        level = (configuration or {}).get("level")
        return cls(None if level is None else int(cast(int, level)))

    def to_dict(self) -> dict[str, JSON]:
        return {"name": self.NAME, "configuration": {} if self.level is None else {"level": self.level}}

    def encode_image(self, image: np.ndarray) -> bytes:
        return encode_jpeg(image, self.level)

    def decode_image(self, stored: bytes) -> np.ndarray:
        import imagecodecs

        return np.asarray(imagecodecs.jpeg8_decode(stored))


@dataclass(frozen=True)
class PngCodec(ImageCodec):
    """PNG, 8 or 16 bits a channel, without loss."""

    NAME = "imagecodecs_png"

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> PngCodec:
        parse_named_configuration(data, cls.NAME, require_configuration=False)
        return cls()

    def to_dict(self) -> dict[str, JSON]:
        return {"name": self.NAME, "configuration": {}}

    def encode_image(self, image: np.ndarray) -> bytes:
        return encode_png(image)

    def decode_image(self, stored: bytes) -> np.ndarray:
        import imagecodecs

        return np.asarray(imagecodecs.png_decode(stored))


for _codec in (JpegCodec, PngCodec):
    register_codec(_codec.NAME, _codec)
