"""From asynchronous streams to the rows that a policy sees: one moment, one value per key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from robot.control.observation.encoded import EncodedImage
from robot.control.observation.past import MOST_BYTES, Past
from robot.control.observation.quality import Quality
from robot.description.observation import ObservationField, ObservationSpec
from robot.errors import InputError

AHEAD_NS = 500_000_000  # a stamp further ahead is of another clock: all later ones would be older
SPAN_NS = 1_000_000_000  # back from the newest moment of all streams, for rows that are taken later
DELAY_NS = 1_000_000_000  # by which messages of one stream may come later than those of another
_LARGEST = {kind: float(np.finfo(kind).max) for kind in ("float32", "float64")}
_PLAIN = 1e30  # a sum of squares below it is of finite numbers that float32 holds


@dataclass(frozen=True)
class StreamSource:
    """A stream that feeds keys of an observation.

    Args:
        keys: that it carries.
        interpolate: whether a value between two messages is interpolated, linearly per component (of rotations too:
            the columns of `tcp.rotation` are not made orthonormal again), or is the nearest message's (images).
        latency_ns: from the measurement to the stamp.
        tolerance_ns: how far from the row's moment a message may be.
        period_ns: between two messages of its driver; 0 where it is not known, and no message is stale.
    """

    keys: tuple[str, ...]
    interpolate: bool = True
    latency_ns: int = 0
    tolerance_ns: int = 100_000_000
    period_ns: int = 0


class Alignment:
    """The recent past of all streams, and rows of it.

    A row belongs to one moment: the newest that every stream has reached, so that numbers are interpolated and not
    extrapolated. A key that several streams carry is taken from the first.

    Of each stream the messages are kept that a row can still need: those back to `span_ns` before the newest moment of
    all streams, while one stream lags behind another by their latencies, the tolerance and `DELAY_NS`; and no more
    than `most_bytes`. Where a camera's images are larger than that together, rows of the past have a later image.

    Args:
        spec: keys that a row must have.
        sources: stream -> its keys.
        span_ns: how far before the newest moment of all streams rows are taken.
        most_bytes: of one stream's messages.

    Raises:
        InputError: a key that no stream carries.
    """

    def __init__(
        self,
        spec: ObservationSpec,
        sources: Mapping[str, StreamSource],
        span_ns: int = SPAN_NS,
        most_bytes: int = MOST_BYTES,
    ):
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
        latencies = [source.latency_ns for source in self._sources.values()] or [0]
        tolerance_ns = max((source.tolerance_ns for source in self._sources.values()), default=0)
        self._span_ns = span_ns + tolerance_ns + max(latencies) - min(latencies) + DELAY_NS
        self._most_bytes = most_bytes
        self._pasts: dict[str, Past] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything: time has jumped."""
        self._pasts = {stream: Past(self._span_ns, self._most_bytes) for stream in self._sources}

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams that are needed."""
        return tuple(self._sources)

    def add(self, stream: str, values: Mapping[str, Any], stamp_ns: int, now_ns: int | None = None) -> str:
        """Add a message; one that is not newer than the last, or of an unneeded stream, is ignored.

        Args:
            stream: of the message.
            values: name -> array, or the bytes of an encoded image, which stay as they are: the size of a plain
                `bytes` is not looked at, that of an `EncodedImage` is.
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
        kept: dict[str, Any] = {}
        for field in self._fields[stream]:
            if field.name in values:
                value = values[field.name]
                if not isinstance(value, bytes):
                    value = np.asarray(value)
                refused = _unfit(field, value)
                if refused:
                    return refused
                kept[field.name] = value
        past = self._pasts[stream]
        if not past.stamps or measured_ns > past.stamps[-1]:
            past.append(measured_ns, kept)
        return ""

    def add_many(
        self, stream: str, values: Mapping[str, np.ndarray], stamps_ns: np.ndarray, now_ns: int | None = None
    ) -> list[str]:
        """Add messages of numbers that came together, oldest first, as `add` does one by one.

        Args:
            stream: of the messages.
            values: name -> (k, ...).
            stamps_ns: (k,).
            now_ns: when they were read.

        Returns:
            Why messages were refused, those that were.
        """
        if stream not in self._sources or not len(stamps_ns):
            return []
        moments = (stamps_ns - self._sources[stream].latency_ns).tolist()
        kept = {field.name: values[field.name] for field in self._fields[stream] if field.name in values}
        past = self._pasts[stream]
        plain = (
            (not past.stamps or moments[0] > past.stamps[-1])
            and bool((np.diff(stamps_ns) > 0).all())
            and (now_ns is None or moments[-1] - now_ns <= AHEAD_NS)
            and all(_all_plain(field, kept[field.name]) for field in self._fields[stream] if field.name in kept)
        )
        if plain:
            for at, moment_ns in enumerate(moments):
                past.append(moment_ns, {name: value[at] for name, value in kept.items()})
            return []
        reasons = (
            self.add(stream, {name: value[at] for name, value in values.items()}, stamp_ns, now_ns)
            for at, stamp_ns in enumerate(stamps_ns.tolist())
        )
        return [reason for reason in reasons if reason]

    @property
    def newest_ns(self) -> int | None:
        """The newest moment that all streams have reached; None while one has no message."""
        newest = [past.stamps[-1] for past in self._pasts.values() if past.stamps]
        return min(newest) if newest and len(newest) == len(self._pasts) else None

    def newest_with(self, stream: str, stamp_ns: int) -> int | None:
        """What `newest_ns` will be once a stream has a message of that stamp."""
        if stream not in self._sources:
            return self.newest_ns
        moments = [past.newest_ns for name, past in self._pasts.items() if name != stream]
        moments.append(stamp_ns - self._sources[stream].latency_ns)
        return None if None in moments else min(moments)  # type: ignore[type-var]

    @property
    def silent(self) -> tuple[str, ...]:
        """Streams without a message, or further behind the newest one than a row may be from a message."""
        ends = {stream: past.newest_ns for stream, past in self._pasts.items()}
        newest = max((end for end in ends.values() if end is not None), default=0)
        return tuple(
            stream for stream, end in ends.items() if end is None or newest - end > self._sources[stream].tolerance_ns
        )

    @property
    def lacking(self) -> tuple[str, ...]:
        """Keys that the newest message of their stream does not have."""
        return tuple(
            field.name
            for stream, past in self._pasts.items()
            for field in self._fields[stream]
            if past.values and field.name not in past.values[-1]
        )

    def row(self, time_ns: int) -> dict[str, Any] | None:
        """One value per key at a moment, in the shapes and types of the spec, or the bytes of an encoded image; None
        where a stream has none near it.
        """
        found = self.observed(time_ns)
        return None if found is None else found[0]

    def observed(self, time_ns: int) -> tuple[dict[str, Any], Quality, dict[str, int]] | None:
        """A row as `row` gives it, its `Quality` (stale, interpolated), and for each stream how far the message that is
        nearest to the moment is from it, ns.
        """
        result: dict[str, Any] = {}
        quality, ages = Quality(0), {}
        for stream, source in self._sources.items():
            found = self._at(stream, source, time_ns)
            if found is None:
                return None
            values, ages[stream], interpolated = found
            for field in self._fields[stream]:
                if field.name not in values:
                    return None
                value = values[field.name]
                if not isinstance(value, bytes):
                    value = np.asarray(value, dtype=field.dtype).reshape(field.shape)
                result[field.name] = value
            if interpolated:
                quality |= Quality.INTERPOLATED
            if 0 < source.period_ns < ages[stream]:
                quality |= Quality.STALE
        return result, quality, ages

    def _at(self, stream: str, source: StreamSource, time_ns: int) -> tuple[Mapping[str, Any], int, bool] | None:
        """Values of a stream at a moment, the distance of the nearest message, and whether they are interpolated."""
        stamps, values = self._pasts[stream].stamps, self._pasts[stream].values
        before, after = self._pasts[stream].around(time_ns)
        if before >= 0 and stamps[before] == time_ns:
            return values[before], 0, False  # the message itself, to the bit
        near = [
            index
            for index in (before, after)
            if 0 <= index < len(stamps) and abs(stamps[index] - time_ns) <= source.tolerance_ns
        ]
        if not near:
            return None
        nearest = min(near, key=lambda index: abs(stamps[index] - time_ns))
        age_ns = abs(stamps[nearest] - time_ns)
        if not source.interpolate or len(near) == 1:
            return values[nearest], age_ns, False
        share = (time_ns - stamps[before]) / (stamps[after] - stamps[before])
        first, second = values[before], values[after]
        between = {
            key: (1 - share) * np.asarray(value, np.float64) + share * np.asarray(second[key], np.float64)
            for key, value in first.items()
            if key in second
        }
        return between, age_ns, True


