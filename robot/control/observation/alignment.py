"""From asynchronous streams to the rows that a policy sees: one moment, one value per key."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Mapping

import numpy as np

from robot.description.observation import ObservationField, ObservationSpec
from robot.errors import InputError

KEPT = 256  # messages per stream: half a second at 500 Hz
AHEAD_NS = 500_000_000  # a stamp further ahead is of another clock: all later ones would be older


@dataclass(frozen=True)
class StreamSource:
    """A stream that feeds keys of an observation.

    Args:
        keys: that it carries.
        interpolate: whether a value between two messages is interpolated, linearly per component (of rotations too:
            the columns of `tcp.rotation` are not made orthonormal again), or is the nearest message's (images).
        latency_ns: from the measurement to the stamp.
        tolerance_ns: how far from the row's moment a message may be.
    """

    keys: tuple[str, ...]
    interpolate: bool = True
    latency_ns: int = 0
    tolerance_ns: int = 100_000_000


class Alignment:
    """The recent past of all streams, and rows of it.

    A row belongs to one moment: the newest that every stream has reached, so that numbers are interpolated and not
    extrapolated. A key that several streams carry is taken from the first.

    Args:
        spec: keys that a row must have.
        sources: stream -> its keys.

    Raises:
        InputError: a key that no stream carries.
    """

    def __init__(self, spec: ObservationSpec, sources: Mapping[str, StreamSource]):
        self._spec = spec
        self._origin: dict[str, str] = {}
        for name in spec.names:
            streams = [stream for stream, source in sources.items() if name in source.keys]
            if not streams:
                known = ", ".join(sorted({key for source in sources.values() for key in source.keys}))
                raise InputError(
                    f"observation '{name}'",
                    expected=f"a key that a stream carries: {known}",
                    got="none",
                    way_out="Add a stream to the contract, or train without the key",
                )
            self._origin[name] = streams[0]
        self._sources = {stream: sources[stream] for stream in dict.fromkeys(self._origin.values())}
        self._fields = {
            stream: [field for field in spec if self._origin[field.name] == stream] for stream in self._sources
        }
        self._stamps: dict[str, deque[int]] = {}
        self._values: dict[str, deque[Mapping[str, np.ndarray]]] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything: time has jumped."""
        self._stamps = {stream: deque(maxlen=KEPT) for stream in self._sources}
        self._values = {stream: deque(maxlen=KEPT) for stream in self._sources}

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that are needed."""
        return tuple(self._sources)

    def add(self, stream: str, values: Mapping[str, np.ndarray], stamp_ns: int, now_ns: int | None = None) -> str:
        """Add a message; one that is not newer than the last, or of an unneeded stream, is ignored.

        Args:
            stream: of the message.
            values: name -> array.
            stamp_ns: of the message.
            now_ns: of the clock of the stamps; None where there is none.

        Returns:
            Why the message was refused: a value that does not fit its field, or a stamp of another clock; empty when
            it was not.
        """
        if stream not in self._sources:
            return ""
        measured_ns = stamp_ns - self._sources[stream].latency_ns
        if now_ns is not None and measured_ns - now_ns > AHEAD_NS:
            return f"{stream} is stamped {(measured_ns - now_ns) * 1e-9:.3f} s ahead of the clock"
        kept: dict[str, np.ndarray] = {}
        for field in self._fields[stream]:
            if field.name in values:
                value = np.asarray(values[field.name])
                refused = _unfit(field, value)
                if refused:
                    return refused
                kept[field.name] = value
        stamps = self._stamps[stream]
        if stamps and measured_ns <= stamps[-1]:
            return ""
        stamps.append(measured_ns)
        self._values[stream].append(kept)
        return ""

    @property
    def newest_ns(self) -> int | None:
        """The newest moment that all streams have reached; None while one has no message."""
        if not all(self._stamps.values()):
            return None
        return min(stamps[-1] for stamps in self._stamps.values())

    @property
    def silent(self) -> tuple[str, ...]:
        """Streams without a message, or further behind the newest one than a row may be from a message."""
        newest = max((stamps[-1] for stamps in self._stamps.values() if stamps), default=0)
        return tuple(
            stream
            for stream, stamps in self._stamps.items()
            if not stamps or newest - stamps[-1] > self._sources[stream].tolerance_ns
        )

    def row(self, time_ns: int) -> dict[str, np.ndarray] | None:
        """One value per key at a moment, in the shapes and types of the spec; None where a stream has none near it."""
        result: dict[str, np.ndarray] = {}
        for stream, source in self._sources.items():
            values = self._at(stream, source, time_ns)
            if values is None:
                return None
            for field in self._fields[stream]:
                if field.name not in values:
                    return None
                result[field.name] = np.asarray(values[field.name], dtype=field.dtype).reshape(field.shape)
        return result

    def _at(self, stream: str, source: StreamSource, time_ns: int) -> Mapping[str, np.ndarray] | None:
        stamps, values = self._stamps[stream], self._values[stream]
        after = bisect_right(stamps, time_ns)
        before = after - 1
        if before >= 0 and stamps[before] == time_ns:
            return values[before]  # the message itself, to the bit
        near = [
            place
            for place in (before, after)
            if 0 <= place < len(stamps) and abs(stamps[place] - time_ns) <= source.tolerance_ns
        ]
        if not near:
            return None
        if not source.interpolate or len(near) == 1:
            return values[min(near, key=lambda place: abs(stamps[place] - time_ns))]
        share = (time_ns - stamps[before]) / (stamps[after] - stamps[before])
        first, second = values[before], values[after]
        return {
            key: (1 - share) * np.asarray(value, np.float64) + share * np.asarray(second[key], np.float64)
            for key, value in first.items()
            if key in second
        }


def _unfit(field: ObservationField, value: np.ndarray) -> str:
    """Why a value does not fit a field; empty when it fits."""
    if field.is_image:
        fits = value.dtype == field.dtype and value.shape == field.shape
        return "" if fits else f"{field.name}: expected {field.dtype} {field.shape}, got {value.dtype} {value.shape}"
    if value.dtype.kind not in "fiub" or value.size != math.prod(field.shape):
        return f"{field.name}: expected {math.prod(field.shape)} numbers, got {value.dtype} {value.shape}"
    with np.errstate(over="ignore"):
        finite = np.isfinite(value.astype(field.dtype) if np.dtype(field.dtype).kind == "f" else value)
    if not finite.all():
        return f"{field.name}: expected finite numbers of {field.dtype}, got {value[~finite][0]}"
    return ""
