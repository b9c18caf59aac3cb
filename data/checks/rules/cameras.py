"""Cameras that stand still while the robot moves, and cameras that were changed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.motion import Motion
from data.checks.rules.spans import Spans
from data.store import layout
from data.store.contents import Contents
from robot.errors import TillerError

_JPEG_BEGIN = b"\xff\xd8"
_SCAN = 0xDA
_FRAMES, _TABLES = frozenset({0xC0, 0xC1, 0xC2}), 0xDB
_MOST_SEGMENTS = 64
_OFTEN = 0.1  # share of images with other tables than the one before, above which the camera adapts them all the time
_TIMES_USUAL = 3  # a slow camera repeats its images in rows that are faster; so many times as often is no rate
_RECORDING = "recording"


class Frames:
    """Looks at the images of one camera: how long each is repeated, and what they were encoded with.

    Images are compared with the one before, byte by byte, as they are stored; only that one is kept.

    Args:
        spans: the episodes.
        least: images that are a run worth a look.

    Attributes:
        runs: (position of the episode, first row, the row after the last) of every run of equal images.
        changes: position of the episode -> first row with other parameters than the image before, and how many.
    """

    def __init__(self, spans: Spans, least: int) -> None:
        self.spans, self._least = spans, max(least, 2)
        self._last: bytes | np.ndarray | None = None
        self._parameters = b""
        self._next, self._run = -1, (-1, 0)
        self._lengths = Counter[int]()
        self.images = 0
        self.runs: list[tuple[int, int, int]] = []
        self.changes: dict[int, tuple[int, int]] = {}

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the images from row `first` on."""
        for at, start, end in self.spans.within(first, first + len(entries)):
            for row in range(start, end):
                self._add(at, row, entries[row - first])
        if isinstance(self._last, np.ndarray):
            self._last = self._last.copy()  # a view of its block would keep all of it

    def _add(self, at: int, row: int, image: bytes | np.ndarray) -> None:
        follows = row == self._next and row != self.spans.starts[at]
        if not (follows and _equal(image, self._last)):
            if follows and self._run[0] >= 0:
                self._lengths[row - self._run[1]] += 1
            self.close()
            self._run = (at, row)
        if isinstance(image, bytes):
            parameters = _parameters(image)
            if self._parameters and parameters != self._parameters:
                before = self.changes.get(at, (row, 0))
                self.changes[at] = (before[0], before[1] + 1)
            self._parameters = parameters
        self._last, self._next = image, row + 1
        self.images += 1

    @property
    def usual(self) -> int:
        """Rows for which the camera usually gives an image until it gives the next: more than one of a slow camera."""
        half, counted = sum(self._lengths.values()) // 2, 0
        for length, count in sorted(self._lengths.items()):
            counted += count
            if counted > half:
                return length
        return 1

    def close(self) -> None:
        """End the run of equal images that the last one belongs to."""
        at, first = self._run
        if at >= 0 and self._next - first >= self._least:
            self.runs.append((at, first, self._next))
        self._run = (-1, 0)


def _equal(image: bytes | np.ndarray, last: bytes | np.ndarray | None) -> bool:
    if isinstance(image, np.ndarray):
        return bool(np.array_equal(image, last)) if isinstance(last, np.ndarray) else False
    return image == last


def _parameters(image: bytes) -> bytes:
    """What a JPEG was encoded with: hash of its frame header and quantisation tables; empty for another image."""
    if not image.startswith(_JPEG_BEGIN):
        return b""
    state, at = hashlib.blake2b(digest_size=8), 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(image) or image[at] != 0xFF or image[at + 1] == _SCAN:
            break
        length = int.from_bytes(image[at + 2 : at + 4], "big")
        if image[at + 1] == _TABLES:
            state.update(image[at : at + 2 + length])
        elif image[at + 1] in _FRAMES:  # without the size, which is judged against the array's
            state.update(image[at : at + 5] + image[at + 9 : at + 2 + length])
        at += 2 + length
    return state.digest()


def judge_frames(judgement: Judgement, path: str, frames: Frames, motion: Motion) -> None:
    """Judge a camera whose bytes stand still for long while the robot moves, and one whose parameters changed."""
    assert judgement.thresholds is not None
    frames.close()
    usual, worst = frames.usual, dict[int, tuple[int, int, str]]()
    for at, first, end in frames.runs:
        if end - first < _TIMES_USUAL * usual or (at in worst and worst[at][1] - worst[at][0] >= end - first):
            continue
        moved = motion.moved_most(first, end)
        if moved is not None and moved[1] >= judgement.thresholds.moved:
            worst[at] = (first, end, f"{moved[0]} moves over {moved[1]:.0%} of its range")
    for at, (first, end, what) in sorted(worst.items()):
        seconds = (end - first) / judgement.rows_per_second
        judgement.suspect(
            "frozen",
            path,
            f"the same image for {end - first} rows ({seconds:.2f} s) while {what}",
            episode=int(frames.spans.episodes[at]),
            row=first,
        )
    if sum(count for _, count in frames.changes.values()) > _OFTEN * frames.images:
        judgement.remark("note", path, "the camera encodes its images with ever changing tables")
        return
    for at, (row, count) in frames.changes.items():
        judgement.suspect(
            "camera",
            path,
            f"images are encoded otherwise (quantisation tables, sampling) from row {row} on"
            + (f", and {count - 1} times more" if count > 1 else ""),
            episode=int(frames.spans.episodes[at]),
            row=row,
        )


def judge_recordings(judgement: Judgement) -> None:
    """Judge episodes that were recorded with another contract than the one before: other cameras, rates or limits."""
    contents, spans = judgement.contents, judgement.spans
    if contents.schema is None or _RECORDING not in contents.schema.meta_fields:
        return
    before = ""
    for number, first in zip(spans.episodes.tolist(), spans.starts.tolist()):
        contract = _contract(contents, number)
        if before and contract and contract != before:
            judgement.suspect(
                "camera",
                layout.meta_path(_RECORDING),
                f"recorded with contract {contract}, the episodes before with {before}: "
                "other parameters of cameras, rates or limits",
                episode=number,
                row=first,
            )
        before = contract or before


def _contract(contents: Contents, number: int) -> str:
    """Name and hash of the contract that an episode was recorded with; empty where nothing says it."""
    try:
        fact = contents.read(layout.meta_path(_RECORDING), number, number + 1).tolist()[0]
        contract = json.loads(fact)["contract"]
        return f"{contract['name']} ({contract['operational_hash']})"
    except (TillerError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""
