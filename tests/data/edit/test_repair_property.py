"""What validation blames never survives a repair, and what it does not blame always does, whatever the damage."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.checks.validate import validate
from data.edit.repair import repair
from data.store import layout
from data.store.dataset import Dataset
from robot.errors import TillerError

LENGTHS = (5, 9, 3, 10, 7)
ENDS = np.cumsum(LENGTHS)
ROWS = int(ENDS[-1])
CHUNK = 8
# The ordinary tests take a few cases; REPAIR_CASES=500 looks further.
CASES = int(os.environ.get("REPAIR_CASES", "8"))

Spoilt = Callable[["Store"], set[int]]


class Store:
    """A copy of a sound store, what was done to it, and which episodes that must cost.

    Args:
        folder: of the copy.
        ours: written by tiller.
    """

    def __init__(self, folder: Path, ours: bool) -> None:
        self.folder, self.ours = folder, ours
        self.ends = ENDS.copy()
        self.bad_rows: set[int] = set()
        self.bad_episodes: set[int] = set()
        self.errors = False

    @property
    def root(self) -> zarr.Group:
        return zarr.open_group(self.folder, mode="r+")

    def intervals(self) -> dict[int, range]:
        """Episodes whose ends contradict nothing, by brute force: one end at most is wrong in these tests."""
        borders = [0, *self.ends.tolist()]
        wrong = {number for number, border in enumerate(borders) if not 0 <= border <= ROWS}
        for one in range(len(borders)):
            for other in range(one + 1, len(borders)):
                if not {one, other} & wrong and borders[one] > borders[other]:
                    wrong |= {one, other}
        return {
            episode: range(borders[episode], borders[episode + 1])
            for episode in range(len(self.ends))
            if not {episode, episode + 1} & wrong
        }

    def expected(self) -> list[int]:
        """The episodes that must survive."""
        sound = []
        stamps = self.root["data/time_ns"][:] if self.ours else np.arange(ROWS)
        for episode, rows in self.intervals().items():
            later = (np.diff(stamps[rows.start : rows.stop]) > 0).all()
            if len(rows) and later and not self.bad_rows & set(rows) and episode not in self.bad_episodes:
                sound.append(episode)
        return sound


def _not_a_number(store: Store, draw: Any) -> None:
    key = draw(st.sampled_from(["action", "state", "reward"]))
    row = draw(st.integers(0, ROWS - 1))
    array = store.root[f"data/{key}"]
    value = array[row : row + 1]
    value.reshape(-1)[-1] = draw(st.sampled_from([np.nan, np.inf]))
    array[row : row + 1] = value
    store.bad_rows.add(row)


def _chunk(store: Store, draw: Any) -> None:
    key = draw(st.sampled_from(["action", "state", "image", "reward"]))
    number = draw(st.integers(0, (ROWS - 1) // CHUNK))
    tail = {"image": ".0.0.0", "reward": ""}.get(key, ".0")
    file = store.folder / "data" / key / f"{'c.' if store.ours else ''}{number}{tail}"
    if file.exists():
        content = file.read_bytes()
        harm = draw(st.sampled_from(["remove", "truncate"]))
        file.unlink() if harm == "remove" else file.write_bytes(content[: len(content) // 2])
    store.bad_rows |= set(range(number * CHUNK, min((number + 1) * CHUNK, ROWS)))


def _one_end(store: Store, draw: Any) -> None:
    if (store.ends != ENDS).any():
        return
    index = draw(st.integers(0, len(ENDS) - 1))
    before = int(ENDS[index - 1]) if index else 0
    store.ends[index] = draw(st.sampled_from([before, before - 1, -4, ROWS + 1, 2**40, int(ENDS[index])]))
    store.root["meta/episode_ends"][index] = store.ends[index]


def _stamp(store: Store, draw: Any) -> None:
    if store.ours:
        row = draw(st.integers(0, ROWS - 1))
        store.root["data/time_ns"][row] = draw(st.sampled_from([-1, 2**50]))


def _stream_stamp(store: Store, draw: Any) -> None:
    if store.ours:
        episode = draw(st.integers(0, len(LENGTHS) - 1))
        first = 10 * int(ENDS[episode] - LENGTHS[episode])
        store.root["streams/wrench/time_ns"][first + draw(st.integers(1, 10 * LENGTHS[episode] - 1))] = -1
        store.bad_episodes.add(episode)


def _stream_end(store: Store, draw: Any) -> None:
    if store.ours:
        index = draw(st.integers(0, len(ENDS) - 1))
        store.root["meta/stream_ends/wrench"][index] = 10 * ROWS + 7
        store.bad_episodes |= {index, index + 1}


def _fact(store: Store, draw: Any) -> None:
    """A chunk of facts, which holds those of all episodes."""
    if store.ours and draw(st.integers(0, 4)) == 0:
        (store.folder / "meta" / draw(st.sampled_from(["seed", "success"])) / "c.0").write_bytes(b"rubbish")
        store.bad_episodes |= set(range(len(ENDS)))


# In this order: numbers are changed while their chunks can still be read.
DAMAGE = (_not_a_number, _one_end, _stamp, _stream_stamp, _stream_end, _fact, _chunk)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, schema: Any, make_episode: Any) -> dict[bool, Path]:
    """A store of ours and one of another program with the same rows, in small chunks."""
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        small = property(lambda slot: CHUNK if slot.per == "row" else 512)
        patch.setattr(layout.Slot, "rows_a_chunk", small)
        patch.setattr(layout.Slot, "rows_a_shard", None)  # a file is a chunk
        with Dataset.create(folder / "ours", schema) as dataset:
            dataset.extend([make_episode(number, rows=rows) for number, rows in enumerate(LENGTHS)])
    root = zarr.create_group(folder / "foreign", zarr_format=2)
    for key in ("action", "state", "image", "reward"):
        values = dataset.read(key)
        root.create_array(f"data/{key}", data=values, chunks=(CHUNK, *values.shape[1:]))
    root.create_array("meta/episode_ends", data=ENDS)
    root.create_array("meta/seed", data=np.arange(len(ENDS)))
    return {True: folder / "ours", False: folder / "foreign"}


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), ours=st.booleans(), damage=st.lists(st.sampled_from(DAMAGE), max_size=4))
def test_what_validation_blames_never_survives_and_the_rest_always_does(
    sound: dict[bool, Path], data: Any, ours: bool, damage: list[Callable[[Store, Any], None]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place) / "store", ours)
        shutil.copytree(sound[ours], store.folder)
        for harm in sorted(damage, key=DAMAGE.index):
            harm(store, data.draw)
        expected, rows = store.expected(), store.intervals()
        report, target = validate(store.folder), Path(place) / "repaired"
        assert report.ok == (len(expected) == len(ENDS)), report.lines()
        if not expected:
            with pytest.raises(TillerError, match="none of its 5 episodes is sound"):
                repair(store.folder, target)
            return
        left_out = {int(finding.where.split()[1]) for finding in repair(store.folder, target).findings}
        assert left_out == set(range(len(ENDS))) - set(expected), report.lines()
        assert validate(target).ok
        repaired, source = Dataset.open(target), zarr.open_group(store.folder, mode="r")
        assert repaired.meta("seed").tolist() == expected
        for number, episode in enumerate(expected):
            kept = repaired.episode(number).data
            for key, values in kept.items():
                np.testing.assert_array_equal(values, source[f"data/{key}"][rows[episode].start : rows[episode].stop])
