"""A monitor from the command line: rollouts collected, a monitor made, the policy evaluated under it, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiller as face
from data.learning.statistics import RunningStatistics
from policies.model.build import build_policy, policy_spec
from policies.model.checkpoint import save
from policies.recipe.recipe import PolicyRecipe
from robot.monitoring.monitor import Monitor
from sim.statistics.records import read_evaluation
from tests.journeys.commands import Command
from tests.journeys.test_bad_input import refused
from tests.sim.wanderer import Wanderer
from tiller.cli import main

TASK = "gym/tests.sim.line_env:Line-v0"
QUICK = ("training.steps=60", "training.warmup=2", "monitor.alpha=0.2", "monitor.width=16")


def wandering(path: Path, seed: int = 0) -> Path:
    """A policy with fresh weights that wanders along the line: half of its episodes get to the goal."""
    torch.manual_seed(seed)
    spec = Wanderer(TASK).spec
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, horizon=6, n_action_steps=3)
    statistics = {}
    for name in ("observation", "action"):
        running = RunningStatistics((1,))
        running.update(np.random.default_rng(0).uniform(-1, 1, (50, 1)))
        statistics[name] = running.result()
    policy = build_policy(recipe, policy_spec(recipe, spec.observation, spec.action), statistics)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return save(policy, path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wandering(tmp_path_factory.mktemp("monitors") / "base")


@pytest.fixture(scope="module")
def recorded(base: Path) -> Path:
    path = base.with_name("recorded")
    words = ("source=checkpoint", f"checkpoint={base}", f"task={TASK}", "episodes=80", "seed=0", "steps=3")
    assert main(["collect", *words, f"output={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def run(base: Path, recorded: Path) -> Path:
    path = base.with_name("run")
    words = ("monitor=joint", *QUICK, f"data={recorded}", f"checkpoint={base}")
    assert main(["train", *words, f"output={path}"]) == 0
    return path


def test_a_monitor_is_made_and_watches_an_evaluation(
    base: Path, run: Path, recorded: Path, tmp_path: Path, tiller: Command
) -> None:
    finished = json.loads((run / "finished.json").read_text())
    assert finished["updates"] == 60 and 0 <= finished["noticed"] <= 1 and "auc_at" in finished
    monitor = face.load_monitor(run)
    assert isinstance(monitor, Monitor) and monitor.about["steps"] == 3
    words = ("evaluate", f"checkpoint={base}", f"task={TASK}", "episodes=24", "seed=500", "steps=3", "videos=0")
    out = tiller.succeeds(*words, f"monitor={run}", f"output={tmp_path / 'record'}")
    assert "false alarms in" in out and "failures noticed" in out
    evaluation = read_evaluation(tmp_path / "record")
    assert evaluation.monitor["alpha"] == 0.2 and evaluation.monitor["action"] == "record"
    assert all(record.monitor and len(record.monitor.scores) == 2 for record in evaluation.records)
    assert "Monitor: false alarms in" in (tmp_path / "record" / "report.html").read_text()
    free = tiller.succeeds(*words, f"output={tmp_path / 'free'}")
    assert "false alarms" not in free
    for one, other in zip(read_evaluation(tmp_path / "free").records, evaluation.records):
        assert (one.seed, one.length, one.success, one.score) == (other.seed, other.length, other.success, other.score)
    from_code = face.evaluate(face.load(base, steps=3), TASK, episodes=24, seed=500, monitor=monitor, hold=True)
    tiller.succeeds(*words, f"monitor={run}", "monitor.action=hold", f"output={tmp_path / 'hold'}")
    held = read_evaluation(tmp_path / "hold")
    assert [record.result for record in held.records] == [record.result for record in from_code.records]
    alarmed = {record.seed for record in evaluation.records if record.monitor and record.monitor.alarm}
    assert {record.seed for record in held.records if record.monitor and record.monitor.held} == alarmed
    assert alarmed, "a monitor with one false alarm in five has some in 24 episodes"


def test_the_loop_in_the_guide_runs_as_it_is(
    base: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Path(__file__).parents[2] / "docs" / "monitoring.md"
    code = guide.read_text().partition("```python\n")[2].partition("```")[0]
    code = code.replace('"twin/lift"', f'"{TASK}"').replace('load("runs/lift")', 'load("runs/lift", steps=3)')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(guide.parents[1]))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "lift").symlink_to(base)
    (tmp_path / "runs" / "lift_monitor").symlink_to(run)
    names: dict[str, Any] = {}
    exec(code, names)
    first = names["result"].records[0]
    assert names["watch"].decisions > 0 and names["verdict"].alarm != names["over"]
    assert len(first.monitor.scores) > 0


def test_a_monitor_is_stopped_resumed_and_the_same(base: Path, run: Path, recorded: Path, tmp_path: Path) -> None:
    words = ["train", "monitor=joint", *QUICK, f"data={recorded}", f"checkpoint={base}", f"output={tmp_path / 'parts'}"]
    assert main([*words, "training.stop_after=25"]) == 0
    assert not (tmp_path / "parts" / "monitor").exists() and not (tmp_path / "parts" / "finished.json").exists()
    assert main([*words, "resume=true"]) == 0
    parts = [(path / "monitor" / "model.safetensors").read_bytes() for path in (run, tmp_path / "parts")]
    assert parts[0] == parts[1]


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (("checkpoint=BASE", "steps=5"), ("the policy that it was made for", "in 3 steps")),
        (("checkpoint=OTHER", "steps=3"), ("the policy that it was made for",)),
        (("checkpoint=BASE", "steps=3", "n_action_steps=2"), ("3 rows executed per plan",)),
        (("checkpoint=BASE", "steps=3", "monitor.action=stop"), ("monitor.action", "record, hold")),
        (("checkpoint=BASE", "steps=3", "monitor=BASE"), ("monitor.json", "a policy")),
        (("checkpoint=BASE", "steps=3", "monitor=nowhere"), ("nothing there",)),
    ],
)
def test_a_monitor_of_something_else_is_refused(
    base: Path, run: Path, tmp_path: Path, tiller: Command, words: tuple[str, ...], saying: tuple[str, ...]
) -> None:
    other = wandering(tmp_path / "other", seed=1)
    words = tuple(word.replace("BASE", str(base)).replace("OTHER", str(other)) for word in words)
    watched = () if any(word.startswith("monitor=") for word in words) else (f"monitor={run}",)
    refused(
        tiller, "evaluate", f"task={TASK}", "episodes=4", *watched, *words, f"output={tmp_path / 'out'}", saying=saying
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (("monitor=features",), ("'checkpoint'", "the policy that the monitor is for")),
        (("monitor=featurs", "checkpoint=BASE"), ("Did you mean 'features'",)),
        (("monitor=features", "checkpoint=BASE", "monitor.alpha=1"), ("monitor.alpha", "below 1")),
        (("monitor=features", "checkpoint=BASE", "monitor.alpha=0.001"), ("successful ones for alpha=0.001",)),
        (("monitor=features", "checkpoint=BASE", "critic=success"), ("of a critic or of a monitor",)),
        (("monitor=value", "checkpoint=BASE"), ("monitor.critic",)),
        (("monitor=joint", "checkpoint=BASE", "data=[RECORDED,RECORDED,RECORDED]"), ("the same one twice",)),
        (("monitor=features", "checkpoint=OTHER"), ("policy that acted",)),
        (("checkpoint=BASE",), ("Add monitor=features",)),
        (("monitor=features", "checkpoint=BASE", "data=PUSHT"), ("tiller collect source=checkpoint",)),
    ],
)
def test_what_no_monitor_can_be_made_of_is_refused(
    base: Path,
    recorded: Path,
    pusht_dataset: Path,
    tmp_path: Path,
    tiller: Command,
    words: tuple[str, ...],
    saying: tuple[str, ...],
) -> None:
    other = wandering(tmp_path / "other", seed=1)
    for name, path in (("BASE", base), ("OTHER", other), ("PUSHT", pusht_dataset), ("RECORDED", recorded)):
        words = tuple(word.replace(name, str(path)) for word in words)
    data = () if any(word.startswith("data=") for word in words) else (f"data={recorded}",)
    refused(tiller, "train", *data, *words, f"output={tmp_path / 'out'}", saying=saying)
    assert not (tmp_path / "out").exists()
