"""What the fields of a store are called and how they are kept in a LeRobot dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from data.store.images.encoding import Encoding, encode_png
from data.store.names import REWARD
from data.store.schema import ACTION, ColumnField, Schema

_OWN = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""Columns that LeRobot makes itself."""


@dataclass(frozen=True)
class Feature:
    """One key.

    Args:
        name: in the store.
        key: in LeRobot.
        dtype: a number's type, `image` or `video`.
        shape: of one row.
        names: of the numbers of a row, or of the axes of an image; None where there are none.
        encoding: of the field in the store.
    """

    name: str
    key: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None
    encoding: Encoding

    @property
    def is_image(self) -> bool:
        return self.dtype in ("image", "video")

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as numbers."""
        return max(1, math.prod(self.shape) * (1 if self.is_image else np.dtype(self.dtype).itemsize))

    def arrow(self) -> Any:
        """Type of its column."""
        import pyarrow

        if self.is_image:
            return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        kind = pyarrow.from_numpy_dtype(np.dtype(self.dtype))
        if self.shape == (1,):
            return kind
        *outer, last = self.shape
        kind = pyarrow.list_(kind, last)
        for size in reversed(outer):
            kind = pyarrow.list_(kind, size)
        return kind

    def column(self, values: np.ndarray) -> Any:
        """Rows (k, ...) as a column."""
        import pyarrow

        array = pyarrow.array(np.ascontiguousarray(values).reshape(-1))
        if self.shape == (1,):
            return array
        for size in reversed(self.shape):
            array = pyarrow.FixedSizeListArray.from_arrays(array, size)
        return array

    def as_png(self, image: np.ndarray) -> bytes:
        """An image (height, width, 3)."""
        return encode_png(np.ascontiguousarray(image))

    def huggingface(self) -> dict[str, Any]:
        """Type of its column as the library `datasets` names it."""
        if self.is_image:
            return {"_type": "Image"}
        kind: dict[str, Any] = {"dtype": self.dtype, "_type": "Value"}
        if self.shape == (1,):
            return kind
        for size in reversed(self.shape):
            kind = {"feature": kind, "length": size, "_type": "List"}
        return kind

    def to_json(self, fps: float) -> dict[str, Any]:
        """As `meta/info.json` has it."""
        value: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "names": None}
        if self.names is not None:
            value["names"] = list(self.names)
        if self.dtype == "video":
            value["info"] = {
                "video.height": self.shape[0],
                "video.width": self.shape[1],
                "video.codec": "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "video.fps": fps,
                "video.channels": 3,
                "has_audio": False,
            }
        return value


def features_of(
    schema: Schema, images: str, components: Mapping[str, Any]
) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """The keys of a LeRobot dataset of a schema, and what is not written or changed, in words.

    Args:
        schema: of the store.
        images: `image` or `video`.
        components: field -> names of its numbers, where they are known.
    """
    features, notes = [], []
    for field in schema.observation:
        if field.kind == "depth":
            notes.append(f"left out: '{field.name}', depth, for which LeRobot has no exact form")
        elif field.is_image:
            names = ("height", "width", "channels")
            key = f"observation.images.{field.name.removesuffix('.image')}"
            features.append(Feature(field.name, key, images, field.shape, names, schema.encoding(field.name)))
        else:
            key = f"observation.{field.name}"
            features.append(_numbers(key, schema.row_fields[field.name], components.get(field.name)))
    action = components.get(ACTION) or list(schema.action.component_names)
    features.append(_numbers(ACTION, schema.row_fields[ACTION], action))
    for column in schema.columns:
        key = "next.reward" if column == REWARD else f"tiller.{column.name}" if column.name in _OWN else column.name
        features.append(_numbers(key, column, None))
    if images == "video" and any(feature.is_image for feature in features):
        notes.append("images are written as H.264, which loses a little; images=image keeps them")
    if schema.streams:
        notes.append(f"left out: streams {', '.join(schema.stream_fields)}, as LeRobot has one rate only")
    if "state" not in schema.observation.names:
        notes.append("no key is 'observation.state', which some of LeRobot's policies need")
    units = {column.name: column.unit for column in schema.row_fields.values() if column.unit != "1"}
    if units:
        notes.append(f"units are not in LeRobot's format: {', '.join(f'{key} {unit}' for key, unit in units.items())}")
    return tuple(features), tuple(notes)


def _numbers(key: str, column: ColumnField, names: Any) -> Feature:
    shape = column.shape or (1,)
    fit = isinstance(names, list) and len(names) == math.prod(shape) and all(isinstance(each, str) for each in names)
    return Feature(column.name, key, column.dtype, shape, tuple(names) if fit else None, Encoding())
