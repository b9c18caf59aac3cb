"""trim and resample change which rows there are, and nothing of what they say: stamps, streams, outcomes stay true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks.validate import validate
from data.edit.grid import grid
from data.edit.resample import resample
from data.edit.trim import Idle, trim
from data.store.dataset import Dataset
from data.store.names import Quality
from robot.control.trajectory import Trajectory
from robot.description import ActionField, ActionSpec
from robot.errors import InputError
from tests.data.edit.conftest import PERIOD_NS, Build, digests, frames, names, rich_facts, rich_schema


def test_idle_ends_are_cut_and_what_stays_is_what_it_was(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), still=(6, 9), facts=lambda number: rich_facts(number, group=0, branched_at=10))
    outcome = trim(source, tmp_path / "target", idle=Idle(keep_s=0.2), episodes="0,2")
    old, new = Dataset.open(source), Dataset.open(tmp_path / "target")
    assert [len(new.episode(index)) for index in range(3)] == [30 - 5 - 7, 30, 30 - 5 - 7]
    before, after = old.episode(2), new.episode(2)
    kept = slice(5, 23)
    for name in ("joints", "wrist", "action", "time_ns", "actor", "intervention", "quality"):
        assert np.array_equal(after.data[name], before.data[name][kept]), name
    assert frames(tmp_path / "target", 2) == frames(source, 2)[kept]
    # The end of the task came in a row that is cut off: the last one that stays has it.
    assert after.data["reward"].tolist() == [0.0] * 17 + [1.0] and after.data["terminated"].tolist() == [False] * 17 + [
        True
    ]
    value, stamps = after.streams["wrench"]
    first, end = before.data["time_ns"][5], before.data["time_ns"][23]
    within = (before.streams["wrench"][1] >= first) & (before.streams["wrench"][1] < end)
    assert np.array_equal(stamps, before.streams["wrench"][1][within])
    assert np.array_equal(value, before.streams["wrench"][0][within])
    assert after.meta["started_ns"] == before.meta["started_ns"] + 5 * PERIOD_NS and after.meta["branched_at"] == 5
    assert digests(tmp_path / "target")[1] == digests(source)[1] and validate(tmp_path / "target").ok
    assert "  episode 0: 5 rows (0.50 s) at the start, 7 (0.70 s) at the end, of 30" in outcome.lines()


def test_one_end_alone_can_be_cut_and_samples_beyond_the_other_stay(build: Build, tmp_path: Path) -> None:
    source = build("source", [0], still=(6, 9))
    trim(source, tmp_path / "start", idle=Idle(keep_s=0, ends="start"))
    trim(source, tmp_path / "end", idle=Idle(keep_s=0, ends="end"))
    start, end, old = (Dataset.open(tmp_path / name).episode(0) for name in ("start", "end", "source"))
    assert (len(start), len(end)) == (30 - 7, 30 - 9)
    assert start.streams["wrench"][1][-1] == old.streams["wrench"][1][-1]
    assert end.streams["wrench"][1][0] == old.streams["wrench"][1][0]


def test_a_row_that_is_rewarded_is_not_cut_off_the_start(build: Build, tmp_path: Path) -> None:
    def reward(rows: dict[str, Any]) -> dict[str, Any]:
        rows["reward"][2] = 0.5
        return rows

    source = build("source", [0], still=(6, 0), change=reward)
    trim(source, tmp_path / "target", idle=Idle(keep_s=0))
    assert Dataset.open(tmp_path / "target").episode(0).data["reward"][0] == 0.5


def test_an_episode_in_which_nothing_moves_stays_whole_and_is_named(build: Build, tmp_path: Path) -> None:
    def rest(rows: dict[str, Any]) -> dict[str, Any]:
        return {**rows, "action": rows["action"] * 0} if rows["time_ns"][0] == 1000 * PERIOD_NS else rows

    outcome = trim(build("source", range(2), still=(6, 9), change=rest), tmp_path / "target")
    assert len(Dataset.open(tmp_path / "target").episode(0)) == 30
    assert any("episode 0 never moves, and stays whole" in line for line in outcome.lines())


@pytest.mark.parametrize(
    ("idle", "message"),
    [
        ({"keys": ("front",)}, "keys: 'front'.*got images"),
        ({"keys": ("acton",)}, "Did you mean 'action'"),
        ({"keys": ()}, "keys: expected at least one"),
        ({"tolerance": float("nan")}, "tolerance: expected a finite number"),
        ({"keep_s": -1.0}, "keep_s: expected a finite number, at least 0"),
        ({"ends": "middle"}, "ends: expected one of both, start, end"),
        ({"keep_s": 100.0}, "expected ends at which nothing of action moves for more than 100 s, got none"),
    ],
)
def test_a_trim_that_cannot_be_is_refused(build: Build, tmp_path: Path, idle: dict[str, Any], message: str) -> None:
    source = build("source", [0], still=(6, 9))
    with pytest.raises(InputError, match=message):
        trim(source, tmp_path / "target", idle=Idle(**idle))
    assert names(tmp_path) == ["source"]


def test_samples_without_stamps_of_the_rows_are_refused(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    schema = replace(full, columns=tuple(each for each in full.columns if each.name != "time_ns"))
    with pytest.raises(InputError, match="expected the column 'time_ns'"):
        with Dataset.create(tmp_path / "source", schema) as dataset, dataset.writer() as writer:
            from tests.data.edit.conftest import rich_rows

            writer.add({name: rows for name, rows in rich_rows(0).items() if name != "time_ns"})
            writer.commit(rich_facts(0))
        trim(tmp_path / "source", tmp_path / "target")


def test_half_the_rows_have_what_was_seen_at_their_stamps_and_the_targets_of_their_ends(
    build: Build, tmp_path: Path
) -> None:
    source = build("source", range(2), facts=lambda number: rich_facts(number, group=0, branched_at=7))
    outcome = resample(source, tmp_path / "target", period_s=0.2)
    old, new = (Dataset.open(path).episode(1) for path in (source, tmp_path / "target"))
    assert len(new) == 15 and Dataset.open(tmp_path / "target").period_s == 0.2
    for name in ("joints", "wrist", "time_ns"):
        assert np.array_equal(new.data[name], old.data[name][::2]), name
    assert frames(tmp_path / "target", 1) == frames(source, 1)[::2]
    assert np.array_equal(new.data["action"], old.data["action"][1::2])
    assert new.data["reward"].tolist() == [0.0] * 14 + [1.0] and new.data["terminated"].tolist() == [False] * 14 + [
        True
    ]
    # A person had rows 15 to 17, and row 4 was taken back.
    assert (
        np.flatnonzero(new.data["intervention"]).tolist() == [7, 8] == np.flatnonzero(new.data["actor"] == 1).tolist()
    )
    assert np.flatnonzero(new.data["quality"] & Quality.REWOUND).tolist() == [2]
    assert new.meta["branched_at"] == 3  # rows 6 and 7 make one, and 7 is of this episode alone
    for part in (0, 1):
        assert np.array_equal(new.streams["wrench"][part], old.streams["wrench"][part])
    assert validate(tmp_path / "target").ok
    assert "  interpolated: arm, gripper" in outcome.lines()


def test_twice_the_rows_lie_on_the_path_that_the_gate_moves_on(build: Build, tmp_path: Path) -> None:
    source = build("source", [0])
    resample(source, tmp_path / "target", period_s=0.05)
    old, new = (Dataset.open(path).episode(0) for path in (source, tmp_path / "target"))
    assert len(new) == 60 and new.data["reward"].sum() == 1 and new.data["reward"][-1] == 1
    assert np.array_equal(new.data["joints"], np.repeat(old.data["joints"], 2, axis=0))
    assert np.array_equal(new.data["action"][1::2], old.data["action"])
    middle = (old.data["action"][:-1] + old.data["action"][1:]) / 2
    assert np.allclose(new.data["action"][2::2], middle, atol=1e-6)
    interpolated = (new.data["quality"] & Quality.INTERPOLATED) != 0
    assert interpolated.tolist() == [True, False] * 30
    assert np.flatnonzero(new.data["quality"] & Quality.REWOUND).tolist() == [8, 9]
    resample(tmp_path / "target", tmp_path / "back", period_s=0.1)
    back = Dataset.open(tmp_path / "back").episode(0)
    for name in ("joints", "action", "time_ns", "actor", "reward", "terminated", "intervention"):
        assert np.array_equal(back.data[name], old.data[name]), name


def test_rotations_take_the_shorter_arc_and_native_actions_are_held(build: Build, tmp_path: Path) -> None:
    action = ActionSpec((ActionField("tcp.rotation", 6, "1", "pose"), ActionField("own", 2, "1", "native")), 0.1)
    turns = np.linspace(0, 1.5, 30)

    def turn(rows: dict[str, Any]) -> dict[str, Any]:
        zero = np.zeros(30)
        rotation = np.stack([np.cos(turns), np.sin(turns), zero, -np.sin(turns), np.cos(turns), zero], axis=1)
        own = np.stack([np.arange(30), -np.arange(30)], axis=1)
        return {**rows, "action": np.concatenate([rotation, own], axis=1).astype(np.float32)}

    source = build("source", [0], schema=rich_schema(action=action), change=turn)
    outcome = resample(source, tmp_path / "target", period_s=0.05)
    new = Dataset.open(tmp_path / "target").episode(0).data["action"]
    angles = np.arctan2(new[:, 1], new[:, 0])
    assert np.allclose(angles[1::2], turns, atol=1e-5)
    assert np.allclose(angles[2::2], (turns[:-1] + turns[1:]) / 2, atol=1e-5)
    assert new[:, 6].tolist() == np.repeat(np.arange(30.0), 2).tolist()
    assert any(line.startswith("  held: own") for line in outcome.lines())


def test_no_row_is_made_up_in_a_gap(build: Build, tmp_path: Path) -> None:
    def pause(rows: dict[str, Any]) -> dict[str, Any]:
        late = np.where(np.arange(30) >= 10, 20 * PERIOD_NS, 0)
        rows["quality"][10] = Quality.GAP
        return {**rows, "time_ns": rows["time_ns"] + late}

    source = build("source", [0], change=pause)
    resample(source, tmp_path / "target", period_s=0.05)
    old, new = (Dataset.open(path).episode(0) for path in (source, tmp_path / "target"))
    assert len(new) == 60
    steps = np.diff(new.data["time_ns"])
    assert sorted(set(steps.tolist())) == [PERIOD_NS // 2, PERIOD_NS // 2 + 20 * PERIOD_NS]
    assert np.flatnonzero(new.data["quality"] & Quality.GAP).tolist() == [20]
    assert np.array_equal(new.data["action"][20], old.data["action"][10])  # nothing leads to it


def test_the_hash_of_a_contract_is_of_its_period_too(build: Build, tmp_path: Path) -> None:
    from robot.description import fingerprint

    semantic = {"robot": "arm", "period_s": 0.1}
    known = {"contract": {"name": "arm", "semantic_hash": fingerprint(semantic), "semantic": semantic}}
    resample(build("one", [0], rows=4, attributes=known), tmp_path / "known", period_s=0.2)
    contract = Dataset.open(tmp_path / "known").attributes["contract"]
    assert contract["semantic_hash"] == fingerprint({"robot": "arm", "period_s": 0.2})
    alone = {"contract": {"name": "arm", "semantic_hash": fingerprint(semantic)}}
    outcome = resample(build("two", [0], rows=4, attributes=alone), tmp_path / "alone", period_s=0.2)
    assert "contract" not in Dataset.open(tmp_path / "alone").attributes
    assert any("no contract any more" in line for line in outcome.lines())


@pytest.mark.parametrize("period_s", [0.1, 0.0, -1.0, float("nan"), 1e-9, 1e9])
def test_a_period_that_is_none_is_refused(build: Build, tmp_path: Path, period_s: float) -> None:
    source = build("source", [0], rows=4)
    with pytest.raises(InputError, match=r"period_s: expected another period than 0\.1 s"):
        resample(source, tmp_path / "target", period_s=period_s)
    assert names(tmp_path) == ["source"]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.integers(20_000_000, 320_000_000), min_size=0, max_size=40),
    period_s=st.floats(0.004, 1.0),
)
def test_new_rows_see_the_newest_row_and_lose_none(steps: list[int], period_s: float) -> None:
    stamps = np.cumsum([7, *steps]).astype(np.int64)
    laid = grid(stamps, 0.1, period_s)
    assert laid.times_ns[0] == stamps[0] and (np.diff(laid.times_ns) > 0).all()
    newest = np.searchsorted(stamps, laid.times_ns + 1_000, side="right") - 1
    assert np.array_equal(laid.seen, newest)
    assert (laid.seen <= laid.last).all() and (laid.end_ns > laid.times_ns).all()
    # Every new row lies where a row is in force, and every row has one new row in which its outcome counts.
    assert (laid.times_ns <= laid.rows_end_ns[laid.seen]).all()
    assert len(laid.credited) == len(stamps) and (np.diff(laid.credited) >= 0).all()
    assert laid.credited[0] >= 0 and laid.credited[-1] == len(laid) - 1
    assert (np.diff(laid.last) >= 0).all() and laid.last[-1] == len(stamps) - 1


@settings(max_examples=30, deadline=None)
@given(times=st.integers(2, 7), rows=st.integers(1, 30), seed=st.integers(0, 99))
def test_finer_rows_are_points_of_the_path(times: int, rows: int, seed: int) -> None:
    spec = ActionSpec((ActionField("arm", 2, "rad", "joint"),), 0.1)
    stamps = np.arange(rows, dtype=np.int64) * PERIOD_NS
    laid = grid(stamps, 0.1, 0.1 / times)
    assert len(laid) == rows * times
    targets = np.random.default_rng(seed).normal(size=(rows, 2))
    reached = Trajectory(spec, laid.rows_end_ns, targets).at(laid.end_ns)
    assert np.allclose(reached[times - 1 :: times], targets, atol=1e-4)


def test_the_rows_between_two_idle_ends_all_stay_whatever_the_tolerance(build: Build, tmp_path: Path) -> None:
    def one_step(rows: dict[str, Any]) -> dict[str, Any]:
        action = np.zeros((30, 4), np.float32)
        action[10], action[11:] = 2.0, 1.0  # away, and half the way back
        return {**rows, "action": action}

    source = build("source", [0], change=one_step)
    trim(source, tmp_path / "target", idle=Idle(tolerance=1.5, keep_s=0))
    kept = Dataset.open(tmp_path / "target").episode(0).data["action"][:, 0].tolist()
    assert kept[0] == 2.0 and len(kept) == 1
    trim(source, tmp_path / "finer", idle=Idle(tolerance=0.5, keep_s=0))
    assert Dataset.open(tmp_path / "finer").episode(0).data["action"][:, 0].tolist() == [2.0, 1.0]
