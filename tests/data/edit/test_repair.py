"""Repair copies every sound episode into a new store and touches nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.checks.validate import validate
from data.edit.repair import repair
from data.store.dataset import Dataset
from robot.errors import InputError, TillerError


@pytest.fixture
def long_store(tmp_path: Path, schema: Any, make_episode: Any) -> Path:
    """Five episodes of 700 rows; a chunk holds 1024 images."""
    with Dataset.create(tmp_path / "long", schema, {"operator": "ann"}) as dataset:
        dataset.extend([make_episode(number, rows=700) for number in range(5)])
    return tmp_path / "long"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_episodes_on_a_damaged_chunk_are_left_out_and_the_others_are_copied(
    long_store: Path, tmp_path: Path, make_episode: Any
) -> None:
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


@pytest.mark.parametrize(
    ("ends", "sound"),
    [
        ([10, 20, 30], [0, 1, 2]),
        ([10, 10, 30], [0, 2]),
        ([0, 10, 40], [1, 2]),
        ([20, 40, 40], [0, 1]),
        ([10, 38, 39, 20, 30, 40], [0]),
        ([-1, 50, 90], []),
        ([10, 20, 15, 30, 40], [0, 4]),
        ([10, 99, 30, 40], [0, 3]),
    ],
)
def test_episodes_whose_ends_contradict_a_neighbour_are_not_trusted(
    tmp_path: Path, ends: list[int], sound: list[int]
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
    assert validate(tmp_path / "repaired").ok
    values = Dataset.open(tmp_path / "repaired").read("action")[:, 0]
    starts = [0, *ends]
    assert values.tolist() == [row for index in sound for row in range(starts[index], ends[index])]


def _foreign(path: Path, ends: Any = (10, 20, 40), **arrays: np.ndarray) -> Path:
    root = zarr.create_group(path, zarr_format=2)
    for name, values in (arrays or {"action": np.arange(40.0).reshape(40, 1)}).items():
        root.create_array(f"data/{name}", data=values, chunks=(8, *values.shape[1:]))
    root.create_array("meta/episode_ends", data=np.asarray(ends))
    return path


def test_numbers_that_are_none_cost_an_episode_also_in_an_observation(
    tmp_path: Path, schema: Any, make_episode: Any
) -> None:
    state = make_episode(1).data["state"].copy()
    state[3, 4] = np.nan
    with Dataset.create(tmp_path / "store", schema) as dataset:
        dataset.extend([make_episode(0), make_episode(1, data={"state": state}), make_episode(2)])
    report = repair(tmp_path / "store", tmp_path / "repaired")
    assert [finding.where for finding in report.findings] == ["episode 1"]
    assert "'data/state': 1 numbers are NaN" in report.findings[0].message
    assert validate(tmp_path / "repaired").ok


def test_a_store_without_actions_is_not_sound(tmp_path: Path) -> None:
    source = _foreign(tmp_path / "foreign", state=np.arange(40.0).reshape(40, 1))
    assert not validate(source).ok
    with pytest.raises(TillerError, match=r"none of its 3 episodes is sound.*there are no actions"):
        repair(source, tmp_path / "repaired")


@pytest.mark.parametrize("ends", [[[10], [20], [40]], [10.0, 20.0, 40.0], 40])
def test_ends_that_are_no_list_of_integers_save_nothing(tmp_path: Path, ends: Any) -> None:
    source = _foreign(tmp_path / "foreign", ends)
    assert not validate(source).ok
    with pytest.raises(TillerError, match=r"meta/episode_ends.*none can be saved"):
        repair(source, tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()


def test_what_is_wrong_only_in_rows_of_no_episode_costs_none(tmp_path: Path) -> None:
    actions = np.arange(40.0).reshape(40, 1)
    actions[35] = np.nan
    source = _foreign(tmp_path / "foreign", [10, 20, 30], action=actions)
    report = validate(source)
    assert report.ok and any("no episode that can be used" in finding.message for finding in report.findings)
    assert repair(source, tmp_path / "repaired").findings == ()


@pytest.mark.filterwarnings("ignore:The data type")
def test_bytes_of_a_foreign_store_are_copied(tmp_path: Path) -> None:
    source = _foreign(tmp_path / "foreign")
    root = zarr.open_group(source, mode="r+")
    rows = root["data/action"].shape[0]
    root.create_array("meta/task", data=np.array([b"lift", b"a", b"\xff"], dtype="S16"))
    root.create_array("data/tag", data=np.array([b"x", b"yy"], dtype="S2")[np.arange(rows) % 2])
    repair(source, tmp_path / "repaired")
    repaired = zarr.open_group(tmp_path / "repaired", mode="r")
    for path in ("meta/task", "data/tag"):
        assert repaired[path].dtype == root[path].dtype
        assert repaired[path][:].tolist() == root[path][:].tolist()


def test_what_is_no_fact_of_each_episode_is_left_alone_and_said(tmp_path: Path) -> None:
    source = _foreign(tmp_path / "foreign")
    zarr.open_group(source, mode="r+").create_array("meta/gains", data=np.arange(7))
    assert "7 entries beside 3 episodes" in str(validate(source).findings)
    report = repair(source, tmp_path / "repaired")
    assert [finding.where for finding in report.findings] == ["meta/gains"]
    assert len(Dataset.open(tmp_path / "repaired").episode(2)) == 20


def test_a_store_of_ours_whose_array_has_another_shape_than_its_schema_says_is_not_sound(
    store: Path, tmp_path: Path
) -> None:
    path = store / "data" / "state" / "zarr.json"
    metadata = json.loads(path.read_text())
    metadata["data_type"] = "float64"
    path.write_text(json.dumps(metadata))
    assert "of float32 by the schema" in str(validate(store).findings)
    with pytest.raises(TillerError, match="none of its 4 episodes is sound"):
        repair(store, tmp_path / "repaired")


def test_without_episode_ends_nothing_can_be_saved(store: Path, tmp_path: Path) -> None:
    (store / "meta" / "episode_ends" / "c.0").write_bytes(b"")
    assert not validate(store).ok
    with pytest.raises(TillerError, match="Where episodes end is lost with it, so none can be saved"):
        repair(store, tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()
