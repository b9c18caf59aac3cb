"""Whether anything moves: how far components go, and in which rows nothing does and no action changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Mapping

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.extents import LARGEST, MOST, Extents
from data.learning.statistics import LEAST_RANGE, LEAST_SHARE
from data.store import layout
from data.store.contents import Contents
from data.store.images.codecs import image_codec
from data.store.schema import ACTION
from robot.errors import TillerError

_MOVING = ("pose", "joint", "width")
_ROWS_AT_ONCE = 4096
_TIMES = ("time", "stamp", "index")  # in names of foreign columns that count on when nothing moves


def moving_keys(contents: Contents) -> list[str]:
    """Row arrays that show motion: poses, joints and widths, else states; of a foreign store all but times."""
    if contents.schema is not None:
        kinds = {key.name: key.kind for key in contents.schema.observation}
        keys = [name for name, kind in kinds.items() if kind in _MOVING]
        keys = keys or [name for name, kind in kinds.items() if kind == "state"]
    else:
        keys = [key for key in contents.keys if key != ACTION and not any(word in key for word in _TIMES)]
    return keys


def components(contents: Contents, key: str, episodes: int) -> int:
    """Numbers in a row of an array; 0 where they are none, an image, or more than are looked at one by one."""
    try:
        path = layout.row_path(key)
        array = contents.array(path)
        size = int(np.prod(array.shape[1:]))
        many = size > LARGEST or size * episodes > MOST
        return 0 if array.dtype.kind not in "fiub" or many or shows_images(contents, path) else size
    except TillerError:  # reported with the array
        return 0


def shows_images(contents: Contents, path: str) -> bool:
    """Whether the rows of an array are images: declared as such, or stored encoded.

    Raises:
        InputError: there is no such array.
    """
    return contents.is_image(path) or image_codec(contents.array(path)) is not None


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion in a store.

    Args:
        judgement: of the store.
        extents: key -> how far its components go, of the keys that show motion, and of the action.
    """

    judgement: Judgement
    extents: Mapping[str, Extents]

    @cached_property
    def scales(self) -> Mapping[str, np.ndarray]:
        """Key -> (components,) how far each goes in the median episode; 0 for what is constant or noise."""
        return {key: self._scale(key) for key in self.extents}

    def _scale(self, key: str) -> np.ndarray:
        schema, largest = self.judgement.contents.schema, self.extents[key].largest
        units = (schema.row_fields[key].unit.split() if schema is not None else []) or [""]
        least = [LEAST_RANGE.get(units[at % len(units)], LEAST_SHARE * most) for at, most in enumerate(largest)]
        return self.extents[key].scale(np.array(least))

    @cached_property
    def moved(self) -> np.ndarray:
        """(rows,) bool, whether anything moved or the action changed since the row before; so for rows not known."""
        contents, limit = self.judgement.contents, self.judgement.thresholds
        moved = np.ones(contents.rows, bool)
        assert limit is not None
        share = limit.idle_speed / self.judgement.rows_per_second
        for first in range(0, len(moved) if self.scales else 0, _ROWS_AT_ONCE):
            begin, end = max(first - 1, 0), min(first + _ROWS_AT_ONCE, len(moved))
            still = np.ones(end - begin - 1, bool)
            try:
                for key, scale in self.scales.items():
                    steps = np.abs(np.diff(self._rows(key, begin, end), axis=0))
                    still &= np.where(scale > 0, steps <= share * scale, True).all(axis=1)
            except TillerError:  # damaged, which is reported with the array
                continue
            moved[begin + 1 : end] = ~still
        moved[self.judgement.spans.starts] = True
        return moved

    def moved_most(self, first: int, end: int) -> tuple[str, float] | None:
        """The observed component that moves most over rows, and by which share of its range; None for none."""
        if not self.moved[first + 1 : end].any():
            return None
        best: tuple[str, float] | None = None
        for key, scale in self.scales.items():
            if key == ACTION and len(self.scales) > 1:
                continue
            low, high = np.full(len(scale), np.inf), np.full(len(scale), -np.inf)
            try:
                for start in range(first, end, _ROWS_AT_ONCE):
                    rows = self._rows(key, start, min(start + _ROWS_AT_ONCE, end))
                    low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
            except TillerError:
                continue
            shares = np.divide(high - low, scale, out=np.zeros_like(scale), where=scale > 0)
            index = int(np.argmax(np.nan_to_num(shares)))
            if best is None or shares[index] > best[1]:
                best = (f"component {index} of '{key}'", float(shares[index]))
        return best

    def _rows(self, key: str, first: int, end: int) -> np.ndarray:
        rows = self.judgement.contents.read(layout.row_path(key), first, end)
        return rows.reshape(len(rows), -1).astype(np.float64)


def judge_idleness(judgement: Judgement, motion: Motion) -> None:
    """Judge episodes in most of whose rows nothing moves and no action changes."""
    limit, spans = judgement.thresholds, judgement.spans
    assert limit is not None
    for number, start, end in zip(spans.episodes.tolist(), spans.starts.tolist(), spans.ends.tolist()):
        still = ~motion.moved[start + 1 : end]
        if not len(still) or still.mean() <= limit.idle_share:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]])))
        begins, ends = edges[::2], edges[1::2]
        longest = int(np.argmax(ends - begins))
        row, count = start + 1 + int(begins[longest]), int(ends[longest] - begins[longest])
        judgement.suspect(
            "idle",
            layout.row_path(ACTION),
            f"nothing moves and no action changes in {still.mean():.0%} of its {end - start} rows, "
            f"the longest time over {count} rows ({count / judgement.rows_per_second:.1f} s) from row {row} on",
            episode=number,
            row=row,
        )
