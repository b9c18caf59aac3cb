"""What is looked at in blocks is the same however the blocks are cut, and takes memory of a block, not of the store."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks.rules.cameras import Frames
from data.checks.rules.doubles import Digests
from data.checks.rules.extents import Extents
from data.checks.rules.jumps import Part, Steps
from data.checks.rules.spans import Spans
from data.store.consistency import Borders
from data.store.dataset import Dataset
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

ROWS = 60
ROOT = Path(__file__).parents[4]
CUTS = st.lists(st.integers(1, ROWS - 1), max_size=12).map(lambda cuts: sorted({0, *cuts, ROWS}))
ENDS = st.lists(st.integers(1, ROWS), min_size=1, max_size=8, unique=True).map(lambda ends: np.array(sorted(ends)))


def _feed(watch: object, entries: Sequence, cuts: Sequence[int]) -> None:
    for first, end in pairwise(cuts):
        watch.add(first, entries[first:end])  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(cuts=CUTS, ends=ENDS, seed=st.integers(0, 99))
def test_no_cut_changes_what_is_seen(cuts: list[int], ends: np.ndarray, seed: int) -> None:
    draw, spans = np.random.default_rng(seed), Spans(Borders(ends, ROWS))
    rows = draw.normal(size=(ROWS, 4))
    rows[draw.integers(0, ROWS, 5), 2] = np.nan
    images = [bytes([value]) for value in draw.integers(0, 2, ROWS)]
    seen = []
    for pieces in (cuts, [0, ROWS]):
        steps = Steps(spans, [Part("pose", slice(0, 3)), Part("3", slice(3, 4))])
        extents, frames, digests = Extents(spans, 4), Frames(spans, 2), Digests(spans)
        own = digests.of("data/x", spans), digests.of("data/y", spans)
        for watch, entries in zip((steps, extents, frames, *own), (rows, rows, images, rows, images)):
            _feed(watch, entries, pieces)
        frames.close()
        for each in own:
            each.close()
        seen.append((steps.largest, steps.rows, extents.low, extents.high, frames.runs, digests.content))
    for cut, whole in zip(*seen):
        np.testing.assert_array_equal(np.array(cut), np.array(whole))


@settings(max_examples=60, deadline=None)
@given(ends=ENDS, values=st.lists(st.integers(0, 1), min_size=ROWS, max_size=ROWS), least=st.integers(2, 6))
def test_runs_of_equal_images_are_all_that_are_long_enough_and_within_an_episode(
    ends: np.ndarray, values: list[int], least: int
) -> None:
    frames = Frames(Spans(Borders(ends, ROWS)), least)
    frames.add(0, np.array(values, np.uint8).reshape(ROWS, 1, 1, 1))
    frames.close()
    expected, start = [], 0
    for episode, end in enumerate(ends.tolist()):
        first = start
        for row in range(start + 1, end + 1):
            if row == end or values[row] != values[row - 1]:
                if row - first >= least:
                    expected.append((episode, first, row))
                first = row
        start = end
    assert frames.runs == expected


@settings(max_examples=60, deadline=None)
@given(ends=ENDS, seed=st.integers(0, 99))
def test_episodes_have_one_digest_where_they_hold_the_same(ends: np.ndarray, seed: int) -> None:
    spans = Spans(Borders(ends, ROWS))
    rows = np.random.default_rng(seed).integers(0, 2, (ROWS, 1))
    digests = Digests(spans)
    reader = digests.of("data/x", spans)
    reader.add(0, rows)
    reader.close()
    held = [rows[start:end].tobytes() for start, end in zip(spans.starts, spans.ends)]
    for one in range(len(held)):
        for other in range(one):
            assert (held[one] == held[other]) == (digests.content[one] == digests.content[other])


def test_a_long_video_is_judged_in_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    image = ObservationField("image", (256, 256, 3), "uint8", "1", "image")
    state = ObservationField("state", (4,), "float32", "m", "state")
    action = ActionSpec((ActionField("target", 4, "m", "native"),), 0.1)
    rows, count = 64, 25  # 315 MB of images
    pixels = np.arange(rows, dtype=np.uint8)[:, None, None, None] * np.ones((1, 256, 256, 3), np.uint8)
    motion = np.sin(np.arange(rows)[:, None] / 7 + np.arange(4)).astype(np.float32)
    with Dataset.create(tmp_path / "store", Schema(ObservationSpec((image, state)), action, 0.1)) as dataset:
        for number in range(count):
            with dataset.writer() as writer:
                writer.add({"image": pixels, "state": motion + np.float32(number / 100), "action": motion})
                writer.commit({})
    program = (
        "import resource, sys; from data.checks.validate import validate; from data.checks.judgement import judge\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; report = validate(sys.argv[1])\n"
        "assert report.ok and not [each for each in report.findings if each.rule], report.lines()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150_000, "kB, of 315 MB"
