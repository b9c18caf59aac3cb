"""What the keys of a LeRobot dataset are in a store: their names, roles and how they are read."""

from __future__ import annotations

from typing import Any, Collection, Mapping

import numpy as np

from data.formats.lerobot.info import Feature, Info
from data.formats.lerobot.tables import dtype_of
from data.formats.source import ACTIONS, COLUMN, OBSERVATION, SourceField
from data.store.images.encoding import AS_IT_CAME, JPEG, PNG, Encoding
from data.store.images.headers import header_or_reason
from data.store.names import INTERVENTION, REWARD, TIME
from data.store.schema import ACTION

POSITIONS = ("episode_index", "frame_index", "index")
"""Columns that say where a row is, which a store knows."""
_TARGETS = {
    "next.reward": REWARD.name,
    "timestamp": TIME.name,
    "intervention": INTERVENTION.name,
    "is_intervention": INTERVENTION.name,
    "complementary_info.is_intervention": INTERVENTION.name,
}
_DEPTH = ("video.is_depth_map", "is_depth_map")
_IMAGES, _SEEN = "observation.images.", "observation."
VIDEO_ENCODING = Encoding(JPEG, 90)
"""How frames of a video are stored, which have lost more already."""


def target_of(key: str, is_image: bool) -> str:
    """Name in a store: `observation.state` is `state`, and `observation.images.front` is `front.image`."""
    if key in _TARGETS:
        return _TARGETS[key]
    short = key.removeprefix(_IMAGES) if key.startswith(_IMAGES) else key.removeprefix(_SEEN)
    return f"{short}.image" if is_image and not short.endswith("image") else short


def left_out(info: Info, keys: Collection[str]) -> dict[str, str]:
    """Key -> why it is not read, of those that a store cannot have."""
    reasons = {}
    for key in keys:
        feature = info.features[key]
        if feature.dtype == "language" or key.startswith("language_"):
            reasons[key] = "language a row"
        elif feature.dtype == "string":
            reasons[key] = "words a row"
        elif feature.dtype == "video" and feature.details.get(
            "video.is_depth_map", feature.details.get("is_depth_map")
        ):
            reasons[key] = "depth as video, whose unit is not known"
        elif feature.dtype == "audio":
            reasons[key] = "audio"
    return reasons


def number_field(path: str, feature: Feature, kind: Any) -> SourceField | None:
    """A key of numbers; None where its column holds something else.

    Args:
        path: of the source.
        feature: the key.
        kind: type of its column in the tables.
    """
    dtype = dtype_of(kind)
    if dtype is None:
        return None
    key = feature.name
    role = ACTIONS if key == ACTION else OBSERVATION if key.startswith(_SEEN) else COLUMN
    unit = "s" if key == "timestamp" else "ns" if key == TIME.name else "1" if role == COLUMN else ""
    return SourceField(path, key, feature.shape, dtype, role, target_of(key, False), unit, components=feature.names)


def picture_size(feature: Feature) -> tuple[int, int, int] | None:
    """(height, width, channels) of images or video; None where the shape is none of them."""
    if len(feature.shape) != 3:
        return None
    if feature.shape[0] in (1, 3, 4) and feature.shape[2] not in (1, 3, 4):
        return feature.shape[1], feature.shape[2], feature.shape[0]
    return feature.shape[0], feature.shape[1], feature.shape[2]


def video_field(path: str, key: str, height: int, width: int) -> SourceField:
    """A key of video frames, decoded."""
    return SourceField(
        path,
        key,
        (height, width, 3),
        np.dtype(np.uint8),
        OBSERVATION,
        target_of(key, True),
        "1",
        "image",
        stored=VIDEO_ENCODING,
    )


def image_field(path: str, key: str, sample: bytes) -> SourceField | str:
    """A key of images that are in the tables, by its first one; or why it is not read."""
    header = header_or_reason(sample)
    if isinstance(header, str):
        return header
    if header.bits > 8 or len(header.shape) != 3:
        return f"images of {header.bits} bits, {1 if len(header.shape) == 2 else header.shape[2]} channels"
    encoding = Encoding(PNG if header.kind == "png" else AS_IT_CAME)
    stored = encoding if header.plain and header.shape[2] == 3 else Encoding(PNG)
    shape = (*header.shape[:2], 3)
    return SourceField(
        path,
        key,
        shape,
        np.dtype(np.uint8),
        OBSERVATION,
        target_of(key, True),
        "1",
        "image",
        encoding=encoding,
        stored=stored,
    )


def facts_of(entries: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, list[Any]]:
    """What the list of episodes says of each beside its place: flags, numbers and words that all of them have."""
    facts: dict[str, list[Any]] = {}
    for key in sorted({key for each in entries.values() for key in each}):
        values = [each.get(key) for each in entries.values()]
        for kind in (bool, int, float, str):
            if all(_is(kind, value) for value in values):
                facts[key] = [entries[number][key] if number in entries else kind() for number in range(count)]
    return facts


def _is(kind: type, value: Any) -> bool:
    return type(value) is kind and (not isinstance(value, int) or -(2**63) <= value < 2**63)
