"""Each rule finds the one episode that breaks it, and nothing in stores that are as they should be."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.checks.rules.thresholds import RULES, Thresholds
from data.checks.validate import validate
from data.edit.repair import repair
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.images.shards import checked, pack_shard
from data.store.schema import ColumnField, Schema
from robot.contract.loading import hashes, load_contract
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec, to_json
from robot.errors import InputError
from tests.data.checks.rules.stores import EPISODES, PERIOD_S, ROWS, Build, jpegs, only, rows_of

BAD = 3  # the episode that is spoilt
DEMONSTRATIONS = Path(__file__).parents[4] / "artifacts"


def _spoil(key: str, rows: slice, value: Any) -> Any:
    def change(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data[key][rows] = value(data[key]) if callable(value) else value

    return change


def test_a_clean_store_has_no_findings(build: Build) -> None:
    report = validate(build())
    assert report.findings == () and report.ok


@pytest.mark.parametrize("task", ["twin_lift", "twin_peg", "twin_drawer", "robosuite_lift", "metaworld_pick_place"])
def test_demonstrations_of_our_experts_give_no_alarm(task: str) -> None:
    store = DEMONSTRATIONS / task / "demonstrations"
    if not (store / "zarr.json").is_file():
        pytest.skip(f"no {store}: 'make artifacts' collects it")
    assert not [finding for finding in validate(store).findings if finding.severity != "note"]


def test_the_published_human_demonstrations_give_no_alarm(pusht_store: Path) -> None:
    assert [finding for finding in validate(pusht_store).findings if finding.rule] == []


@pytest.mark.parametrize("camera", ["front.image", "side.image"])
def test_a_camera_that_freezes_while_the_robot_moves(camera: str, build: Build) -> None:
    def freeze(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data[camera][20:40] = [data[camera][20]] * 20

    store = build(freeze)
    finding = only(validate(store))
    assert (finding.rule, finding.where, finding.severity) == ("frozen", f"data/{camera}", "warning")
    assert (finding.episode, finding.row) == (BAD, BAD * ROWS + 20) and finding.second == pytest.approx(1.0)
    assert "the same image for 20 rows (1.00 s)" in finding.message and "moves over" in finding.message
    assert validate(store, Thresholds(frozen_s=1.1)).findings == ()


def test_a_camera_may_show_the_same_while_nothing_moves(build: Build) -> None:
    def rest(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        for key in data:
            if key != "time_ns":
                data[key][20:40] = [data[key][20]] * 20

    assert validate(build(rest)).findings == ()


def test_images_of_another_size_spoil_their_episode(build: Build) -> None:
    store = build()
    shard = store / "data" / "front.image" / "c.0.0.0.0"
    # A camera whose size changed in the middle: rows of both, in a shard that is sound.
    small = [bytes(each) for each in jpegs(np.random.default_rng(1), EPISODES * ROWS)]
    large = jpegs(np.random.default_rng(2), 10, 64)
    first = BAD * ROWS + 12
    mixed = [checked(image) for image in (*small[:first], *large, *small[first + 10 :])]
    shard.write_bytes(pack_shard(mixed, 512))
    report = validate(store)
    finding = only(report)
    assert (finding.rule, finding.severity, finding.episode, finding.row) == ("camera", "error", BAD, first)
    assert finding.second == pytest.approx(12 * PERIOD_S)
    assert "10 images" in finding.message and "64 x 64 pixels" in finding.message and "32 x 32" in finding.message
    repaired = repair(store, store.parent / "repaired")
    assert [each.where for each in repaired.findings] == [f"episode {BAD}"]
    assert validate(store.parent / "repaired").ok


def test_a_camera_that_encodes_otherwise_from_an_episode_on(build: Build) -> None:
    def other(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number >= BAD:
            data["front.image"] = jpegs(np.random.default_rng(number), ROWS, quality=50)

    finding = only(validate(build(other)))
    assert (finding.rule, finding.where, finding.episode) == ("camera", "data/front.image", BAD)
    assert finding.second == 0 and "quantisation" in finding.message


def test_episodes_recorded_with_other_parameters_are_named(build: Build) -> None:
    def recording(number: int) -> str:
        return json.dumps({"contract": {"name": "lab", "operational_hash": "a" if number < BAD else "b"}})

    finding = only(validate(build(recording=recording)))
    assert (finding.rule, finding.where, finding.episode) == ("camera", "meta/recording", BAD)
    assert "contract lab (b)" in finding.message


@pytest.mark.parametrize("fact", ["[" * 100_000, '{"contract": 3}', "\x1b[2J", '{"contract": {"name": {}}}'])
def test_what_a_recording_says_may_be_anything(fact: str, build: Build) -> None:
    assert validate(build(recording=lambda number: fact)).findings == ()


def test_a_gap_between_rows_is_named_with_its_second(build: Build) -> None:
    def late(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data["time_ns"][30:] += 200_000_000
            stamps = streams["wrench"][1]
            stamps[30 * 5 :] += 200_000_000

    store = build(late)
    rows, samples = validate(store).findings
    assert (rows.rule, rows.where, rows.episode, rows.row) == ("gap", "data/time_ns", BAD, BAD * ROWS + 30)
    assert rows.second == pytest.approx(30 * PERIOD_S + 0.2) and "the worst 0.250 s" in rows.message
    assert (samples.rule, samples.where) == ("gap", "streams/wrench/time_ns")
    assert samples.second == pytest.approx(30 * PERIOD_S + 0.2)
    assert validate(store, Thresholds(gap_periods=6)).findings == ()
    assert validate(store, Thresholds(ignore=("gap",))).findings == ()


def test_rows_at_another_rate_than_the_control_period(build: Build) -> None:
    def slow(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            for stamps in (data["time_ns"], streams["wrench"][1]):
                stamps[:] = stamps[0] + ((stamps - stamps[0]) * 1.2).astype(np.int64)

    finding = only(validate(build(slow)))
    assert (finding.rule, finding.episode) == ("rate", BAD) and "every 0.06 s" in finding.message


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_stream_whose_clock_runs_differently(factor: float, build: Build) -> None:
    def drift(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            stamps = streams["wrench"][1]
            stamps[:] = stamps[0] + ((stamps - stamps[0]) * factor).astype(np.int64)

    store = build(drift)
    finding = only(validate(store))
    assert (finding.rule, finding.where, finding.episode) == ("drift", "streams/wrench/time_ns", BAD)
    assert finding.second == pytest.approx((ROWS - 1) * PERIOD_S)
    assert f"{'before' if factor < 1 else 'after'} the last one" in finding.message
    assert validate(store, Thresholds(drift_periods=7)).findings == ()


def test_a_stream_that_begins_late_and_one_without_samples(build: Build) -> None:
    def cut(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        value, stamps = streams["wrench"]
        if number == BAD:
            streams["wrench"] = value[50:], stamps[50:]
        if number == BAD + 1:
            streams["wrench"] = value[:0], stamps[:0]

    late, none = validate(build(cut)).findings
    assert (late.rule, late.episode, late.second) == ("drift", BAD, 0) and "begin 0.500 s after" in late.message
    assert (none.rule, none.episode) == ("drift", BAD + 1) and "no samples" in none.message


def test_a_stream_may_begin_before_its_rows_and_go_on_after_them(build: Build) -> None:
    def longer(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        value, stamps = streams["wrench"]
        step = int(stamps[1] - stamps[0])
        before, after = (stamps[0] - step * np.arange(60, 0, -1)), stamps[-1] + step * np.arange(1, 61)
        streams["wrench"] = np.concatenate([value[:60], value, value[:60]]), np.concatenate([before, stamps, after])

    assert validate(build(longer)).findings == ()


def test_an_episode_in_which_mostly_nothing_happens(build: Build) -> None:
    def idle(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            for key in ("tcp.position", "gripper.width", "action"):
                data[key][20:] = data[key][19]

    store = build(idle)
    finding = only(validate(store))
    assert (finding.rule, finding.episode, finding.second) == ("idle", BAD, pytest.approx(1.0))
    assert "68% of its 60 rows" in finding.message and "40 rows (2.0 s) from row 200 on" in finding.message
    assert validate(store, Thresholds(idle_share=0.7)).findings == ()


def test_an_action_that_jumps_and_comes_back(build: Build) -> None:
    store = build(_spoil("action", slice(25, 26), lambda action: action[25] + np.float32([0.3, 0, 0, 0])))
    finding = only(validate(store))
    assert (finding.rule, finding.where, finding.episode) == ("jump", "data/action", BAD)
    assert finding.row in (BAD * ROWS + 25, BAD * ROWS + 26) and finding.second == pytest.approx(1.25, abs=0.051)
    assert "'tcp.position' steps by 0.3" in finding.message and " m in row" in finding.message
    assert validate(store, Thresholds(jump=100)).findings == ()


@pytest.mark.parametrize(("unit", "kind", "found"), [("rad", "native", 0), ("rad", "joint", 1), ("1", "native", 1)])
def test_an_angle_may_wrap_around_where_no_joint_does(unit: str, kind: str, found: int, tmp_path: Path) -> None:
    field = ObservationField("state", (1,), "float32", "1", "state")
    schema = Schema(ObservationSpec((field,)), ActionSpec((ActionField("turn", 1, unit, kind),), 0.1), 0.1)
    with Dataset.create(tmp_path / "store", schema) as dataset:
        for number in range(6):
            angle = np.linspace(-0.8, 0.9, 50)[:, None].astype(np.float32) + np.float32(number / 100)
            if number == BAD:
                angle[25:] -= np.float32(2 * np.pi)
            dataset.append(Episode({"state": angle, "action": angle}))
    rules = [finding.rule for finding in validate(tmp_path / "store").findings]
    assert rules == ["jump"] * found


CONTRACT = {
    "name": "lab",
    "operational_hash": "1",
    "semantic_hash": "2",
    "semantic": {"robot": "panda"},
    "operational": {"limits": {"tcp": {"workspace": {"low": [-0.2, -0.2, -0.2], "high": [0.2, 0.2, 0.2]}}}},
}


def test_a_target_outside_of_the_workspace_on_record(build: Build) -> None:
    change = _spoil("action", slice(30, 50), lambda action: action[30:50] + np.float32([0.35, 0, 0, 0]))
    report = validate(build(change, {"contract": CONTRACT}), Thresholds(ignore=("jump",)))
    finding = only(report)
    assert (finding.rule, finding.where, finding.episode) == ("limit", "data/action", BAD)
    assert "'tcp.position'" in finding.message and "-0.2 to 0.2 (contract lab)" in finding.message


def test_a_gripper_wider_than_the_robot_of_the_contract_on_record(build: Build) -> None:
    change = _spoil("action", slice(0, 2), np.float32([0, 0, 0, 8.0]))
    store = build(change, {"contract": hashes(load_contract("panda_twin"))})
    finding = only(validate(store, Thresholds(ignore=("jump",))))
    assert (finding.rule, finding.episode, finding.second) == ("limit", BAD, 0)
    assert "'gripper.width' is 8" in finding.message and "contract panda_twin" in finding.message


def test_a_limit_that_a_person_gives(build: Build) -> None:
    store = build()
    findings = validate(store, Thresholds(limits={"gripper.width": (0.0, 0.05)}, errors=("limit",))).findings
    assert {(each.rule, each.severity) for each in findings} == {("limit", "error")}
    assert {each.where for each in findings} == {"data/gripper.width", "data/action"}
    assert {each.episode for each in findings} == set(range(EPISODES))
    assert validate(store, Thresholds(limits={"gripper.width": (0.0, 0.08)})).findings == ()
    with pytest.raises(InputError, match=r"limits\.griper.width: .*Did you mean 'gripper\.width'"):
        validate(store, Thresholds(limits={"griper.width": (0.0, 1.0)}))
    with pytest.raises(InputError, match="lowest, highest"):
        Thresholds(limits={"gripper.width": (1.0, 0.0)})


@pytest.mark.parametrize(
    "contract",
    [
        "text",
        {"name": "../../etc/passwd", "operational_hash": "x"},
        {"name": ["panda_twin"]},
        {**CONTRACT, "semantic": {"robot": "../../../etc/passwd"}},
        {**CONTRACT, "operational": {"limits": {"tcp": {"workspace": {"low": "abc", "high": [1]}}}}},
        {**CONTRACT, "operational": {"limits": {"tcp": 7, "joints": "x"}}},
    ],
)
def test_a_contract_on_record_may_be_anything(contract: Any, build: Build) -> None:
    report = validate(build(attributes={"contract": contract}))
    assert {finding.severity for finding in report.findings} <= {"note"}


def test_an_episode_that_is_there_twice(build: Build) -> None:
    def double(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            shift = data["time_ns"][0] - 10**10
            again, samples = rows_of(1)
            data.update(again, time_ns=again["time_ns"] + shift)
            streams.update({"wrench": (samples["wrench"][0], samples["wrench"][1] + shift)})

    finding = only(validate(build(double)))
    assert (finding.rule, finding.episode) == ("doubled", BAD) and "episode 1" in finding.message


def test_thresholds_are_json_and_their_rules_are_known() -> None:
    assert set(to_json(Thresholds())["ignore"]) == set()
    with pytest.raises(InputError, match="Did you mean 'frozen'"):
        Thresholds(ignore=("frozn",))
    Thresholds(ignore=tuple(RULES), errors=tuple(RULES))


def test_many_findings_of_a_rule_are_counted(build: Build) -> None:
    report = validate(build(), Thresholds(limits={"tcp.position": (-0.001, 0.001)}))
    assert report.count("warning") == 2 * EPISODES and len(report.to_json()["findings"]) == 2 * EPISODES


def test_a_foreign_store_is_judged_in_rows(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    draw = np.random.default_rng(0)
    state = np.concatenate([np.sin(np.arange(50) / 5 + number)[:, None] for number in range(6)]).astype(np.float32)
    images = draw.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    images[160:180] = images[160]
    root.create_array("data/action", data=state)
    root.create_array("data/state", data=state)
    root.create_array("data/img", data=images, chunks=(7, 32, 32, 3))
    root.create_array("meta/episode_ends", data=np.arange(50, 301, 50))
    report = validate(tmp_path / "foreign")
    (finding,) = [finding for finding in report.findings if finding.rule]
    assert (finding.rule, finding.episode, finding.row, finding.second) == ("frozen", 3, 160, None)
    known = validate(tmp_path / "foreign", Thresholds(period_s=0.1))
    assert [each.second for each in known.findings if each.rule] == [pytest.approx(1.0)]
    assert [each for each in validate(tmp_path / "foreign", Thresholds(period_s=0.01)).findings if each.rule] == []


def test_small_encoded_images_that_are_no_observation_are_images_too(tmp_path: Path) -> None:
    field = ObservationField("state", (1,), "float32", "1", "state")
    action = ActionSpec((ActionField("target", 1, "1", "native"),), 0.1)
    mask = ColumnField("mask", (8, 8), "uint8", "1")
    schema = Schema(ObservationSpec((field,)), action, 0.1, columns=(mask,), encodings={"mask": Encoding("png")})
    with Dataset.create(tmp_path / "store", schema) as dataset:
        for number in range(6):
            rows = np.sin(np.arange(40)[:, None] / 8 + number).astype(np.float32)
            masks = np.random.default_rng(number).integers(0, 2, (40, 8, 8), dtype=np.uint8)
            masks[10:30] = masks[10] if number == BAD else masks[10:30]
            dataset.append(Episode({"state": rows, "action": rows, "mask": masks}))
    finding = only(validate(tmp_path / "store"))
    assert (finding.rule, finding.where, finding.episode) == ("frozen", "data/mask", BAD)
    assert validate(tmp_path / "store", decode=True).findings == (finding,)


def test_an_array_narrower_than_its_limits_is_an_error_and_no_crash(build: Build) -> None:
    store = build(attributes={"contract": CONTRACT})
    metadata = store / "data" / "tcp.position" / "zarr.json"
    shutil.rmtree(store / "data" / "action")
    shutil.copytree(store / "data" / "tcp.position", store / "data" / "action")
    assert metadata.is_file()
    report = validate(store, Thresholds(limits={"action": (0.0, 1.0)}))
    assert any("by the schema" in finding.message for finding in report.findings if finding.severity == "error")


def test_numbers_as_large_as_they_get_are_judged(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    rows = np.random.default_rng(0).choice([-1.7e308, 1.7e308, np.nan, np.inf], (60, 2))
    root.create_array("data/action", data=rows)
    root.create_array("data/state", data=rows)
    root.create_array("meta/episode_ends", data=np.arange(10, 61, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = validate(tmp_path / "foreign")
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert [finding.where for finding in errors] == ["data/action", "data/state"]
    assert errors[0].episode == 0 and "repair" in errors[0].way_out
