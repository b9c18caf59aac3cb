"""Each rule finds the one episode that breaks it, and nothing in stores that are as they should be."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.checks.rules.thresholds import RULES, Thresholds
from data.checks.validate import validate
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec, to_json
from robot.errors import InputError
from tests.data.checks.rules.stores import BAD, EPISODES, ROWS, Build, only, rows_of

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
