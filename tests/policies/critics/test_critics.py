"""Critics: they learn what decides, say how well they rank, and are told apart from policies."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import BRANCHED_AT, GROUP, INSTRUCTION, QUALITY, SUCCESS, Quality
from data.store.schema import Schema
from policies.critics.checkpoint import critic_fingerprint, load_critic, save_critic
from policies.critics.judgement import Judgement, auc, judge
from policies.critics.objectives import register_objective
from policies.critics.train import train_critic
from policies.loading.load import load
from policies.model.batch import TensorBatch
from policies.model.checkpoint import save
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from robot.description import (
    ActionField,
    ActionSpec,
    CriticSpec,
    ObservationField,
    ObservationSpec,
    PolicySpec,
    SamplerSpec,
    TaskPrompt,
)
from robot.errors import InputError, TillerError
from tests.policies.points import make_policy

ACTION = ActionSpec((ActionField("point.target", 2, "m", "native"),), 0.1)
SEEN = ObservationSpec((ObservationField("start", (2,), "float32", "m", "state"),))
RECIPE = CriticRecipe(network={"name": "mlp", "width": 32, "depth": 1, "members": 2}, steps=3)
CONFIG = TrainingConfig(
    steps=250, batch_size=64, learning_rate=3e-3, warmup=5, log_every=50, checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=1000, batches=2),
)  # fmt: skip


def write(path: Path, groups: int, *, by_chunk: bool, seed: int = 0, instructions: tuple[str, ...] = ("",)) -> Path:
    """Groups of six episodes from one start. Success is whether the chunk points to the right, or else whether the
    start lies there; with two instructions the second one asks for the left.
    """
    random = np.random.default_rng(seed)
    with Dataset.create(path, Schema(SEEN, ACTION, 0.1, (SUCCESS, GROUP, BRANCHED_AT, INSTRUCTION))) as dataset:
        for group in range(groups):
            start = random.uniform(-1, 1, 2)
            for member in range(6):
                chunk = random.uniform(-1, 1, 2)
                word = instructions[member % len(instructions)]
                right = bool((chunk if by_chunk else start)[0] > 0)
                data = {
                    "start": np.tile(start, (4, 1)).astype(np.float32),
                    "action": np.tile(start + chunk, (4, 1)).astype(np.float32),
                }
                meta = {"success": right != (word == "left"), "group": group, "branched_at": 1, "instruction": word}
                dataset.append(Episode(data=data, meta=meta))
    return path


@pytest.fixture(scope="module")
def by_chunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("critics") / "chunk", 40, by_chunk=True)


@pytest.fixture(scope="module")
def trained(by_chunk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("critics") / "run"
    return train_critic(by_chunk, RECIPE, CONFIG, output, device="cpu").checkpoint


def judged(checkpoint: Path, path: Path):  # type: ignore[no-untyped-def]
    data = Dataset.open(path)
    return judge(load_critic(checkpoint), [data], [np.arange(len(data))])


def test_a_critic_tells_chunks_of_one_state_apart_where_the_chunk_decides(trained: Path, tmp_path: Path) -> None:
    found = judged(trained, write(tmp_path / "fresh", 20, by_chunk=True, seed=1))
    assert found.auc[0] > 0.97 and found.within[1] > 0.95 and found.pairs > 100
    assert found.brier < 0.08 and found.calibration_error < 0.1
    assert found.chunks == 20 * 6 * 4 and found.episodes == 120


def test_a_critic_that_knows_the_start_alone_is_known_by_its_pairs(tmp_path: Path) -> None:
    """Its AUC is near 1, and it cannot choose."""
    store = write(tmp_path / "start", 40, by_chunk=False)
    checkpoint = train_critic(store, RECIPE, CONFIG, tmp_path / "run", device="cpu").checkpoint
    easy = judged(checkpoint, write(tmp_path / "fresh", 20, by_chunk=False, seed=1))
    assert easy.auc[0] > 0.95 and easy.pairs == 0 and np.isnan(easy.within[0])
    hard = judged(checkpoint, write(tmp_path / "hard", 40, by_chunk=True, seed=2))
    assert hard.within[0] < 0.8


def test_a_resumed_critic_has_the_same_bits(by_chunk: Path, trained: Path, tmp_path: Path) -> None:
    stopped = train_critic(by_chunk, RECIPE, replace(CONFIG, stop_after=100), tmp_path / "run", device="cpu")
    assert stopped.stopped == "stop_after"
    resumed = train_critic(by_chunk, RECIPE, CONFIG, tmp_path / "run", resume=True, device="cpu")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (resumed.checkpoint, trained)]
    assert weights[0] == weights[1]
    with pytest.raises(InputError, match=r"the recipe.*critic options"):
        train_critic(by_chunk, replace(RECIPE, steps=2), CONFIG, tmp_path / "run", resume=True, device="cpu")


def test_a_loaded_critic_scores_as_the_one_that_was_saved(trained: Path, tmp_path: Path) -> None:
    critic = load_critic(trained)
    random = np.random.default_rng(0)
    seen, chunks = {"start": random.normal(size=(4, 1, 2))}, random.normal(size=(4, 5, 3, 2))
    values = critic.value(seen, chunks)
    assert values.shape == (4, 5) and ((values > 0) & (values < 1)).all()
    again = load_critic(save_critic(critic, tmp_path / "saved"))
    np.testing.assert_array_equal(again.value(seen, chunks), values)
    assert critic_fingerprint(tmp_path / "saved") == critic_fingerprint(trained)
    alone = critic.value({"start": seen["start"][1:2]}, chunks[1:2, 2:3])
    np.testing.assert_allclose(alone[0, 0], values[1, 2], rtol=1e-5)


def test_chunks_of_other_rows_and_other_observations_are_refused(trained: Path) -> None:
    critic = load_critic(trained)
    seen = {"start": np.zeros((2, 1, 2))}
    for chunk in (np.zeros((2, 1, 4, 2)), np.zeros((2, 3, 2)), np.zeros((3, 1, 3, 2))):
        with pytest.raises(InputError, match=r"3 executed rows"):
            critic.value(seen, chunk)
    with pytest.raises(InputError, match=r"observation 'start'"):
        critic.value({"other": np.zeros((2, 1, 2))}, np.zeros((2, 1, 3, 2)))
    policy = PolicySpec(critic.spec.observation, ACTION, 6, 3, SamplerSpec("euler", 3))
    critic.spec.require_policy(policy)
    longer = replace(policy, n_action_steps=4)
    with pytest.raises(InputError, match=r"critic: rows: expected 4.*got 3.*critic.steps=4"):
        critic.spec.require_policy(longer)
    slower = replace(policy, action=replace(ACTION, period_s=0.2))
    with pytest.raises(InputError, match=r"critic: actions.*0.2 s.*0.1 s"):
        critic.spec.require_policy(slower)
    blind = replace(policy, observation=ObservationSpec((replace(SEEN.fields[0], unit="mm"),)))
    with pytest.raises(InputError, match=r"critic: observation 'start'.*in mm.*in m"):
        critic.spec.require_policy(blind)


def test_checkpoints_say_what_they_hold(trained: Path, store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    policy = save(make_policy(store, recipe), tmp_path / "policy")
    with pytest.raises(InputError, match=r"got a critic"):
        load(trained)
    with pytest.raises(InputError, match=r"got a policy"):
        load_critic(policy)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "critic.json").write_text('{"format": "tiller-policy", "version": 1}')
    with pytest.raises(InputError, match=r"tiller-critic"):
        load_critic(tmp_path / "broken")


def test_a_critic_reads_instructions(tmp_path: Path) -> None:
    store = write(tmp_path / "instructed", 60, by_chunk=True, instructions=("right", "left"))
    reading = replace(RECIPE, prompt={"name": "instruction", "size": 8})
    config = replace(CONFIG, steps=500)
    critic = load_critic(train_critic(store, reading, config, tmp_path / "run", device="cpu").checkpoint)
    assert critic.spec.prompt.instructions == ("left", "right")
    chunk = np.tile([0.8, 0.0], (1, 1, 3, 1))
    values = [critic.value({"start": np.zeros((1, 1, 2))}, chunk, TaskPrompt(word))[0, 0] for word in ("right", "left")]
    assert values[0] > 0.8 and values[1] < 0.2
    fresh = Dataset.open(write(tmp_path / "fresh", 20, by_chunk=True, seed=1, instructions=("right", "left")))
    assert judge(critic, [fresh], [np.arange(len(fresh))]).auc[0] > 0.9
    with pytest.raises(InputError, match=r"instruction"):
        critic.value({"start": np.zeros((1, 1, 2))}, chunk, TaskPrompt("up"))


def test_what_an_objective_learns_from_must_be_there(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", Schema(SEEN, ACTION, 0.1)) as dataset:
        for _ in range(4):
            dataset.append(
                Episode(data={"start": np.zeros((4, 2), np.float32), "action": np.zeros((4, 2), np.float32)})
            )
    with pytest.raises(InputError, match=r"fact 'success'.*one of every episode"):
        train_critic(tmp_path / "store", RECIPE, CONFIG, tmp_path / "run", device="cpu")


class Regression:
    """Success as a number."""

    facts, columns, reward = ("success",), (), "1 at success"

    def loss(self, outputs: Tensor, batch: TensorBatch) -> Tensor:
        return F.mse_loss(outputs, batch.facts["success"].expand_as(outputs), reduction="none").mean(0)

    def value(self, outputs: Tensor) -> Tensor:
        return outputs.mean(0)


def test_an_objective_of_ones_own_is_known_by_its_name(by_chunk: Path, tmp_path: Path) -> None:
    register_objective("regression", Regression)
    register_objective("regression", Regression)
    with pytest.raises(InputError, match=r"free.*Regression"):
        register_objective("regression", object)
    recipe = replace(RECIPE, objective={"name": "regression"})
    critic = load_critic(train_critic(by_chunk, recipe, CONFIG, tmp_path, device="cpu").checkpoint)
    data = Dataset.open(by_chunk)
    assert judge(critic, [data], [np.arange(len(data))]).within[0] > 0.95


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
@settings(deadline=None)
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    value, success = np.array([pair[0] for pair in pairs], float), np.array([pair[1] for pair in pairs])
    good, bad = value[success], value[~success]
    found = auc(value, success)
    if not len(good) or not len(bad):
        assert np.isnan(found)
    else:
        difference = good[:, None] - bad
        assert found == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())


def test_weights_of_a_critic_are_seeded(by_chunk: Path, tmp_path: Path) -> None:
    quick = replace(CONFIG, steps=5)
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(int(name == "b"))  # whatever was drawn before
        folder = train_critic(by_chunk, RECIPE, replace(quick, seed=seed), tmp_path / name, device="cpu").checkpoint
        digests.append(hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


class FixedValues:
    """A critic whose values are given."""

    def __init__(self, spec: CriticSpec, values: np.ndarray) -> None:
        self.spec, self._values = spec, iter(values)

    def value(self, observation: Any, chunk: np.ndarray, task: Any = None) -> np.ndarray:
        return np.array([[next(self._values)] for _ in chunk])


def judged_values(path: Path, values: list[list[float]], spec: CriticSpec) -> Judgement:
    data = Dataset.open(path)
    return judge(FixedValues(spec, np.concatenate(values)), [data], [np.arange(len(data))])  # type: ignore[arg-type]


def test_pairs_are_of_the_rows_where_episodes_leave_their_state(trained: Path, tmp_path: Path) -> None:
    """Ties count by half, and rows that were taken back shift nothing."""
    spec = load_critic(trained).spec
    still, rewound = np.zeros((5, 2), np.float32), np.array([Quality.REWOUND] * 2 + [0] * 3, np.uint16)
    schema = Schema(SEEN, ACTION, 0.1, (SUCCESS, GROUP, BRANCHED_AT), (), (QUALITY,))
    with Dataset.create(tmp_path / "store", schema) as dataset:
        for success, at in ((True, 3), (True, 3), (False, 3), (False, 5)):  # the last one leaves behind its end
            meta = {"success": success, "group": 0, "branched_at": at}
            dataset.append(Episode(data={"start": still, "action": still, "quality": rewound}, meta=meta))
    narrow = replace(spec, steps=1)  # rows 2 to 4 have a window
    found = judged_values(tmp_path / "store", [[0, 0.9, 0], [0, 0.5, 0], [1, 0.5, 1], [0, 0, 0]], narrow)
    assert (found.states, found.pairs) == (1, 2) and found.within[0] == 0.75


def test_values_that_are_no_numbers_or_no_chances_are_no_judgement(trained: Path, tmp_path: Path) -> None:
    spec = load_critic(trained).spec
    store = write(tmp_path / "store", 1, by_chunk=True)
    far = judged_values(store, [[float(number) for number in range(24)]], spec)
    assert len(far.bins) == 0 and "brier" not in far.figures and np.isfinite(far.auc[0])
    with pytest.raises(TillerError, match=r"1 of 24 values"):
        judged_values(store, [[0.5] * 23 + [float("nan")]], spec)


def test_calibration_counts_chunks(trained: Path, tmp_path: Path) -> None:
    store = write(tmp_path / "store", 1, by_chunk=True)
    success = np.repeat(np.asarray(Dataset.open(store).meta("success"), bool), 4)
    found = judged_values(store, [np.where(success, 0.8, 0.3).tolist()], load_critic(trained).spec)
    share = success.mean()
    assert found.calibration_error == pytest.approx(0.2 * share + 0.3 * (1 - share))
    assert found.brier == pytest.approx(0.04 * share + 0.09 * (1 - share)) and found.auc[0] == 1.0


def test_a_critic_is_not_told_by_goals(by_chunk: Path, tmp_path: Path) -> None:
    recipe = CriticRecipe(prompt={"name": "goal", "keys": ["goal"]})
    with pytest.raises(InputError, match=r"critic.prompt.*language.*goal"):
        train_critic(by_chunk, recipe, TrainingConfig(steps=1), tmp_path / "run")
