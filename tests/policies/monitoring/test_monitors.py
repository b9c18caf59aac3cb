"""Monitors made from rollouts: decided again, split by start, saved and loaded, refused where they cannot be made."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.schema import ACTION
from policies.critics.build import build_critic, critic_spec
from policies.critics.checkpoint import save_critic
from policies.critics.critic import LearntCritic
from policies.model.build import measure
from policies.model.checkpoint_folder import MONITOR_RECORD, find
from policies.model.files import read_tensors, write_tensors
from policies.model.policy import DiffusionPolicy
from policies.model.provenance import Provenance
from policies.monitoring.checkpoint import load_monitor
from policies.monitoring.judgement import ScoredEpisode, judge_monitor
from policies.monitoring.rollouts import acting_policy, rollouts
from policies.monitoring.split import require_outcomes, split_starts
from policies.monitoring.train import MadeMonitor, make_monitor
from policies.recipe.critic import CriticRecipe
from policies.recipe.monitor import MonitorRecipe
from policies.recipe.recipe import EmaConfig, TrainingConfig, ValidationConfig
from policies.transforms import make_chain
from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.monitor import Monitor
from tests.policies.monitoring.rollouts import saved, small_policy, write_rollouts

CONFIG = TrainingConfig(
    steps=120, batch_size=64, learning_rate=3e-3, warmup=5, log_every=60, checkpoint_every=1000, ema=EmaConfig(0.9),
    validation=ValidationConfig(fraction=0.0),
)  # fmt: skip
RECIPE = MonitorRecipe(scores=("features", "disagreement"), alpha=0.1, width=16, dropout=0.0)


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    return small_policy(store)


@pytest.fixture(scope="module")
def base(policy: DiffusionPolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(policy, tmp_path_factory.mktemp("monitors") / "base")


@pytest.fixture(scope="module")
def recorded(base: Path, policy: DiffusionPolicy) -> Path:
    return write_rollouts(base.with_name("recorded"), base, policy, 100)


@pytest.fixture(scope="module")
def made(base: Path, recorded: Path) -> MadeMonitor:
    return make_monitor(str(base), [Dataset.open(recorded)], RECIPE, CONFIG, base.with_name("run"))


def scored(monitor: Monitor, policy: Any, data: Dataset) -> list[ScoredEpisode]:
    """The scores of a monitor as it runs, episode by episode."""
    episodes = []
    for rollout in rollouts(monitor.prepared(policy), [data]):
        watch = monitor.watch()
        curve = np.array([watch.add(moment).scores for moment in rollout.moments])
        episodes.append(ScoredEpisode(curve, rollout.success, rollout.rows, monitor.n_action_steps))
    return episodes


def test_a_recorded_rollout_is_decided_again(base: Path, policy: DiffusionPolicy, recorded: Path) -> None:
    data = Dataset.open(recorded)
    acting, _ = acting_policy(str(base), [data])
    some = list(rollouts(acting, [data]))
    assert len(some) == len(data)
    for rollout in some[:20]:
        executed = data.episode(rollout.episode).data[ACTION]
        assert rollout.rows == len(executed) and len(rollout.moments) == -(-len(executed) // 3)
        for number, moment in enumerate(rollout.moments):
            rows = executed[3 * number : 3 * number + 3]
            np.testing.assert_allclose(moment.chunk[: len(rows)], rows, atol=1e-5)


def test_a_monitor_tells_failures_from_successes_that_it_never_saw(
    base: Path, policy: DiffusionPolicy, made: MadeMonitor
) -> None:
    fresh = Dataset.open(write_rollouts(base.with_name("fresh"), base, policy, 50, first=1000))
    assert made.monitor is not None and made.judgement is not None and made.training is not None
    judged = judge_monitor(made.monitor.band, scored(made.monitor, policy, fresh))
    assert judged.auc_at > 0.9 and judged.noticed > 0.7 and judged.false_alarms < 0.3
    assert made.judgement.auc_at > 0.9 and made.judgement.false_alarms <= 0.1 + 0.1


def test_calibration_episodes_are_never_trained_on(base: Path, recorded: Path, made: MadeMonitor) -> None:
    data = [Dataset.open(recorded)]
    starts, calibrates = split_starts(data, RECIPE)
    assert made.episodes == (50, 50)
    learnt = Dataset.open(base.with_name("run") / "decisions")
    assert sorted(learnt.meta("group").tolist()) == sorted(starts[place] for place in starts if not calibrates[place])


def test_all_episodes_of_a_start_are_on_one_side(base: Path, policy: DiffusionPolicy, tmp_path: Path) -> None:
    data = [Dataset.open(write_rollouts(tmp_path / str(copy), base, policy, 30)) for copy in range(2)]
    starts, calibrates = split_starts(data, replace(RECIPE, seed=3))
    assert len(set(starts.values())) == 30
    for number in range(30):
        assert starts[0, number] == starts[1, number] and calibrates[0, number] == calibrates[1, number]
    assert sum(calibrates.values()) == 30


def test_a_saved_monitor_says_the_same_again(policy: DiffusionPolicy, recorded: Path, made: MadeMonitor) -> None:
    assert made.monitor is not None
    again, data = load_monitor(made.path), Dataset.open(recorded)
    assert find(made.path.parent, MONITOR_RECORD) == made.path
    for one, two in zip(scored(made.monitor, policy, data)[:10], scored(again, policy, data)[:10]):
        np.testing.assert_array_equal(one.curve, two.curve)
    assert again.band.quantile == made.monitor.band.quantile and again.policy == made.monitor.policy
    assert again.about["scores"] == ["features", "disagreement"] and again.memory == RECIPE.memory


def test_the_same_rollouts_make_the_same_monitor(base: Path, recorded: Path, made: MadeMonitor, tmp_path: Path) -> None:
    again = make_monitor(str(base), [Dataset.open(recorded)], RECIPE, CONFIG, tmp_path / "again")
    assert (again.path / "model.safetensors").read_bytes() == (made.path / "model.safetensors").read_bytes()


def test_a_decision_is_judged_in_less_than_a_millisecond(
    policy: DiffusionPolicy, recorded: Path, made: MadeMonitor
) -> None:
    assert made.monitor is not None
    torch.set_num_threads(1)
    moments = next(rollouts(made.monitor.prepared(policy), [Dataset.open(recorded)])).moments
    watch, seconds = made.monitor.watch(), []
    for _ in range(100):
        for moment in moments:
            started = time.process_time()
            watch.add(moment)
            seconds.append(time.process_time() - started)
    assert np.median(seconds) < 1e-3


def critic_of(data: Dataset, recipe: CriticRecipe) -> LearntCritic:
    """A critic with fresh weights."""
    assert data.schema is not None
    spec = critic_spec(recipe, data.schema.observation, data.schema.action)
    return build_critic(recipe, spec, measure(Windows(data, spec), make_chain((), spec.observation, spec.action)))


def test_a_critic_scores_and_is_kept_with_the_monitor(base: Path, recorded: Path, tmp_path: Path) -> None:
    recipe = CriticRecipe(network={"name": "mlp", "width": 8, "depth": 1}, observation=("goal",), steps=3)
    data = [Dataset.open(recorded)]
    critic = critic_of(data[0], recipe)
    path = save_critic(critic, tmp_path / "critic")
    with_value = MonitorRecipe(scores=("value",), alpha=0.1, critic=str(path))
    value = make_monitor(str(base), data, with_value, CONFIG, tmp_path / "run")
    assert value.training is None and value.monitor is not None
    for file in path.iterdir():
        file.unlink()  # the monitor has its own
    loaded = load_monitor(tmp_path / "run")
    acting, _ = acting_policy(str(base), data)
    rollout = next(rollouts(acting, data))
    first = rollout.moments[0]
    expected = 1 - critic.value({"goal": first.window["goal"][None]}, first.chunk[None, None, :3])[0, 0]
    assert loaded.watch().add(first).scores[0] == pytest.approx(float(expected), abs=1e-6)

    learnt_from_these = Provenance(dataset=data[0].fingerprint)
    seen = save_critic(critic, tmp_path / "seen", learnt_from_these)
    with pytest.raises(InputError, match="a critic that learnt from other episodes"):
        make_monitor(str(base), data, replace(with_value, critic=str(seen)), CONFIG, tmp_path / "other")
    short = save_critic(critic_of(data[0], replace(recipe, steps=2)), tmp_path / "short")
    with pytest.raises(InputError, match="critic: rows: expected 3"):
        make_monitor(str(base), data, replace(with_value, critic=str(short)), CONFIG, tmp_path / "other")


@pytest.mark.parametrize(
    ("words", "recipe", "saying"),
    [
        ({"succeeds": True}, RECIPE, "successes and failures, got successes alone"),
        ({"succeeds": False}, RECIPE, "successful ones for alpha=0.1, got 0"),
        ({"grouped": True}, RECIPE, "groups, whose members share"),
        ({}, replace(RECIPE, alpha=0.001), "successful ones for alpha=0.001, got"),
    ],
)
def test_episodes_that_no_monitor_can_be_made_from_are_refused(
    base: Path, policy: DiffusionPolicy, tmp_path: Path, words: dict[str, Any], recipe: MonitorRecipe, saying: str
) -> None:
    data = Dataset.open(write_rollouts(tmp_path / "data", base, policy, 40, **words))
    with pytest.raises(InputError, match=saying):
        make_monitor(str(base), [data], recipe, CONFIG, tmp_path / "run")
    assert not (tmp_path / "run" / "monitor").exists()


def test_an_episode_that_is_there_twice_counts_once_and_is_refused(
    base: Path, policy: DiffusionPolicy, recorded: Path, tmp_path: Path
) -> None:
    data = Dataset.open(recorded)
    more = Dataset.open(write_rollouts(tmp_path / "more", base, policy, 30, first=90))
    others = Dataset.open(write_rollouts(tmp_path / "others", base, policy, 30, first=100))
    for given, saying in (([data, data, data], "the same one twice"), ([data, more], "got seed 90 twice")):
        with pytest.raises(InputError, match=saying):
            make_monitor(str(base), given, RECIPE, CONFIG, tmp_path / "run")
        with pytest.raises(InputError, match=saying):
            require_outcomes(given, split_starts(given, RECIPE)[1], RECIPE)
    require_outcomes([data, others], split_starts([data, others], RECIPE)[1], RECIPE)


def test_episodes_of_another_policy_are_refused(recorded: Path, store: Path, tmp_path: Path) -> None:
    other = saved(small_policy(store, network={"name": "mlp", "width": 24, "depth": 1}), tmp_path / "other")
    with pytest.raises(InputError, match=r"policy that acted: expected .* got"):
        acting_policy(str(other), [Dataset.open(recorded)])


def test_episodes_that_do_not_say_who_acted_are_refused(base: Path, store: Path) -> None:
    with pytest.raises(InputError, match="tiller collect source=checkpoint"):
        acting_policy(str(base), [Dataset.open(store)])


def test_chunks_that_do_not_overlap_have_nothing_to_disagree_on(store: Path, tmp_path: Path) -> None:
    policy = small_policy(store, n_action_steps=6)
    base = saved(policy, tmp_path / "base")
    data = Dataset.open(write_rollouts(tmp_path / "data", base, policy, 60))
    with pytest.raises(InputError, match="chunks that overlap"):
        make_monitor(str(base), [data], replace(RECIPE, scores=("disagreement",)), CONFIG, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"alpha": 0.0}, "monitor.alpha"),
        ({"alpha": 1.0}, "monitor.alpha"),
        ({"calibration": 1.0}, "monitor.calibration"),
        ({"memory": 0}, "monitor.memory"),
        ({"scores": ()}, "one score or several"),
        ({"scores": ("features", "features")}, "different ones"),
        ({"scores": ("feature",)}, "Did you mean 'features'"),
        ({"features": "netwrk"}, "Did you mean 'network'"),
        ({"scores": ("value",)}, "the checkpoint of a critic"),
        ({"critic": "runs/critic"}, "none without it"),
    ],
)
def test_a_recipe_out_of_range_is_refused(changes: dict[str, Any], saying: str) -> None:
    with pytest.raises(InputError, match=saying):
        MonitorRecipe(**changes)


def test_a_damaged_monitor_is_refused(base: Path, made: MadeMonitor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a policy"):
        load_monitor(base)
    with pytest.raises(InputError, match="Give the checkpoint of a policy"):
        find(made.path)
    record = json.loads((made.path / MONITOR_RECORD).read_text())
    for name, value in (("version", 99), ("quantile", "large"), ("unknown", 1)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes((made.path / "model.safetensors").read_bytes())
        (folder / MONITOR_RECORD).write_text(json.dumps({**record, name: value}))
        with pytest.raises(InputError, match=r"version 99|quantile|unknown"):
            load_monitor(folder)
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / MONITOR_RECORD).write_text(json.dumps(record))
    (folder / "model.safetensors").write_bytes((made.path / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(InputError, match="whole safetensors"):
        load_monitor(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_would_never_alarm_is_refused(made: MadeMonitor, tmp_path: Path, number: float) -> None:
    record = json.loads((made.path / MONITOR_RECORD).read_text())
    recipe, acted = record["recipe"], record["policy"]
    tensors = read_tensors(made.path / "model.safetensors")
    for key, changed in {
        "quantile": {"quantile": number},
        "episodes": {"episodes": number},
        **{f"recipe.{each}": {"recipe": {**recipe, each: number}} for each in ("alpha", "memory", "calibration")},
        **{f"policy.{each}": {"policy": {**acted, each: number}} for each in ("steps", "n_action_steps")},
        "provenance.step": {"provenance": {**record["provenance"], "step": number}},
    }.items():
        (tmp_path / MONITOR_RECORD).write_text(json.dumps({**record, **changed}))
        write_tensors(tmp_path / "model.safetensors", tensors)
        with pytest.raises(InputError, match=rf"monitor\.json\.{key}: expected .*got {number}"):
            load_monitor(tmp_path)
    (tmp_path / MONITOR_RECORD).write_text(json.dumps(record))
    for key in ("band.centre", "band.modulation", "spread", "head.mean", "head.network.0.weight"):
        write_tensors(tmp_path / "model.safetensors", {**tensors, key: torch.full_like(tensors[key], number)})
        with pytest.raises(InputError, match=r"finite"):
            load_monitor(tmp_path)


def test_a_clock_has_an_auc_of_one_half_at_a_decision_and_does_well_over_whole_episodes() -> None:
    random = np.random.default_rng(0)
    episodes = [
        ScoredEpisode(np.arange(float(length))[:, None], length < 12, 3 * length, 3)
        for length in [*random.integers(5, 9, 100), *[12] * 50]
    ]
    band = Band(np.zeros((1, 1)), np.ones((1, 1)), 7.5, 0.05, 30)
    judged = judge_monitor(band, episodes)
    assert judged.auc_at == 0.5 == judged.auc_until and judged.auc == 1.0
    assert judged.decision == 4 and judged.false_alarms < 0.3 and judged.noticed == 1.0
    assert judged.noticed_early == 0.0 and judged.median_time == pytest.approx(8 / 12)
