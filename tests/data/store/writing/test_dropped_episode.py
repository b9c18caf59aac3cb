"""An episode whose writer ends in the middle of it is dropped, and the next writer says so; of no other is it said."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.store.dataset import Dataset
from data.store.writing.leftovers import Leftovers, dropped_episode
from data.store.writing.lock import LOCK_NAME
from robot.files import PARTIAL

ROOT = Path(__file__).parents[4]
# A file of images holds 1024 rows, one of numbers 4096.
PROGRAM = """
import sys
import numpy as np
from data.store.dataset import Dataset

dataset = Dataset.open(sys.argv[1], mode="a")
writer = dataset.writer()

def add(count):
    stamps = np.arange(writer.rows, writer.rows + count, dtype=np.int64)
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    writer.add({"state": np.zeros((count, 5), np.float32), "image": images, "reward": np.zeros(count, np.float32),
                "action": np.zeros((count, 2), np.float32), "time_ns": stamps})

add(int(sys.argv[2]))
facts = {"instruction": "lift", "success": True, "seed": 1, "score": 0.5}
if sys.argv[3] == "commit":
    writer.commit(facts)
if sys.argv[3] == "abort":
    writer.abort()
print("ready", flush=True)
if sys.argv[4] == "wait":
    sys.stdin.read()
"""


def write_and_end(store: Path, rows: int, then: str, end: str) -> None:
    """Write so many rows in another process, commit or abort or not, and kill it or let it come to its end."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store), str(rows), then, "wait" if end == "kill" else "return"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        if end == "kill":
            process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    ("rows", "end", "written"),
    [(2100, "kill", r"2 files, 1\.\d MB"), (3, "kill", "less than a file"), (1100, "return", r"1 file, 0\.\d MB")],
)
def test_the_next_writer_says_once_what_was_lost(
    store: Path, make_episode: Any, rows: int, end: str, written: str
) -> None:
    write_and_end(store, rows, "nothing", end)
    assert Dataset.open(store).dropped == ""
    with Dataset.open(store, mode="a") as dataset:
        assert re.fullmatch(
            rf"an episode of {written}, begun 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, was not committed: dropped",
            dataset.dropped,
        )
        assert len(dataset) == 4 and not list(store.rglob(f"*{PARTIAL}"))
        dataset.append(make_episode(4))
    assert not (store / LOCK_NAME).exists()
    with Dataset.open(store, mode="a") as dataset:
        assert dataset.dropped == "" and len(dataset) == 5


@pytest.mark.parametrize(("then", "episodes"), [("commit", 5), ("abort", 4)])
def test_of_an_episode_that_was_committed_or_aborted_nothing_is_said(store: Path, then: str, episodes: int) -> None:
    write_and_end(store, 1100, then, "kill")
    with Dataset.open(store, mode="a") as dataset:
        assert dataset.dropped == "" and len(dataset) == episodes


def test_of_an_episode_that_was_begun_and_got_no_row_nothing_is_said(store: Path) -> None:
    write_and_end(store, 0, "nothing", "kill")
    with Dataset.open(store, mode="a") as dataset:
        assert dataset.dropped == "" and len(dataset) == 4


def test_a_writer_that_dies_between_its_commit_and_its_next_word_has_lost_nothing() -> None:
    holder = {"episode": 4, "episode_since": "2026-01-02T03:04:05+00:00"}
    assert dropped_episode(Leftovers(), holder, episodes=5) == ""
    assert "begun 2026-01-02 03:04:05 UTC" in dropped_episode(Leftovers(), holder, episodes=4)


@pytest.mark.parametrize("since", ["yesterday", 7, None, "9999-12-31T23:59:59-23:59"])
def test_whatever_a_lock_says_of_its_holder_the_line_is_written(since: Any) -> None:
    line = dropped_episode(Leftovers(3, 2_000_000, 0.0), {"episode": "x", "episode_since": since}, episodes=4)
    assert line == "an episode of 3 files, 2.0 MB, begun 1970-01-01 00:00:00 UTC, was not committed: dropped"
    assert "unknown time" in dropped_episode(Leftovers(), {"episode": 4, "episode_since": since}, episodes=4)
