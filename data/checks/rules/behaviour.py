"""What is looked at while the arrays of a store are read, and judged when all of them have been."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.cameras import Frames, judge_frames, judge_recordings
from data.checks.rules.doubles import NOT_COMPARED, ArrayDigests, Digests, judge_doubles
from data.checks.rules.extents import Extents
from data.checks.rules.jumps import Steps, judge_jumps, parts_of
from data.checks.rules.limits import Outside, declared_bounds, judge_bounds
from data.checks.rules.motion import Motion, components, judge_idleness, moving_keys, shows_images
from data.checks.rules.spans import Spans
from data.checks.scan import Watch
from data.store.consistency import Borders
from data.store.schema import ACTION
from robot.errors import TillerError


class Watches:
    """All that looks at a store's arrays as each is read, once.

    Kept in memory are a few numbers per episode and component, a bit per row, and one block of rows.

    Args:
        judgement: of the store; is added to.
        streams: name -> where the samples of each episode begin and end.
    """

    def __init__(self, judgement: Judgement, streams: Mapping[str, Borders]) -> None:
        self._judgement = judgement
        self._streams = {name: Spans(borders) for name, borders in streams.items()}
        self._digests = Digests(judgement.spans)
        self._open: list[ArrayDigests] = []
        self._frames: dict[str, Frames] = {}
        self._extents: dict[str, Extents] = {}
        self._steps: Steps | None = None
        self._outside = [Outside(bounds, judgement.spans) for bounds in declared_bounds(judgement)]
        self._moving = moving_keys(judgement.contents)

    def of(self, path: str) -> list[Watch]:
        """What looks at an array."""
        kind, _, name = path.partition("/")
        if kind == "streams" and name.endswith("/value") and name.removesuffix("/value") in self._streams:
            return [self._digest(path, self._streams[name.removesuffix("/value")])]
        if kind != "data":
            return []
        contents, spans = self._judgement.contents, self._judgement.spans
        watches: list[Watch] = [] if path in NOT_COMPARED else [self._digest(path, spans)]
        try:
            if shows_images(contents, path):
                assert self._judgement.thresholds is not None
                least = math.ceil(self._judgement.thresholds.frozen_s * self._judgement.rows_per_second)
                self._frames[path] = Frames(spans, least)
                return [*watches, self._frames[path]]
        except TillerError:
            return []
        size = components(contents, name, len(spans))
        if size and (name == ACTION or name in self._moving):
            self._extents[name] = Extents(spans, size)
            watches.append(self._extents[name])
        if size and name == ACTION:
            self._steps = Steps(spans, parts_of(contents, size))
            watches.append(self._steps)
        # An array may be narrower than its schema says, which is an error of its own.
        fits = (each for each in self._outside if each.bounds.path == path and each.bounds.components.stop <= size)
        return [*watches, *fits]

    def _digest(self, path: str, spans: Spans) -> ArrayDigests:
        self._open.append(self._digests.of(path, spans))
        return self._open[-1]

    def judge(self) -> None:
        """Judge what was seen, once every array has been read."""
        for each in self._open:
            each.close()
        with np.errstate(over="ignore", invalid="ignore"):  # numbers of a file may be as large as they get
            self._judge()

    def _judge(self) -> None:
        judge_doubles(self._judgement, self._digests)
        motion = Motion(self._judgement, self._extents)
        for path, frames in self._frames.items():
            judge_frames(self._judgement, path, frames, motion)
        judge_recordings(self._judgement)
        judge_idleness(self._judgement, motion)
        if self._steps is not None:
            judge_jumps(self._judgement, self._steps, self._extents[ACTION])
        for outside in self._outside:
            judge_bounds(self._judgement, outside)
