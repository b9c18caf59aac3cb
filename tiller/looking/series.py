"""A field of an episode as lines to draw: at most so many points, each the least and the most of the entries in it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod

import numpy as np

from tiller.looking.fields import MOST_COMPONENTS, Field
from tiller.looking.snapshot import Shelf, Snapshot
from tiller.looking.times import Track, field_track

MOST_POINTS = 4000
MOST_ENTRIES = 4096  # of a point, that are looked at
READ_BYTES = 4 << 20  # at once
HEAD = struct.Struct("<IIIIIIII")


@dataclass(frozen=True, eq=False)
class Series:
    """Lines of a field.

    Args:
        seconds: (n,) of the first entry of each point, from the episode's first row.
        low, high: (n, components) float32; the same where a point is one entry. Numbers that are not finite are left
            out of a point that has others.
        entries: of the episode, of which `first` is the first drawn and `stop` the one after the last.
        partly: whether some entries of each point were not looked at.
        odd: numbers among them that are not finite.
    """

    seconds: np.ndarray
    low: np.ndarray
    high: np.ndarray
    entries: int
    first: int
    stop: int
    partly: bool
    odd: int

    def pack(self) -> bytes:
        """Little-endian: points, components, entries, first, stop, bits (1 a point is one entry, 2 partly), odd, zero
        (u32), then float32: seconds (n), and of each component its n lows, then its n highs unless they are the same.
        """
        single = self.low is self.high
        bits = single + 2 * self.partly
        sizes = (len(self.seconds), self.low.shape[1], self.entries, self.first, self.stop)
        head = HEAD.pack(*(min(size, 2**32 - 1) for size in (*sizes, bits, self.odd)), 0)
        parts = [head, self.seconds.astype("<f4").tobytes(), np.ascontiguousarray(self.low.T, "<f4").tobytes()]
        if not single:
            parts.append(np.ascontiguousarray(self.high.T, "<f4").tobytes())
        return b"".join(parts)


def series(
    shelf: Shelf,
    snapshot: Snapshot,
    episode: int,
    field: Field,
    points: int,
    span_s: tuple[float, float] | None = None,
) -> Series:
    """The lines of a field in an episode.

    Args:
        shelf, snapshot, episode, field: what of.
        points: at most.
        span_s: the part of the episode that is drawn, s; None for all of it.

    Raises:
        InputError, DamagedChunkError: it cannot be read.
    """
    track = field_track(shelf, snapshot, episode, field)
    first, stop = 0, len(track)
    if span_s is not None and len(track):
        # One entry more at either side, so that lines run out of the picture.
        first, stop = max(track.after(span_s[0]) - 1, 0), min(track.after(span_s[1]) + 1, len(track))
    count = max(stop - first, 0)
    bucket = max(-(-count // points), 1)
    components = min(max(prod(field.shape), 1), MOST_COMPONENTS)
    if bucket == 1:
        values = _read(track, field, first, stop, components)
        odd = int(np.count_nonzero(~np.isfinite(values)))
        return Series(track.seconds(first, stop), values, values, len(track), first, stop, False, odd)
    looked = min(bucket, MOST_ENTRIES)
    seconds, low, high, odd = [], [], [], 0
    group = 1 if looked < bucket else max(1, READ_BYTES // max(field.row_bytes * bucket, 1))
    for start in range(first, stop, bucket * group):
        starts = range(start, min(start + bucket * group, stop), bucket)
        ends = [(each, min(each + looked, stop)) for each in starts]
        values = _read(track, field, ends[0][0], ends[-1][1], components)
        times = track.seconds(ends[0][0], ends[-1][1])
        for each, end in ends:
            part = values[each - start : end - start]
            finite = np.where(np.isfinite(part), part, np.nan)
            odd += int(np.count_nonzero(np.isnan(finite)))
            seconds.append(times[each - start])
            low.append(np.fmin.reduce(finite, axis=0))
            high.append(np.fmax.reduce(finite, axis=0))
    return Series(np.array(seconds), np.array(low), np.array(high), len(track), first, stop, looked < bucket, odd)


def _read(track: Track, field: Field, start: int, stop: int, components: int) -> np.ndarray:
    """(stop - start, components) float32 of entries by their number within the episode."""
    values = track.shelf.read(track.snapshot, field.path, track.first + start, track.first + stop)
    flat = values.reshape(len(values), max(prod(field.shape), 1))[:, :components]
    with np.errstate(over="ignore", invalid="ignore"):
        return flat.astype(np.float32)


def exact(shelf: Shelf, snapshot: Snapshot, episode: int, field: Field, second: float, row: int) -> list[str]:
    """The numbers of a field at a row, in words without loss; of a stream those of the newest sample at that time.

    Raises:
        InputError, DamagedChunkError: they cannot be read.
    """
    track = field_track(shelf, snapshot, episode, field)
    entry = row if field.stream is None else track.after(second) - 1
    if not 0 <= entry < len(track):
        return []
    value = shelf.read(snapshot, field.path, track.first + entry, track.first + entry + 1)
    return [str(each) for each in value.reshape(-1)[:MOST_COMPONENTS].tolist()]
