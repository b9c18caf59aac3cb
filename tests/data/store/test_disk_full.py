"""A disk that fills up while appending costs the episode at hand and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.store.dataset import Dataset
from robot.errors import InputError, TillerError
from robot.files import PARTIAL
from tests.data.small_files import small_files


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(mount)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def _large(make_episode: Any, number: int) -> Any:
    """About 180 kB that no codec makes smaller."""
    return make_episode(number, rows=180)


def test_a_full_disk_keeps_what_is_committed_and_appending_goes_on_once_there_is_room(
    small_disk: Path, schema: Any, make_episode: Any
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(800_000))
    path = small_disk / "store"
    with Dataset.create(path, schema) as dataset:
        with pytest.raises(TillerError, match="no space left on the disk") as caught:
            for number in range(100):
                dataset.append(_large(make_episode, number))
        safe = len(dataset)
        assert safe >= 1 and caught.value.exit_code == 1
        assert f"The {safe} episodes before it are safe" in str(caught.value)
        assert not list(path.rglob(f"*{PARTIAL}"))
        _assert_holds(path, make_episode, safe)

        with pytest.raises(TillerError, match="no space left"):
            dataset.append(_large(make_episode, safe))
        filler.unlink()
        dataset.append(_large(make_episode, safe))
        _assert_holds(path, make_episode, safe + 1)
    with Dataset.open(path, mode="a") as dataset:
        dataset.append(_large(make_episode, safe + 1))
    _assert_holds(path, make_episode, safe + 2)


def test_a_disk_full_to_the_last_byte_still_opens(small_disk: Path, schema: Any, make_episode: Any) -> None:
    path = small_disk / "store"
    with Dataset.create(path, schema) as dataset:
        dataset.append(_large(make_episode, 0))
        with pytest.raises(OSError), open(small_disk / "filler", "wb") as filler:
            while True:
                filler.write(bytes(4096))
        with pytest.raises(TillerError, match="The 1 episodes before it are safe"):
            dataset.append(_large(make_episode, 1))
        _assert_holds(path, make_episode, 1)
        (small_disk / "filler").unlink()
        dataset.append(_large(make_episode, 1))
    _assert_holds(path, make_episode, 2)


def test_a_limit_on_file_sizes_is_a_full_disk_too(store: Path, make_episode: Any) -> None:
    with Dataset.open(store, mode="a") as dataset:
        full = pytest.raises(TillerError, match="no space left on the disk while appending episode 4")
        with small_files(20_000), full:
            dataset.append(_large(make_episode, 4))
        assert len(Dataset.open(store)) == 4
        dataset.append(_large(make_episode, 4))
    assert len(Dataset.open(store)) == 5


def test_a_full_disk_stops_the_making_of_a_store_and_leaves_nothing(small_disk: Path, schema: Any) -> None:
    (small_disk / "filler").write_bytes(bytes(2 * 1024 * 1024 - 3 * 4096))
    with pytest.raises(InputError, match="expected a place that can be written, got No space left"):
        Dataset.create(small_disk / "store", schema)
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


def _assert_holds(path: Path, make_episode: Any, episodes: int) -> None:
    dataset = Dataset.open(path)
    assert len(dataset) == episodes
    for number in range(episodes):
        assert dataset.episode(number).digest() == _large(make_episode, number).digest()
    assert np.array_equal(dataset.episode_ends, 180 * np.arange(1, episodes + 1))
