"""Repair copies every sound episode into a new store and touches nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.dataset import Dataset
from data.repair import repair
from data.validate import validate
from robot.errors import InputError, TillerError


@pytest.fixture
def long_store(tmp_path: Path, schema: Any, make_episode: Any) -> Path:
    """Five episodes of 700 rows; a chunk holds 1024 images."""
    with Dataset.create(tmp_path / "long", schema, {"operator": "ann"}) as dataset:
        dataset.extend([make_episode(number, rows=700) for number in range(5)])
    return tmp_path / "long"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_episodes_on_a_damaged_chunk_are_left_out_and_the_others_are_copied(long_store: Path, tmp_path: Path,
                                                                          make_episode: Any) -> None:
    (long_store / "data" / "image" / "c.1.0.0.0").write_bytes(b"rubbish")
    before = _bytes(long_store)
    report = repair(long_store, tmp_path / "repaired")
    assert [finding.where for finding in report.findings] == ["episode 1", "episode 2"]
    assert "chunk 1 of 'data/image' is damaged" in report.findings[0].message
    assert report.summary == f"3 of 5 episodes are in {tmp_path / 'repaired'}, 2 were left out"
    assert validate(tmp_path / "repaired").ok
    repaired = Dataset.open(tmp_path / "repaired")
    for index, number in enumerate((0, 3, 4)):
        assert repaired.episode(index).digest() == make_episode(number, rows=700).digest()
    assert repaired.attributes["repaired_from"] == str(long_store) and repaired.attributes["operator"] == "ann"
    assert _bytes(long_store) == before


def test_a_sound_store_is_copied_whole(store: Path, tmp_path: Path) -> None:
    report = repair(store, tmp_path / "repaired")
    assert report.ok and report.findings == ()
    assert Dataset.open(tmp_path / "repaired").fingerprint == Dataset.open(store).fingerprint


def test_array_metadata_that_lost_its_length_costs_nothing(store: Path, tmp_path: Path) -> None:
    path = store / "data" / "state" / "zarr.json"
    metadata = json.loads(path.read_text())
    metadata["shape"][0] = 3
    path.write_text(json.dumps(metadata))
    assert not validate(store).ok
    assert repair(store, tmp_path / "repaired").findings == ()
    assert len(Dataset.open(tmp_path / "repaired")) == 4


def test_nothing_is_written_where_nothing_is_sound_or_something_stands(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is overwritten"):
        repair(store, store)
    (store / "data" / "action" / "c.0.0").unlink()
    with pytest.raises(TillerError, match=r"none of its 4 episodes is sound.*'data/action' is damaged") as caught:
        repair(store, tmp_path / "repaired")
    assert caught.value.exit_code == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["store"]


def test_a_foreign_store_keeps_its_layout_and_loses_the_bad_episodes(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2, attributes={"made_by": "someone"})
    actions = np.arange(100, dtype=np.float32).reshape(50, 2)
    actions[12, 0] = np.nan
    root.create_array("data/action", data=actions, chunks=(10, 2))
    root.create_array("data/state", data=np.arange(50.0), chunks=(10,))
    root.create_array("meta/episode_ends", data=np.array([10, 20, 30, 60]))
    root.create_array("meta/operator", data=np.arange(4))
    report = repair(tmp_path / "foreign", tmp_path / "repaired")
    assert [finding.where for finding in report.findings] == ["episode 1", "episode 3"]
    repaired = Dataset.open(tmp_path / "repaired")
    assert repaired.schema is None and repaired.episode_ends.tolist() == [10, 20]
    assert repaired.read("state").tolist() == [*range(10), *range(20, 30)]
    assert repaired.meta("operator").tolist() == [0, 2]
    assert repaired.attributes["made_by"] == "someone"


@pytest.mark.parametrize(("ends", "sound"), [
    ([10, 20, 30], [0, 1, 2]),
    ([10, 10, 30], []),
    ([10, 20, 15, 30, 40], [0, 4]),
    ([10, 99, 30, 40], [0, 3]),
])
def test_episodes_whose_ends_contradict_a_neighbour_are_not_trusted(tmp_path: Path, ends: list[int], sound: list[int]
                                                                   ) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    root.create_array("data/action", data=np.arange(40.0).reshape(40, 1))
    root.create_array("meta/episode_ends", data=np.array(ends))
    if not sound:
        with pytest.raises(TillerError, match="none of its 3 episodes"):
            repair(tmp_path / "foreign", tmp_path / "repaired")
        return
    report = repair(tmp_path / "foreign", tmp_path / "repaired")
    dropped = {finding.where for finding in report.findings}
    assert dropped == {f"episode {index}" for index in range(len(ends)) if index not in sound}


def test_without_episode_ends_nothing_can_be_saved(store: Path, tmp_path: Path) -> None:
    (store / "meta" / "episode_ends" / "c.0").write_bytes(b"")
    assert not validate(store).ok
    with pytest.raises(TillerError, match="Where episodes end is lost with it, so none can be saved"):
        repair(store, tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()
