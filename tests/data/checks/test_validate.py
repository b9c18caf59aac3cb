"""Validation finds what is wrong with a store, and nothing in one that is sound."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.checks.report import Report
from data.checks.validate import validate
from data.store.dataset import Dataset
from data.store.names import ACTOR, QUALITY
from robot.errors import InputError


def _found(report: Report, severity: str, where: str) -> str:
    """The one message of that severity about that part."""
    about = [finding for finding in report.findings if finding.where == where]
    messages = [finding.message for finding in about if finding.severity == severity]
    assert len(messages) == 1, report.lines()
    return messages[0]


def test_a_sound_store_has_nothing_to_find(store: Path) -> None:
    report = validate(store)
    assert report.ok and report.findings == ()
    assert report.lines() == [f"Validation of {store}", "4 episodes, 38 rows: 0 errors, 0 warnings"]


def test_an_empty_store_is_sound(tmp_path: Path, schema: Any) -> None:
    Dataset.create(tmp_path / "store", schema).close()
    report = validate(tmp_path / "store")
    assert report.ok and _found(report, "note", "meta/episode_ends") == "no episodes yet"


def test_every_damaged_chunk_is_listed_with_the_episodes_it_touches(store: Path) -> None:
    chunk = store / "data" / "image" / "c.0.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    (store / "data" / "reward" / "c.0").unlink()
    (store / "streams" / "wrench" / "value" / "c.0.0").unlink()
    report = validate(store)
    assert not report.ok and report.count("error") == 3
    assert _found(report, "error", "data/image") == (
        "chunk 0 is damaged: its checksum does not match (rows 0 to 37, episodes 0 to 3)"
    )
    assert "its file is missing" in _found(report, "error", "data/reward")
    assert "entries 0 to 379" in _found(report, "error", "streams/wrench/value")
    assert "tiller data repair" in report.summary


def test_numbers_that_are_none_are_counted_and_the_first_is_located(
    tmp_path: Path, schema: Any, make_episode: Any
) -> None:
    state = make_episode(1).data["state"].copy()
    state[3, 4], state[7, 0] = np.nan, np.inf
    with Dataset.create(tmp_path / "store", schema) as dataset:
        dataset.extend([make_episode(0), make_episode(1, data={"state": state})])
    report = validate(tmp_path / "store")
    assert _found(report, "error", "data/state") == (
        "2 numbers are NaN or infinite, the first in row 15 (episode 1), component 4"
    )


def test_what_never_changes_and_late_rows_are_pointed_out(tmp_path: Path, schema: Any, make_episode: Any) -> None:
    episode = make_episode(0)
    state, time_ns = episode.data["state"].copy(), episode.data["time_ns"].copy()
    state[:, 2] = 7
    time_ns[5:] += 300_000_000
    changes = {"state": state, "time_ns": time_ns, "reward": np.zeros(12, np.float32)}
    with Dataset.create(tmp_path / "store", schema) as dataset:
        dataset.extend([make_episode(0, data=changes)])
    report = validate(tmp_path / "store")
    assert report.ok
    assert _found(report, "note", "data/state") == "never changes in component 2"
    assert _found(report, "note", "data/reward") == "never changes"
    assert _found(report, "warning", "data/time_ns") == (
        "1 rows came more than 1.5 periods after the one before, the worst 0.400 s, in row 5"
    )


def test_stamps_changed_behind_our_back_are_errors(store: Path) -> None:
    root = zarr.open_group(store, mode="r+")
    root["data/time_ns"][10] = 0
    root["streams/wrench/time_ns"][100] = 0
    report = validate(store)
    assert _found(report, "error", "data/time_ns") == (
        "1 stamps do not come after the one before, the first in row 10 (episode 1)"
    )
    assert _found(report, "error", "streams/wrench/time_ns") == (
        "1 stamps are earlier than the one before, the first in sample 100"
    )
    root["meta/stream_ends/wrench"][3] = 300
    assert "expected ends up to 380" in _found(validate(store), "error", "meta/stream_ends/wrench")


def test_structure_that_does_not_fit_is_listed_and_the_rest_is_examined_all_the_same(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    actions = np.arange(60, dtype=np.float32).reshape(30, 2)
    actions[4, 1] = np.nan
    root.create_array("data/action", data=actions)
    root.create_array("data/img", data=np.random.default_rng(0).random((29, 32, 32, 3)).astype(np.float32))
    root.create_array("meta/episode_ends", data=np.array([10, 40]))
    report = validate(tmp_path / "foreign")
    assert "action 30, img 29" in _found(report, "error", "data")
    assert "expected at most 29" in _found(report, "error", "meta/episode_ends")
    assert "component 1" in _found(report, "error", "data/action")
    assert "images of float32" in _found(report, "warning", "data/img")
    assert "no schema" in _found(report, "warning", "attributes")
    assert [finding.severity for finding in report.findings] == ["error"] * 3 + ["warning"] * 2


@pytest.mark.parametrize("sharded", [False, True])
def test_an_absent_chunk_is_an_error_where_no_row_looks_like_the_fill_value(tmp_path: Path, sharded: bool) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=3)
    given = {"chunks": (4, 2), "shards": (8, 2)} if sharded else {"chunks": (8, 2)}
    draw = np.random.default_rng(0)
    root.create_array("data/action", data=draw.normal(size=(30, 2)), **given)
    flags = np.zeros((30, 2))
    flags[20:24] = 1
    root.create_array("data/contacts", data=flags, **given)
    root.create_array("meta/episode_ends", data=np.array([10, 20, 30]))
    assert validate(tmp_path / "foreign").ok
    assert "3 chunks are absent" in _found(validate(tmp_path / "foreign"), "warning", "data/contacts")
    (tmp_path / "foreign" / "data" / "action" / "c" / "1" / "0").unlink()
    report = validate(tmp_path / "foreign")
    assert "1 chunks are absent, the first of rows 8 to 15" in _found(report, "error", "data/action")
    assert "the 1 sound episodes" in report.summary


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_component_that_is_zero_in_absent_chunks_only_costs_no_episode(zarr_format: Any, tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=zarr_format)
    state = np.random.default_rng(0).normal(size=(75, 2)).astype(np.float32)
    root.create_array("data/action", data=state, chunks=(8, 2))
    state[:24, 1] = 0
    root.create_array("data/state", data=state, chunks=(8, 1), fill_value=0)
    root.create_array("meta/episode_ends", data=np.array([20, 50, 75]))
    report = validate(tmp_path / "foreign")
    assert report.ok
    assert "3 chunks are absent in some components, the first of rows 0 to 7" in _found(report, "warning", "data/state")
    for component in (0, 1):
        name = {2: f"3.{component}", 3: f"c/3/{component}"}[zarr_format]
        (tmp_path / "foreign" / "data" / "state" / name).unlink()
    assert "1 chunks are absent, the first of rows 24 to 31" in _found(
        validate(tmp_path / "foreign"), "error", "data/state"
    )


def test_rows_after_the_last_episode_and_missing_actions_are_seen(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    root.create_array("data/state", data=np.arange(30.0))
    root.create_array("meta/episode_ends", data=np.array([10, 20]))
    report = validate(tmp_path / "foreign")
    assert _found(report, "warning", "meta/episode_ends") == "10 rows after the last episode belong to none"
    assert _found(report, "error", "data/action") == "there are no actions"


def test_a_missing_array_of_ours_is_an_error(store: Path) -> None:
    shutil.rmtree(store / "data" / "state")
    assert "none that can be read" in _found(validate(store), "error", "data/state")


def test_the_published_demonstrations_are_sound(pusht_human: Path, pusht_store: Path) -> None:
    assert validate(pusht_store).ok
    with pytest.raises(InputError, match="nothing at this path"):
        validate(pusht_human.with_name("missing"))


def test_actors_and_qualities_without_meaning_are_named_with_their_episodes(
    tmp_path: Path, schema: Any, make_episode: Any
) -> None:
    schema = replace(schema, columns=(*schema.columns, ACTOR, QUALITY))
    standard = {"actor": np.arange(12, dtype=np.uint8) % 5, "quality": np.arange(12, dtype=np.uint16)}
    with Dataset.create(tmp_path / "store", schema) as dataset:
        dataset.extend([make_episode(number, data=standard) for number in range(3)])
    assert validate(tmp_path / "store").ok
    root = zarr.open_group(tmp_path / "store", mode="r+")
    root["data/actor"][14:16] = 9
    root["data/quality"][30] = 64
    report = validate(tmp_path / "store")
    assert _found(report, "error", "data/actor") == (
        "2 rows hold what has no meaning, the first 9 in row 14 (episode 1); "
        "expected 0 policy, 1 person, 2 script, 3 hold, 4 rewind"
    )
    assert "1 rows hold what has no meaning, the first 64 in row 30 (episode 2)" in _found(
        report, "error", "data/quality"
    )
    assert "of the 1 sound episodes" in report.summary
