"""Plans that arrive late: what is executed meanwhile, and how the next chunk joins on.

A point walks from left to right and turns off above or below an obstacle, as half of the demonstrations each do: a
policy that forgets what it had begun changes its mind where the ways part.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import Schema
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import EmaConfig, PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.train import train
from robot.control.ensembling import TemporalEnsemble
from robot.control.plan_request import decide_plans
from robot.control.runner import ChunkRunner, query_seed
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec, PolicySpec, SamplerSpec
from robot.errors import InputError
from sim.evaluation.env_runner import EpisodeProgress, StepResult
from sim.evaluation.order import orders
from sim.evaluation.rollout import evaluate_policy
from sim.evaluation.session import EnvSession
from tests.sim.linear_policy import BlockSeeker

PERIOD_S, STRIDE_M, ROWS = 0.1, 0.2, 14
OBSERVATION = ObservationSpec((ObservationField("point", (2,), "float32", "m", "state"),))
ACTION = ActionSpec((ActionField("target", 2, "m", "joint"),), PERIOD_S)


def walk(seed: int) -> np.ndarray:
    """Positions (ROWS + 1, 2): at an even pace straight on, past the obstacle on one side, and back to the middle."""
    random = np.random.default_rng(seed)
    middle, side = random.uniform(-0.1, 0.1), random.choice([-1.0, 1.0])
    knots = [[0.0, middle], [0.7, middle], [1.4, side * random.uniform(0.7, 0.9)], [2.6, middle]]
    lengths = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))]
    along = STRIDE_M * np.arange(ROWS + 1)
    return np.stack([np.interp(along, lengths, column) for column in np.transpose(knots)], axis=1)


def velocity_changes(targets: np.ndarray) -> np.ndarray:
    """Size of the change of the commanded velocity (n - 2,) m/s at the inner rows of targets (n, 2)."""
    return np.linalg.norm(np.diff(targets, 2, axis=0), axis=1) / PERIOD_S


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walks") / "data"
    walks = [walk(seed).astype(np.float32) for seed in range(200)]
    with Dataset.create(path, Schema(OBSERVATION, ACTION, PERIOD_S)) as dataset:
        dataset.extend([Episode({"point": places[:-1], "action": places[1:]}, {}, {}) for places in walks])
    return path


def trained(store: Path, folder: Path, objective: str) -> DiffusionPolicy:
    from policies.loading.load import load

    recipe = PolicyRecipe(
        network={"name": "mlp", "width": 128, "depth": 2},
        objective={"name": objective},
        n_obs_steps=2,
        horizon=8,
        n_action_steps=3,
    )
    config = TrainingConfig(
        steps=2000,
        batch_size=128,
        learning_rate=2e-3,
        warmup=50,
        log_every=1000,
        checkpoint_every=100_000,
        ema=EmaConfig(decay=0.99),
        validation=ValidationConfig(fraction=0),
    )
    train(store, recipe, config, folder, device="cpu")
    return load(folder)


class Forgetful:
    """The same policy, blind to what is committed and with one plan at a time."""

    def __init__(self, policy: DiffusionPolicy):
        self.policy, self.spec = policy, policy.spec

    def sample(self, observation, *, seeds=None, samples=1, **_):
        return self.policy.sample(observation, seeds=seeds).repeat(samples, axis=1)


@dataclass
class Walk:
    """One walk as it is executed: where it stands, its targets so far, and where a chunk follows on another."""

    session: EnvSession
    rows: list[dict[str, np.ndarray]]
    targets: list[np.ndarray] = field(default_factory=list)
    joins: list[int] = field(default_factory=list)


def executed(policy, seeds, delay_steps: int, rows: int = ROWS - 4) -> list[Walk]:
    """Walks of `rows` targets or a few more, side by side: the point goes wherever it is told to."""
    walks = []
    for env, seed in enumerate(seeds):
        session = EnvSession(env, ChunkRunner(policy.spec, delay_steps=delay_steps), orders(seed, 0, 1, 1))
        session.begin()
        walks.append(Walk(session, [{"point": walk(seed)[0].astype(np.float32)}]))
    while len(walks[0].targets) < rows:
        for seed, each in zip(seeds, walks):
            each.session.observe(
                StepResult(each.session.env, each.rows, EpisodeProgress(seed, length=len(each.targets)))
            )
        requests = [
            each.session.runner.request(seed=query_seed(seed, each.session.runner.plans))
            for seed, each in zip(seeds, walks)
        ]
        decisions = decide_plans(policy, requests)
        for row, (each, request) in enumerate(zip(walks, requests)):
            if each.session.runner.chunk is not None:
                each.joins.append(len(each.targets) + delay_steps)
            each.session.take(decisions.row(row), request)
            actions = list(each.session.steps().actions)
            each.targets += actions
            each.rows = [{"point": action.astype(np.float32)} for action in actions][-2:]
    return walks


def changes_at_joins(policy, delay_steps: int) -> np.ndarray:
    """Changes of the commanded velocity into and out of the first row of each chunk that follows on another."""
    found = []
    for each in executed(policy, range(1000, 1060), delay_steps):
        changes = velocity_changes(np.array(each.targets))
        found += [changes[row - 2 : row] for row in each.joins if row <= len(changes)]
    return np.concatenate(found)


@pytest.mark.slow
@pytest.mark.parametrize("objective, sampler", [("flow", "euler"), ("ddpm", "ddim")])
def test_chunks_join_as_smoothly_as_the_expert_moves(store, tmp_path, objective, sampler):
    policy = trained(store, tmp_path / objective, objective).with_sampler(sampler, 10)
    dataset = Dataset.open(store)
    demonstrated = np.concatenate([velocity_changes(dataset.episode(i).data["action"]) for i in range(len(dataset))])
    continued, forgotten = (changes_at_joins(each, delay_steps=2) for each in (policy, Forgetful(policy)))
    bound = np.percentile(demonstrated, 99)
    assert np.percentile(continued, 99) <= bound < np.percentile(forgotten, 95)
    assert np.median(continued) < np.median(forgotten)


class PlanCounter:
    """Plans whose rows say which plan they are of, and which row."""

    noise_shape = None
    spec = PolicySpec(OBSERVATION, ACTION, 16, 6, SamplerSpec("oracle", 1))

    def __init__(self) -> None:
        self.plans, self.prefixes = 0, []

    def sample(self, observation, *, samples=1, prefix=None, prefix_weight=None, **_):
        plan = np.stack([np.full(16, float(self.plans)), np.arange(16.0)], axis=1)
        self.plans += 1
        if prefix is not None:
            self.prefixes.append((prefix[0], prefix_weight[0]))
        return plan[None, None].repeat(samples, axis=1)


def test_rows_of_the_old_chunk_are_executed_until_the_plan_arrives_and_its_first_rows_are_past():
    policy = PlanCounter()
    (found,) = executed(policy, [0], delay_steps=3, rows=18)
    # plan 0 from its row 0 on, waited for; asked again at its row 6, answered 3 rows later, from row 3 of the plan on
    wanted = [(0, row) for row in range(9)] + [(1, row) for row in range(3, 9)] + [(2, row) for row in range(3, 6)]
    assert np.array(found.targets).tolist() == [list(map(float, row)) for row in wanted]
    assert found.joins == [9, 15]
    values, weight = policy.prefixes[1]
    assert values[:3].tolist() == [[0, 6], [0, 7], [0, 8]] and weight[:3].tolist() == [1, 1, 1]
    assert (np.diff(weight) <= 0).all() and weight[10:].max() == 0


def test_without_a_delay_nothing_of_the_old_chunk_is_executed_after_the_next_plan():
    (found,) = executed(PlanCounter(), [0], delay_steps=0, rows=24)
    assert np.array(found.targets)[:, 1].tolist() == [row % 6 for row in range(24)]


def test_a_delay_as_long_as_the_executed_rows_plans_without_a_pause():
    (found,) = executed(PlanCounter(), [0], delay_steps=6, rows=18)
    assert found.joins == [12, 18]
    assert np.array(found.targets)[12:18].tolist() == [[1, row] for row in range(6, 12)]


@pytest.mark.parametrize("delay_steps", [-1, 7])
def test_a_delay_that_is_longer_than_the_executed_rows_is_refused(delay_steps):
    with pytest.raises(InputError, match="delay_steps: expected 0 to 6"):
        ChunkRunner(PlanCounter.spec, delay_steps=delay_steps)


def test_a_delay_beside_an_ensemble_is_refused():
    with pytest.raises(InputError, match="ensemble"):
        ChunkRunner(PlanCounter.spec, delay_steps=2, ensemble=TemporalEnsemble())


class Attentive(BlockSeeker):
    """Notes what it was told is committed."""

    def sample(self, observation, *, prefix=None, prefix_weight=None, **more):
        self.committed = getattr(self, "committed", []) + [(prefix, prefix_weight)]
        return super().sample(observation, **more)


def test_an_evaluation_with_late_plans_does_not_depend_on_the_workers():
    results = []
    for workers in (1, 2):
        policy = Attentive()
        results.append(
            evaluate_policy(
                policy, "pusht/state", episodes=4, seed=3, workers=workers, delay_steps=3, options={"max_steps": 40}
            )
        )
        first, then = policy.committed[0], policy.committed[1]
        assert first[0].shape == (4, 16, 2) and not first[1].any()
        assert (then[1][:, :3] == 1).all()
    records = [[replace(record, latency=None) for record in result.records] for result in results]
    assert records[0] == records[1]
    assert results[0].delay_steps == 3
