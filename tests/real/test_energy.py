"""A budget of energy in a running graph: an arm that is told into the table presses no harder than it may, and all are
told what is enforced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from robot.contract.loading import contract_folder
from robot.safety.energy import load_budget
from tests.real.graph_rig import View, graph_and_view, patient
from tests.real.motions import Script

STIFFNESS = 1000.0  # N/m, of the twin's springs
DEEP_M = 0.08  # below the table


def sinks_of(contract: str, **budgets: str) -> dict:
    """The sinks of a shipped contract with other budgets."""
    sinks = yaml.safe_load((contract_folder() / f"{contract}.yaml").read_text())["sinks"]
    for name, budget in budgets.items():
        sinks[name]["energy"]["budget"] = budget
    return sinks


@pytest.fixture
def view(domain: int, tmp_path: Path, contract: str, budgets: dict) -> Iterator[View]:
    limits = {"tracking": {"arm": None, "gripper": None}, "capsules": False}
    deployment = Deployment(
        patient(contract, tmp_path, limits=limits, sinks=sinks_of(contract, **budgets)),
        twin=True,
        parameters={"twin": {"images": False}},
    )
    with graph_and_view(deployment, domain, tmp_path) as (_, found):
        found.begin()
        yield found


def press(view: View) -> None:
    """Have a policy tell the arm into the table, slowly, until its springs are as far apart as they get."""
    with Script(view) as script:
        goal = script.start.copy()
        goal[2] = -DEEP_M
        start, begun_ns = script.start.copy(), view.now_ns

        def rows(start_ns: int, rows: int = 16) -> np.ndarray:
            ends = (start_ns - begun_ns + view.spec.period_ns * np.arange(1, rows + 1)) * 1e-9
            return start + np.clip(ends * 0.05 / (start[2] + DEEP_M), 0, 1)[:, None] * (goal - start)

        script.rows = rows  # type: ignore[method-assign]
        seconds = (start[2] + DEEP_M) / 0.05 + 1.0
        view.until(lambda: (view.now_ns - begun_ns) * 1e-9 > seconds, "the end of the path", 60.0)
        assert view.said[-1] == "run policy"


def push_n(view: View) -> float:
    """Force of the spring between the newest command and the newest pose."""
    return STIFFNESS * float(np.linalg.norm(view.sent[-1].target[:3] - view.poses[-1][1]))


@pytest.mark.parametrize(
    "contract, budgets",
    [("panda_twin_crisp", {"arm": "near"}), pytest.param("panda_twin_crisp", {"arm": "free"}, marks=pytest.mark.slow)],
)
def test_an_arm_behind_crisp_presses_no_harder_on_the_table_than_its_budget_says(view: View, budgets: dict) -> None:
    press(view)
    near = load_budget("near")
    words = view.status["gate"][2]
    if budgets["arm"] == "free":
        assert push_n(view) > 3 * near.force_n, "the test needs a policy that presses"
        assert words["energy_arm"] == "not enforced: no budget" and view.count("energy_leash") == 0
    else:
        assert push_n(view) <= 1.1 * near.force_n
        assert words["energy_arm"].startswith("leash only, budget 'near'") and words["energy_gripper"] == "not enforced"
        assert 0 < float(words["spring_arm_j"]) <= 1.1 * near.spring_j
        assert view.count("energy_leash") + view.count("energy_force") + view.count("energy_latency") > 0


@pytest.mark.parametrize("contract, budgets", [("panda_twin", {"twin": "near"})])
def test_the_twins_own_loop_holds_its_budget_and_tells_its_tank(view: View) -> None:
    view.until(lambda: "twin" in view.status, "the tank on the status page")
    press(view)
    view.spin(1.0)
    level, text, words = view.status["twin"]
    assert text.startswith("tank ") and 0.0 <= float(words["energy_level_j"]) <= load_budget("near").capacity_j
    assert float(words["energy_spent_j"]) > 0 and float(words["energy_overdraft_j"]) < 0.01
    assert float(words["energy_changed"]) > 0 and level != b"\x00"
    assert view.status["gate"][2]["energy_twin"].startswith("torque filter and ledger in the inner loop, budget 'near'")
