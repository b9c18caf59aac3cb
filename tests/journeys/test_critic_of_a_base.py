"""From groups of a policy to a critic of its chunks, on the command line: collected, trained, chosen, judged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import sim
import tiller as face
from data.learning.statistics import RunningStatistics
from data.store.dataset import Dataset
from policies.critics.names import ENOUGH_STATES
from policies.loading.folder import fingerprint
from policies.model.build import build_policy, policy_spec
from policies.model.checkpoint import save
from policies.recipe.recipe import PolicyRecipe
from policies.transforms.normaliser import ACTION
from robot.errors import InputError
from tests.journeys.commands import Command
from tests.journeys.test_bad_input import refused

LINE = "gym/tests.sim.line_env:Line-v0"
COLLECT = ("collect", f"task={LINE}", "source=checkpoint", "groups=6", "group_decisions=3")
TRAIN = (
    "train", f"task={LINE}", "critic.network.width=32", "critic.plan=difference", "critic.n_obs_steps=1",
    "training.batch_size=64", "training.warmup=5", "training.learning_rate=3e-3",
    "training.log_every=50", "training.ema.decay=0.98",
    "training.validation.fraction=0.1",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that walks at random along a line: with a fresh network its chunks are its noise."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    env = sim.make(LINE)
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, horizon=6, n_action_steps=5)
    spec, statistics = policy_spec(recipe, env.observation_spec, env.action_spec), {}
    for name, reach in ((env.observation_spec.names[0], 2.0), (ACTION, 0.3)):
        running = RunningStatistics((1,))
        running.update(np.linspace(-reach, reach, 9)[:, None])
        statistics[name] = running.result()
    return save(build_policy(recipe, spec, statistics), tmp_path_factory.mktemp("base") / "policy")


def test_groups_become_a_critic_that_tells_chunks_of_one_state_apart(
    base: Path, tmp_path: Path, tiller: Command
) -> None:
    groups, judged, mixed = (tmp_path / name for name in ("groups", "judged", "mixed"))
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=180", "seed=0", f"output={groups}")
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=120", "seed=1000", f"output={judged}")
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=24", "seed=2000", "mixed_groups=true", f"output={mixed}")
    kept = Dataset.open(mixed)
    assert kept.meta("group").tolist() == np.repeat(range(4), 6).tolist() and set(kept.meta("branched_at")) <= {
        0,
        5,
        10,
    }
    outcomes = np.asarray(kept.meta("success")).reshape(4, 6)
    assert (outcomes.any(1) & ~outcomes.all(1)).all() and len(set(kept.meta("seed").tolist())) == 4

    words = (*TRAIN, "critic=iql", f"data={groups}", f"judge=[{judged},{mixed}]", f"base={base}", "base_steps=2")
    out = tiller.succeeds(
        *words, "training.steps=200", "training.evaluate_every=100", "critic.objective.target_rate=0.1",
        f"output={tmp_path / 'run'}",
    )  # fmt: skip
    assert "gate of a critic that chooses" in out and "scoring 5 rows" in out
    best = tmp_path / "run" / "checkpoints" / "best"
    judgement = json.loads((best / "judgement.json").read_text())
    assert judgement["auc_within_state"] > 0.6 and judgement["auc_within_state_low"] > 0.55
    assert judgement["passed"] == (judgement["states"] >= ENOUGH_STATES)
    finished = json.loads((tmp_path / "run" / "finished.json").read_text())
    assert finished["auc_within_state"] == judgement["auc_within_state"]
    choice = json.loads((best / "choice.json").read_text())
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = {int(row["step"]): float(row["auc_within_state"]) for row in rows if row["auc_within_state"]}
    assert sorted(shown) == [100, 200] and choice["value"] == max(shown.values()) == shown[choice["update"]]
    assert all(any(row[name] for row in rows) for name in ("q", "v", "td_error", "value_less_return"))

    critic, policy = face.load_critic(tmp_path / "run"), face.load(base, steps=2)
    assert critic.spec.base is not None and critic.spec.base.hash == fingerprint(base)
    assert (critic.spec.base.sampler.steps, critic.spec.steps, critic.spec.gamma) == (2, 5, 0.99)
    critic.spec.require_policy(policy.spec)
    window = {name: np.zeros((1, 1, 1)) for name in policy.spec.observation.names}
    plan = policy.sample(window, noise=np.zeros((1, 1, *policy.noise_shape), np.float32))[:, 0, :5]
    forth, back = critic.value(window, np.stack([plan + 0.2, plan - 0.2], axis=1), reference=plan)[0]
    assert forth > back
    with pytest.raises(InputError, match="zero-noise plan"):
        critic.value(window, plan[:, None])


def test_a_run_beside_a_base_goes_on_to_the_bit(base: Path, tmp_path: Path, tiller: Command) -> None:
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=36", f"output={tmp_path / 'groups'}")
    words = (
        *TRAIN, "critic=cal_ql", f"data={tmp_path / 'groups'}", f"base={base}", "base_steps=2", "training.steps=20",
        "critic.objective.candidates=2",
    )  # fmt: skip
    tiller.succeeds(*words, f"output={tmp_path / 'whole'}")
    tiller.succeeds(*words, "training.stop_after=9", f"output={tmp_path / 'parts'}")
    tiller.succeeds(*words, "resume=true", f"output={tmp_path / 'parts'}")
    weights = [
        (tmp_path / run / "checkpoints" / "final" / "model.safetensors").read_bytes() for run in ("whole", "parts")
    ]
    assert weights[0] == weights[1]


def test_what_does_not_fit_is_refused_before_anything_is_written(base: Path, tmp_path: Path, tiller: Command) -> None:
    groups = tmp_path / "groups"
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=12", f"output={groups}")
    again = tmp_path / "again"
    tiller.succeeds(*COLLECT, f"checkpoint={base}", "episodes=6", "seed=1", f"output={again}")
    run, data = tmp_path / "run", f"data={groups}"
    for words, saying in (
        ((data, "critic=cal_ql"), ("base of the critic", "base=CHECKPOINT")),
        ((data, f"base={base}"), ("'base'", "Add critic=")),
        ((data, "critic=iql", "base_steps=2"), ("base_steps", "Add base=CHECKPOINT")),
        ((data, "critic=iql", f"base={tmp_path}"), ("checkpoint",)),
        ((data, "critic=iql", f"base={base}", "critic.n_obs_steps=2"), ("critic: observation",)),
        ((data, "critic=iql", f"base={base}", "critic.n_obs_steps=1", "critic.steps=9"), ("critic: rows", "6")),
        ((data, "critic=iql", "critic.plan=besides"), ("critic.plan", "beside")),
        ((data, "critic=iql", "critic.objective.expectile=1"), ("expectile",)),
        ((data, "critic=success", f"judge={again}"), ("'judge'", "6 of 6", "other seeds")),
    ):
        refused(tiller, "train", *words, f"output={run}", saying=saying)
        assert not run.exists(), words
    for words, saying in (
        (("group_decisions=2",), ("group_decisions", "Add groups=8")),
        (("mixed_groups=true",), ("mixed_groups", "Add groups=8")),
    ):
        refused(
            tiller, "collect", f"task={LINE}", "source=checkpoint", f"checkpoint={base}", *words, f"output={run}",
            saying=saying,
        )  # fmt: skip