def _unfit(field: ObservationField, value: np.ndarray | bytes) -> str:
    """Why a value does not fit a field; empty when it fits."""
    if isinstance(value, bytes):
        return _unfit_bytes(field, value)
    if field.is_image:
        fits = value.dtype == field.dtype and value.shape == field.shape
        return "" if fits else f"{field.name}: expected {field.dtype} {field.shape}, got {value.dtype} {value.shape}"
    if value.dtype.kind not in "fiub" or value.size != math.prod(field.shape):
        return f"{field.name}: expected {math.prod(field.shape)} numbers, got {value.dtype} {value.shape}"
    if value.dtype.kind != "f" or np.vdot(value, value) < _PLAIN:
        return ""
    fits = np.abs(value) <= _LARGEST.get(field.dtype, _LARGEST["float64"])
    return "" if fits.all() else f"{field.name}: expected finite numbers of {field.dtype}, got {value[~fits][0]}"


def _all_plain(field: ObservationField, values: np.ndarray) -> bool:
    """Whether many values (k, ...) fit a field of numbers, at a look."""
    fits = not field.is_image and values.dtype.kind == "f" and values[0].size == math.prod(field.shape)
    return fits and bool(np.vdot(values, values) < _PLAIN)


def _unfit_bytes(field: ObservationField, value: bytes) -> str:
    if not field.is_image:
        return f"{field.name}: expected {math.prod(field.shape)} numbers, got {len(value)} bytes"
    if not value:
        return f"{field.name}: expected the bytes of an image, got none"
    if isinstance(value, EncodedImage) and (value.shape, value.dtype) != (field.shape, field.dtype):
        return f"{field.name}: expected {field.dtype} {field.shape}, got {value.dtype} {value.shape}"
    return ""
