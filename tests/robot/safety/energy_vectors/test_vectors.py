"""The committed vectors are what the filters do now, by both paths, and hold what they claim to hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from benchmarks.energy_cases.encoding import budget_of, differences, number, numbers, plain
from benchmarks.passivity_vectors import FILES, PAGE, VECTORS, made, read, stale, with_table
from robot.safety.energy import REASONS, worst_case
from robot.safety.energy.torque.filter import PATHS

TORQUE_REASONS = {
    "a full tank lets all through": "",
    "too much power": "power",
    "nearly at the reserve": "tank",
    "at the reserve": "tank",
    "empty": "tank",
    "below nothing": "tank",
    "an empty tank lets brake": "",
    "a tank below nothing lets brake": "",
    "braking may use the reserve": "",
    "braking that may turn takes nothing of an empty tank": "tank",
    "no torque from an empty tank": "",
    "more than the drives give is no reason": "",
    "a budget without limits": "",
    "a torque that is none": "invalid",
    "an endless torque": "invalid",
    "a velocity that is none": "invalid",
    "latched before": "invalid",
}
OFFSET_REASONS = {
    "a small step": "",
    "the same pair costs nothing, whatever the latency": "",
    "towards the tool costs nothing": "",
    "onto the tool": "",
    "beyond the leash": "leash",
    "beyond the tank": "tank",
    "beyond the power": "power",
    "too far only by the latency": "latency",
    "stiffer is too much": "tank",
    "too strong": "force",
    "too strong because stiffer": "force",
    "no limits": "",
    "a set-point that is none": "invalid",
}


def by_name(file: str) -> dict[str, Any]:
    return {case["name"]: case for case in read(file)}


def torque_steps() -> Iterator[tuple[dict[str, Any], dict[str, Any], float]]:
    """Case, step and level of the tank before it, of all steps of the torque filter."""
    for file in ("torque_filter", "torque_runs"):
        for case in read(file):
            level = number(case["level_j"])
            for step in case["steps"]:
                yield case, step, level
                level = number(step["expect"].get("level_j", level))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("file", FILES)
def test_the_committed_vectors_are_what_the_code_gives(file, path):
    for case in read(file):
        assert not list(differences(plain(FILES[file].run(case, path)), case)), case["name"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("file", FILES)
def test_fixed_seeds_make_the_committed_vectors_again(file, path):
    assert not list(differences(made(FILES[file], path), read(file)))


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_json_that_any_reader_takes(file):
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    json.loads((VECTORS / f"{file}.json").read_text(encoding="utf-8"), parse_constant=refuse)
    names = [case["name"] for case in read(file)]
    assert len(set(names)) == len(names)


def test_every_reason_has_a_case():
    torque = {step["expect"]["reason"] for _, step, _ in torque_steps()}
    assert torque == {"", "tank", "power", "invalid"}
    assert {case["expect"]["reason"] for case in read("setpoint_acceptance")} == set(REASONS)
    runs = {step["expect"]["reason"] for case in read("setpoint_runs") for step in case["steps"]}
    assert runs >= {"", "tank", "leash", "force", "latency", "invalid"}


def test_every_size_has_cases():
    assert {len(step["torque"]) for _, step, _ in torque_steps()} == set(range(1, 8))
    acceptances = read("setpoint_acceptance")
    assert {len(case["offset"]) for case in acceptances} == set(range(1, 7))
    assert {len(case["blocks"]) for case in acceptances} == {1, 2}
    assert {(len(case["setpoint"]), case["measured"]) for case in read("setpoint_runs")} == {
        (m, measured) for m in range(1, 7) for measured in (True, False)
    }
    assert any(case["latency_s"] > 0 for case in read("setpoint_runs"))


@pytest.mark.parametrize("file, reasons", [("torque_filter", TORQUE_REASONS), ("setpoint_acceptance", OFFSET_REASONS)])
def test_cases_end_as_their_names_say(file, reasons):
    cases = by_name(file)
    for name, reason in reasons.items():
        assert (cases[name]["steps"][0] if "steps" in cases[name] else cases[name])["expect"]["reason"] == reason, name


def test_no_expected_torque_may_take_more_than_its_tank_allows():
    changed = 0
    for case, step, level in torque_steps():
        budget, torque = budget_of(case["budget"]), numbers(step["expect"]["torque"])
        if step["expect"]["reason"] == "invalid":
            assert step["expect"]["latched"] and not torque.any()
            continue
        velocity = numbers(step["velocity"])
        most = worst_case(torque[None], velocity[None], case["period_s"], numbers(case["acceleration"]))[0]
        allowed = (
            min(budget.gamma * max(level - budget.reserve_j, 0), budget.power_w * case["period_s"])
            if torque @ velocity >= 0
            else 0.5 * max(level, 0)
        )
        assert most <= allowed + 1e-12, case["name"]
        assert (torque >= numbers(case["low"])).all() and (torque <= numbers(case["high"])).all(), case["name"]
        if not step["expect"]["reason"]:
            assert np.array_equal(torque, np.clip(numbers(step["torque"]), numbers(case["low"]), numbers(case["high"])))
        changed += bool(step["expect"]["reason"])
    assert changed > 100


def test_no_expected_set_point_holds_more_or_pushes_harder_than_it_may():
    drawn = 0
    for case in read("setpoint_acceptance"):
        if case["expect"]["reason"] == "invalid":
            continue
        stiffness = numbers(case["stiffness"]) * case["expect"]["stiffness"]
        offset = numbers(case["offset"]) * case["expect"]["offset"]
        first = slice(0, case["blocks"][0])
        assert np.linalg.norm((stiffness @ offset)[first]) <= number(case["force_n"]) * (1 + 1e-12), case["name"]
        assert 0.5 * offset @ stiffness @ offset <= number(case["spring_j"]) + 1e-11, case["name"]
        drawn += bool(case["expect"]["reason"])
    assert drawn > 30


def test_runs_overdraw_only_where_a_joint_leaves_the_set():
    for case in read("torque_runs"):
        level, half = number(case["level_j"]), 0.5 * case["period_s"] ** 2
        for k, step in enumerate(case["steps"]):
            way = numbers(step["after"]) - numbers(step["before"])
            strays = (
                np.abs(way - case["period_s"] * numbers(step["velocity"]))
                > half * numbers(case["acceleration"]) * (1 + 1e-6) + 1e-11
            )
            assert strays.any() == (k in (17, 18)), (case["name"], k)
            after = number(step["expect"]["level_j"])
            assert (
                after >= min(level, number(case["budget"]["reserve_j"])) - 1e-12
                or strays.any()
                or numbers(step["expect"]["torque"]) @ numbers(step["velocity"]) < 0
            ), (case["name"], k)
            level = after


def test_a_vector_that_was_changed_is_found(tmp_path: Path):
    folder = tmp_path / "vectors"
    shutil.copytree(VECTORS, folder)
    assert not list(stale(folder))
    path = folder / "torque_filter.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    changed = told["cases"][4]
    changed["steps"][0]["expect"]["torque"][1] += 1e-9
    path.write_text(json.dumps(told), encoding="utf-8")
    (line,) = stale(folder)
    assert line.startswith(f"torque_filter.json: {changed['name']}.steps[0].expect.torque[1]")
    told["cases"].pop()
    path.write_text(json.dumps(told), encoding="utf-8")
    assert list(stale(folder)) == ["torque_filter.json: other cases"]


def test_the_page_shows_the_budgets_as_they_are():
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page
