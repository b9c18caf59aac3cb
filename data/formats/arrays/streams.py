"""Streams of a replay buffer that tiller exported; other programs write none."""

from __future__ import annotations

from functools import partial
from typing import Any, Mapping

import numpy as np

from data.formats.arrays.concatenated import ConcatenatedStream
from data.formats.source import SourceStream
from data.store.contents import Contents
from data.store.layout import stream_paths
from robot.errors import InputError

STREAM_UNITS = "stream_units"
"""Attribute of the root that lists the streams with their units."""


def units_of(attributes: Mapping[str, Any], key: str) -> dict[str, str]:
    """Name -> unit, of an attribute of a buffer that tiller exported; empty for any other."""
    units = attributes.get(key)
    return {name: unit for name, unit in units.items() if isinstance(unit, str)} if isinstance(units, Mapping) else {}


def exported_streams(contents: Contents, episodes: int) -> dict[str, ConcatenatedStream]:
    """The streams of a buffer.

    Args:
        contents: of the buffer.
        episodes: how many it has.

    Raises:
        InputError: their ends do not fit, or something of them is missing.
    """
    units = units_of(contents.attributes, STREAM_UNITS)
    return {name: _stream(contents, name, unit, episodes) for name, unit in units.items()}


def _stream(contents: Contents, name: str, unit: str, episodes: int) -> ConcatenatedStream:
    value_path, time_path, ends_path = stream_paths(name)
    value, stamps = contents.array(value_path), contents.array(time_path)
    ends = np.asarray(contents.read(ends_path))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else np.zeros(0, np.int64)
    samples = min(value.shape[0], stamps.shape[0])
    fit = ends.shape == (episodes,) and ends.dtype.kind == "i" and stamps.dtype == np.int64
    if not fit or (ends < starts).any() or value.shape[0] != stamps.shape[0] or ends[-1] != samples:
        raise InputError(
            f"'{contents.name}': stream '{name}'",
            expected=f"rising ends of {episodes} episodes over {samples} samples",
            got=f"{ends.shape} of {ends.dtype}" if not fit else f"other ends, or {value.shape[0]} values",
            way_out=f"Leave it out with exclude=[{name}], or copy the buffer again",
        )
    stream = SourceStream(name, value.shape[1:], value.dtype, unit, ends - starts)
    return ConcatenatedStream(stream, starts, partial(contents.read, value_path), partial(contents.read, time_path))
