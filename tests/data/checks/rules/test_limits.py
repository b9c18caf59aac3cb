"""Values outside of declared limits."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from data.checks.rules.thresholds import Thresholds
from data.checks.validate import validate
from robot.contract.loading import hashes, load_contract
from robot.errors import InputError
from tests.data.checks.rules.stores import BAD, EPISODES, Build, only


def _spoil(key: str, rows: slice, value: Any) -> Any:
    def change(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data[key][rows] = value(data[key]) if callable(value) else value

    return change


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


def test_an_array_narrower_than_its_limits_is_an_error_and_no_crash(build: Build) -> None:
    store = build(attributes={"contract": CONTRACT})
    metadata = store / "data" / "tcp.position" / "zarr.json"
    shutil.rmtree(store / "data" / "action")
    shutil.copytree(store / "data" / "tcp.position", store / "data" / "action")
    assert metadata.is_file()
    report = validate(store, Thresholds(limits={"action": (0.0, 1.0)}))
    assert any("by the schema" in finding.message for finding in report.findings if finding.severity == "error")
