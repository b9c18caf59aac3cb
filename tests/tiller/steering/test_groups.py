"""Groups of episodes that go on from one state: learnt from where a task's states can be put back, else left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.learning.replay.replay import Replay
from data.learning.replay.schema import DEMONSTRATION, ReplaySchema
from data.learning.statistics import RunningStatistics
from data.store.dataset import Dataset
from policies.loading.load import load
from policies.model.build import build_policy, policy_spec
from policies.model.checkpoint import save
from policies.recipe.recipe import PolicyRecipe
from tests.sim.wanderer import Wanderer
from tests.tiller.steering.conftest import WORDS
from tiller.cli import main

RESTLESS = "gym/tests.sim.restless_env:Restless-v0"
SHORT = (*WORDS, "method=best_of_k", "learning.steps=40", "free.steps=[]", "learning.groups=16", "learning.gate=0")


def rungs(output: Path) -> list[dict[str, Any]]:
    """The rows of best_of_k."""
    rows = json.loads((output / "ladder.json").read_text())["rungs"]
    return [row for row in rows if row["method"] == "best_of_k"]


def test_groups_are_learnt_from_and_judged_on_apart(car_policies: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "run"
    command = ["steer", f"checkpoint={car_policies[0]}", f"output={output}", *SHORT, "learning.demonstrations=false"]
    assert main(command) == 0
    groups = Dataset.open(output / "groups")
    assert len(groups) == 16 and (np.unique(groups.meta("group"), return_counts=True)[1] == 8).all()
    plain, careful = rungs(output)
    assert (plain["rung"], careful["rung"]) == ("best_of_k", "best_of_k with a fallback")
    learnt = json.loads((output / "best_of_k" / "finished.json").read_text())
    met = sum(each.length for each in _met(output))
    assert plain["steps"] + careful["steps"] == learnt["steps"] + groups.rows + met
    assert plain["steps"] > learnt["steps"] + groups.rows
    replay = output / "best_of_k" / "replay"
    shown = _versions(replay, car_policies[0]) == DEMONSTRATION
    assert 0 < shown.sum() <= groups.rows and (~shown).any()


def _met(output: Path) -> list[Any]:
    from sim.statistics.records import read_evaluation

    files = (output / "evaluations" / "promotion").rglob("evaluation.json")
    return [record for file in files for record in read_evaluation(file).records]


def _versions(folder: Path, policy: Path) -> np.ndarray:
    schema = ReplaySchema.of(load(policy).spec, candidates=3)
    versions: np.ndarray = Replay.open(folder, schema, writable=False).column("version")
    return versions


def test_where_states_cannot_be_put_back_the_rest_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, statistics = Wanderer(RESTLESS).spec, {}
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, horizon=8)
    for name in ("observation", "action"):
        running = RunningStatistics((1,))
        running.update(np.linspace(-1, 1, 9)[:, None])
        statistics[name] = running.result()
    policy = build_policy(recipe, policy_spec(recipe, spec.observation, spec.action), statistics)
    path, output = save(policy, tmp_path / "policy"), tmp_path / "run"
    words = [word for word in SHORT if not word.startswith("options.")]
    assert main(["steer", f"checkpoint={path}", f"task={RESTLESS}", f"output={output}", *words]) == 0
    assert not (output / "groups").exists()
    assert "without groups" in rungs(output)[-1]["note"] and "saved and put back" in rungs(output)[-1]["note"]
    assert "without groups" in capsys.readouterr().out


def test_where_no_start_is_open_a_critic_is_not_judged_and_the_run_goes_on(
    car_policies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    words = ["learning.judged=16", "learning.groups=0", "learning.scale=0.001", "learning.demonstrations=false"]
    words += ["episodes=2", "most=2"]
    command = ["steer", f"checkpoint={car_policies[0]}", f"output={output}", *SHORT, *words]
    assert main(command) == 0
    assert "without judged: no group had both successes and failures" in rungs(output)[-1]["note"]
    assert len(Dataset.open(output / "judged")) == 0
    assert "Traceback" not in capsys.readouterr().err
