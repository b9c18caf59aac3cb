"""Takes that are written beside a recorder: saved, discarded or lost, one after another."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

import real.recorder.writing as writing
from data.store.dataset import Dataset
from data.store.schema import MetaField, Schema, StreamField
from real.recorder.writing import TakeWriter
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

pytestmark = pytest.mark.together

SCHEMA = Schema(
    ObservationSpec((ObservationField("x", (2,), "float32", "m", "state"),)),
    ActionSpec((ActionField("x", 2, "m", "joint"),), 0.05),
    0.05,
    meta=(MetaField("success", "bool"),),
    streams=(StreamField("force", (1,), "float64", "N"),),
)


def rows(count: int, value: float) -> dict[str, np.ndarray]:
    return {"x": np.full((count, 2), value, np.float32), "action": np.full((count, 2), value, np.float32)}


def until(writer: TakeWriter, condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        writer.turn()
        time.sleep(0.005)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def writer(store: Path) -> Iterator[TakeWriter]:
    made = TakeWriter(lambda: Dataset.create(store, SCHEMA))
    yield made
    made.close()


def test_takes_are_saved_in_order_and_a_discarded_one_leaves_nothing(store: Path, writer: TakeWriter) -> None:
    ends: list[tuple[int, str]] = []
    for number in range(4):
        for part in range(3):
            writer.add(rows(7, number))
            stamps = np.arange(part * 5, part * 5 + 5, dtype=np.int64)
            writer.add_stream("force", np.full((5, 1), float(number)), stamps)
        if number == 1:
            writer.discard(lambda problem, number=number: ends.append((number, problem)))  # type: ignore[misc]
        else:
            writer.save({"success": True}, lambda problem, number=number: ends.append((number, problem)))  # type: ignore[misc]
    until(writer, lambda: len(ends) == 4)
    assert ends == [(0, ""), (1, ""), (2, ""), (3, "")]
    dataset = Dataset.open(store)
    assert len(dataset) == 3
    for index, number in enumerate((0, 2, 3)):
        episode = dataset.episode(index)
        assert (episode.data["x"] == number).all() and len(episode) == 21
        assert (episode.streams["force"][0] == number).all() and len(episode.streams["force"][1]) == 15


def test_rows_that_do_not_fit_lose_their_take_with_the_reason_and_no_other(store: Path, writer: TakeWriter) -> None:
    ends: list[str] = []
    writer.add(rows(3, 1))
    writer.add({"x": np.zeros((3, 5), np.float32), "action": np.zeros((3, 2), np.float32)})
    until(writer, lambda: writer.problem)
    assert "'x'" in writer.problem
    writer.add(rows(3, 1))
    writer.save({"success": True}, ends.append)
    writer.add(rows(4, 2))
    writer.save({"success": False}, ends.append)
    until(writer, lambda: len(ends) == 2)
    assert "'x'" in ends[0] and ends[1] == ""
    assert Dataset.open(store).episode_ends.tolist() == [4]


def test_a_fact_that_is_missing_loses_the_take_with_the_reason(store: Path, writer: TakeWriter) -> None:
    ends: list[str] = []
    writer.add(rows(3, 1))
    writer.save({}, ends.append)
    until(writer, lambda: ends)
    assert "success" in ends[0] and len(Dataset.open(store)) == 0


def test_a_disk_that_stalls_loses_the_take_and_memory_stays_bounded(
    store: Path, writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_BYTES", 10_000)
    stalled, ends = threading.Event(), list[str]()
    writer._work.put(writing._Work(0, lambda episode: stalled.wait(20) and None))  # the disk takes nothing more
    for _ in range(100):
        writer.add(rows(100, 1))
    assert writer.problem.startswith("the disk is too slow") and writer.waiting_bytes <= 10_000
    stalled.set()
    writer.save({"success": True}, ends.append)
    writer.add(rows(5, 2))
    writer.save({"success": True}, ends.append)
    until(writer, lambda: len(ends) == 2)
    assert ends[0].startswith("the disk is too slow") and ends[1] == ""
    assert Dataset.open(store).episode_ends.tolist() == [5] and writer.waiting_bytes == 0


def test_what_is_open_at_the_end_leaves_nothing_and_the_store_can_be_written_by_others(store: Path) -> None:
    writer = TakeWriter(lambda: Dataset.create(store, SCHEMA))
    writer.add(rows(5, 1))
    writer.close()
    with Dataset.open(store, mode="a") as dataset:
        assert len(dataset) == 0
