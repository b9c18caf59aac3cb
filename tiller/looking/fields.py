"""What a store has for each row or sample, as the page draws it: cameras, numbers, flags, choices."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from data.store import layout
from data.store.contents import Contents
from data.store.images.encoding import RAW
from data.store.names import ACTOR, QUALITY, SUBTASK, TIME, Actor, Quality, has_column
from data.store.schema import ACTION, Schema
from robot.description.image_shape import can_be_image
from robot.errors import printable

MOST_COMPONENTS = 64  # of a field, that are drawn
LARGEST_ROW = 4096  # numbers, of a field that is drawn
PIXELS = ("uint8", "uint16", "float32")
_CHANNELS = (1, 3)
_LONGEST_NAME, _MOST_NAMES = 200, 256
_NUMBERS = "biuf"


@dataclass(frozen=True)
class Field:
    """One array of rows or samples.

    Args:
        path: of its values, from the root.
        name: as the store calls it.
        role: `observation`, `action`, `column` or `stream`.
        kind: `camera`, `depth`, `numbers`, `flag`, `choice`, `bits`, `time`, or `other` for what is not drawn.
        shape: of one row.
        dtype: numpy name.
        unit: of all components, or of each, separated by spaces.
        encoding: of an image: `raw`, `jpeg`, `png` or `as_it_came`.
        parts: (name, size, unit) of the components that belong together, in their order.
        choices: number -> word of a choice, or of a bit.
        stream: its name, where it is sampled faster than rows.
    """

    path: str
    name: str
    role: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    unit: str = ""
    encoding: str = RAW
    parts: tuple[tuple[str, int, str], ...] = ()
    choices: Mapping[int, str] | None = None
    stream: str | None = None

    @property
    def is_image(self) -> bool:
        return self.kind in ("camera", "depth")

    @property
    def is_drawn(self) -> bool:
        """Whether it is a line, a strip of flags or of choices."""
        return self.kind in ("numbers", "flag", "choice", "bits")

    @property
    def row_bytes(self) -> int:
        """Of a row as numbers."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    def to_json(self) -> dict[str, Any]:
        """What the page needs to know of it."""
        return {
            "name": words(self.name),
            "role": self.role,
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "unit": words(self.unit, LARGEST_ROW),
            "encoding": self.encoding,
            "parts": [[words(name), size, words(unit)] for name, size, unit in self.parts],
            "choices": {str(number): words(word) for number, word in (self.choices or {}).items()},
        }


def words(text: Any, longest: int = _LONGEST_NAME) -> str:
    """Somebody's words for the page: nothing that cannot be shown, and not without end."""
    text = str(text)
    return printable(text[:longest]) + ("…" if len(text) > longest else "")


def fields_of(contents: Contents) -> tuple[Field, ...]:
    """Every array of rows and every stream, in the store's order."""
    schema = contents.schema
    return tuple(_foreign(contents) if schema is None else _own(contents, schema))


def _own(contents: Contents, schema: Schema) -> Iterator[Field]:
    images = {each.name: each.is_image for each in schema.observation}
    for name, field in schema.row_fields.items():
        role = "action" if name == ACTION else "observation" if name in images else "column"
        choices: Mapping[int, str] | None = None
        kind = _kind(field.shape, field.dtype, images.get(name, False))
        if role == "column":
            if field == TIME:
                kind = "time"
            elif field == ACTOR:
                kind, choices = "choice", {int(each): each.name.lower() for each in Actor}
            elif field == QUALITY:
                kind, choices = "bits", {int(each): (each.name or "").lower() for each in Quality}
            elif field == SUBTASK:
                kind, choices = "choice", _listed(contents.attributes.get("subtasks"))
        parts = tuple((each.name, each.size, each.unit) for each in schema.action.fields) if name == ACTION else ()
        encoding = schema.encoding(name).kind
        yield Field(
            layout.row_path(name), name, role, kind, field.shape, field.dtype, field.unit, encoding, parts, choices
        )
    for name, stream in schema.stream_fields.items():
        path = layout.stream_paths(name)[0]
        kind = _kind(stream.shape, stream.dtype, False)
        yield Field(path, name, "stream", kind, stream.shape, stream.dtype, stream.unit, stream=name)


def _foreign(contents: Contents) -> Iterator[Field]:
    for name in contents.keys:
        metadata = contents.metadata.get(layout.row_path(name))
        if metadata is None:
            yield Field(layout.row_path(name), name, "observation", "other", (), "uint8")
            continue
        shape, dtype = tuple(metadata["shape"][1:]), _dtype(metadata)
        kind = _kind(shape, dtype, len(shape) == 3 and shape[-1] in _CHANNELS and can_be_image(shape))
        role = "action" if name == ACTION else "observation"
        attributes = metadata.get("attributes", {})
        yield Field(layout.row_path(name), name, role, kind, shape, dtype, str(attributes.get("unit", "")))


def _kind(shape: Sequence[int], dtype: str, image: bool) -> str:
    numbers = np.dtype(dtype).kind in _NUMBERS
    if image and dtype in PIXELS and (len(shape) == 2 or (len(shape) == 3 and shape[-1] in _CHANNELS)):
        return "depth" if dtype == "uint16" else "camera"
    if not numbers or not 0 < prod(shape) <= LARGEST_ROW:
        return "other"
    return "flag" if dtype == "bool" and prod(shape) == 1 else "numbers"


def _dtype(metadata: Mapping[str, Any]) -> str:
    """The numpy name of an array's numbers; `object` for what else it may hold."""
    declared = metadata.get("data_type") if metadata["zarr_format"] == 3 else metadata.get("dtype")
    try:
        return np.dtype(declared).name if isinstance(declared, str) else "object"
    except (TypeError, ValueError, SyntaxError):
        return "object"


def _listed(names: Any) -> Mapping[int, str]:
    listed = names[:_MOST_NAMES] if isinstance(names, list) else []
    return {-1: "none", **{number: words(name) for number, name in enumerate(listed)}}


def has_stamps(contents: Contents) -> bool:
    """Whether each row has the time at which it was taken."""
    return has_column(contents.schema, TIME)
