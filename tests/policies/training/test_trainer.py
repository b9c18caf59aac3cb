"""Training: it learns, counts what it should, validates honestly, and says why it stops."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch

from data.learning.windows import Windows
from data.store.dataset import Dataset
from policies.loading.load import load
from policies.model.device import choose_device
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import EmaConfig, NormalisationConfig, PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.batches import Batches, RowOrder, to_torch
from policies.training.ema import MovingAverage
from policies.training.learner import Learner
from policies.training.running.distributed import Ranks
from policies.training.train import train
from policies.training.validation import Validation
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError, TillerError
from tests.policies.points import episode, make_policy, observe, schema, write_store

QUICK = TrainingConfig(
    steps=60,
    batch_size=16,
    warmup=5,
    log_every=20,
    checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=30, batches=2),
)
CPU = torch.device("cpu")


def windows_of(store: Path, policy: DiffusionPolicy) -> Windows:
    return Windows(Dataset.open(store), policy.spec)


def learner_on(store: Path, recipe: PolicyRecipe, **config: Any) -> tuple[Learner, Batches]:
    policy = make_policy(store, recipe)
    learner = Learner(policy.model, replace(QUICK, **config), Ranks())
    order = RowOrder(windows_of(store, policy), learner.config.batch_size, seed=0)
    return learner, Batches(order, CPU, learner.config.accumulation, Ranks(), ahead=False)


def test_a_policy_learns_to_go_where_the_demonstrations_go(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    recipe = replace(recipe, network={"name": "mlp", "width": 64, "depth": 2}, objective={"name": "regression"})
    # How far so few updates come depends on the kernels of the processor: 300 came to 0.301 of a step on one.
    config = replace(QUICK, steps=500, batch_size=64, learning_rate=3e-3, validation=ValidationConfig(fraction=0))
    result = train(store, recipe, config, tmp_path, device="cpu")
    assert result.stopped == "done"
    assert result.checkpoint == tmp_path / "checkpoints" / "final"
    policy = load(tmp_path)
    batch = windows_of(store, policy).gather(np.arange(0, 200, 5))
    error = np.linalg.norm(policy.sample(batch.observation)[:, 0, 0] - batch.action[:, 0], axis=-1)
    step = np.linalg.norm(batch.observation["point.state"][:, -1, :2] - batch.action[:, 0], axis=-1)
    assert error.mean() < 0.3 * step.mean()


def test_one_batch_can_be_overfitted(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    recipe = replace(recipe, network={"name": "mlp", "width": 64, "depth": 2}, objective={"name": "regression"})
    result = train(
        store,
        recipe,
        replace(QUICK, steps=200, batch_size=8, learning_rate=3e-3, overfit_one_batch=True),
        tmp_path,
        device="cpu",
    )
    assert result.loss < 1e-3
    assert result.validation_loss > 3 * result.loss


def test_what_a_run_leaves_behind(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    seen: list[tuple[int, bool]] = []

    def evaluate(policy: DiffusionPolicy, update: int) -> dict[str, float]:
        action = policy.sample(observe(policy, 2), seeds=[0, 1])
        seen.append((update, bool(np.isfinite(action).all())))
        return {"score": update / 100}

    result = train(
        store,
        recipe,
        replace(QUICK, evaluate_every=25, checkpoint_every=20, keep_every=40),
        tmp_path,
        evaluate=evaluate,
        device="cpu",
    )
    assert seen == [(25, True), (50, True), (60, True)]
    assert result.evaluations == {25: {"score": 0.25}, 50: {"score": 0.5}, 60: {"score": 0.6}}
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["final", "last", "step-00000040", "step-00000060"]
    assert (tmp_path / "checkpoints" / "last").resolve().name == "step-00000060"
    assert load(tmp_path / "checkpoints" / "last").spec == load(tmp_path).spec
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row["loss"]] == ["20", "40", "60"]
    assert [row["step"] for row in rows if row["validation_loss"]] == ["30", "60"]
    assert [row["step"] for row in rows if row["score"]] == ["25", "50", "60"]
    assert {"data_s", "update_s", "samples_per_s", "learning_rate", "gradient_norm"} <= set(rows[0])
    assert list((tmp_path / "tensorboard").iterdir())


def test_an_output_with_a_run_in_it_is_not_overwritten(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    quick = replace(QUICK, steps=2)
    train(store, recipe, quick, tmp_path, device="cpu")
    with pytest.raises(InputError, match="resume=true"):
        train(store, recipe, quick, tmp_path, device="cpu")
    with pytest.raises(InputError, match="no checkpoints/last"):
        train(store, recipe, quick, tmp_path / "empty", resume=True, device="cpu")


def test_two_trainings_never_share_a_folder(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    quick = replace(QUICK, steps=10, evaluate_every=5)

    def evaluate(policy: DiffusionPolicy, update: int) -> dict[str, float]:
        with pytest.raises(InputError, match=r"is being written by process \d+"):
            train(store, recipe, quick, tmp_path, resume=True, device="cpu")
        return {"score": 1.0}

    result = train(store, recipe, quick, tmp_path, evaluate=evaluate, device="cpu")
    assert sorted(result.evaluations) == [5, 10]
    assert train(store, recipe, quick, tmp_path, resume=True, device="cpu").updates == 10


def test_other_choices_are_not_taken_for_a_resumed_run(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    quick = replace(QUICK, steps=4, stop_after=2)
    train(store, recipe, quick, tmp_path / "run", device="cpu")
    other = write_store(tmp_path / "other", episodes=4)
    for store_, recipe_, config, message in (
        (store, replace(recipe, horizon=5), quick, "the recipe"),
        (other, recipe, quick, "the data"),
        (store, recipe, replace(quick, batch_size=8), "training.batch_size: expected 16"),
    ):
        with pytest.raises(InputError, match=message):
            train(store_, recipe_, config, tmp_path / "run", resume=True, device="cpu")


def test_padding_has_no_say_in_the_loss(store: Path, recipe: PolicyRecipe) -> None:
    policy = make_policy(store, recipe)
    batch = to_torch(windows_of(store, policy), np.arange(18, 24))
    assert batch.is_pad.any()
    assert batch.kept == int((~batch.is_pad).sum())

    def loss(action: torch.Tensor) -> float:
        return policy.model(replace(batch, action=action), torch.Generator().manual_seed(0)).item()

    far = torch.where(batch.is_pad[..., None], 100.0, batch.action)
    regression = make_policy(store, replace(recipe, objective={"name": "regression"}))
    before, after = (
        regression.model(replace(batch, action=action), torch.Generator()).item() for action in (batch.action, far)
    )
    assert before == after
    assert policy.model.elements(batch) == batch.kept * 2
    policy.model.pad_loss = True
    assert loss(far) > loss(batch.action)
    assert policy.model.elements(batch) == batch.is_pad.numel() * 2


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_micro_batches_add_up_to_the_batch(store: Path, recipe: PolicyRecipe, clip: float) -> None:
    regression = replace(recipe, objective={"name": "regression"})
    weights = []
    for accumulation in (1, 4):
        learner, batches = learner_on(store, regression, accumulation=accumulation, grad_clip=clip)
        losses = [learner.learn(update, batches.fetch(update))[0].item() for update in range(5)]
        weights.append([parameter.detach().clone() for parameter in learner.parameters])
        assert learner.average.updates == 5
        assert learner.schedule.last_epoch == 5
        weights.append(losses)
    for one, other in zip(weights[0], weights[2]):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(weights[1], weights[3], rtol=1e-4)


def test_the_learning_rate_warms_up_and_falls_to_zero(store: Path, recipe: PolicyRecipe) -> None:
    learner, batches = learner_on(store, recipe, steps=20, warmup=5, learning_rate=1.0)
    rates = []
    for update in range(20):
        rates.append(learner.learning_rate)
        learner.learn(update, batches.fetch(update))
    np.testing.assert_allclose(rates[:6], [0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(before > after for before, after in pairwise(rates[5:]))
    assert learner.learning_rate == pytest.approx(0, abs=1e-9)


def test_the_average_is_what_its_formula_says() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    average, expected = MovingAverage(model, EmaConfig(decay=0.9, power=0.75)), None
    for update in range(60):
        model.weight.data.fill_(float(update % 7))
        decay = min(0.9, 1 - (1 + update) ** -0.75)
        expected = update % 7 if expected is None else decay * expected + (1 - decay) * (update % 7)
        average.update()
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-5)
    assert not average.model.weight.requires_grad


def test_validation_repeats_itself_without_dropout_and_leaves_training_alone(store: Path, recipe: PolicyRecipe) -> None:
    recipe = replace(recipe, network={**recipe.network, "dropout": 0.5})
    learner, _ = learner_on(store, recipe)
    validation = Validation(Windows(Dataset.open(store), make_policy(store, recipe).spec, np.array([0])), 8, 2)
    before = torch.get_rng_state()
    first, second = (validation.loss(learner.average.model) for _ in range(2))
    assert first == second
    assert torch.equal(before, torch.get_rng_state())
    assert learner.model.training


def test_every_row_is_learnt_from_once_an_epoch_in_another_order_each(store: Path, recipe: PolicyRecipe) -> None:
    windows = windows_of(store, make_policy(store, recipe))
    order, count = RowOrder(windows, 16, seed=3), len(windows)
    stream = np.concatenate([order.rows(update) for update in range(2 * count // 16 + 1)])
    for epoch in (stream[:count], stream[count : 2 * count]):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(count))
    assert (stream[:count] != stream[count : 2 * count]).any()
    np.testing.assert_array_equal(RowOrder(windows, 16, seed=3).rows(9), stream[144:160])
    assert (RowOrder(windows, 16, seed=4).rows(0) != stream[:16]).any()


def test_a_batch_may_be_larger_than_the_data(store: Path, recipe: PolicyRecipe) -> None:
    windows = windows_of(store, make_policy(store, recipe))
    rows = RowOrder(windows, 3 * len(windows) + 1, seed=0).rows(0)
    np.testing.assert_array_equal(np.bincount(rows, minlength=len(windows)) // 3, 1)


def test_processes_share_a_batch_without_overlap(store: Path, recipe: PolicyRecipe) -> None:
    order = RowOrder(windows_of(store, make_policy(store, recipe)), 16, seed=0)
    whole = Batches(order, CPU, 4, Ranks(), ahead=False).fetch(3)
    shards = [Batches(order, CPU, 2, Ranks(rank, 2), ahead=True) for rank in range(2)]
    for part in range(4):
        shard = shards[part % 2].fetch(3)[part // 2]
        assert torch.equal(shard.action, whole[part].action)
    for one in shards:
        one.__exit__()


def test_a_run_stops_when_its_minutes_are_used_up_and_says_so(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(store, recipe, replace(QUICK, steps=10**6, minutes=1e-3), tmp_path, device="cpu")
    assert result.stopped == "minutes"
    assert 0 < result.updates < 10**6
    assert load(tmp_path).spec.horizon == 6
    assert "minutes used up" in capsys.readouterr().err


def test_a_run_away_from_a_terminal_does_not_flood_it(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(store, recipe, replace(QUICK, log_every=1, validation=ValidationConfig(fraction=0)), tmp_path, device="cpu")
    assert len(capsys.readouterr().err.splitlines()) < 5


@pytest.mark.parametrize(("mode", "warned"), [("limits", True), ("gaussian", True), ("none", False)])
def test_noise_that_the_normaliser_makes_a_motion_is_named(
    tmp_path: Path, recipe: PolicyRecipe, capsys: pytest.CaptureFixture[str], mode: str, warned: bool
) -> None:
    still = [episode(seed, 20) for seed in range(4)]
    for seed, one in enumerate(still):
        noise = np.random.default_rng(seed).uniform(-5e-6, 5e-6, 20)
        one.data["point.state"][:, 1] = 0.5 + noise
    with Dataset.create(tmp_path / "store", schema()) as dataset:
        dataset.extend(still)
    recipe = replace(recipe, transforms=(), normalisation=NormalisationConfig(fields={"point.state": mode}))
    train(tmp_path / "store", recipe, replace(QUICK, steps=1), tmp_path / "run", device="cpu")
    said = capsys.readouterr().err
    found = re.search(r"'point.state' hardly changes in component 1 \(range (\S+), gain (\S+)\)", said)
    assert (found is not None) == warned
    if found is not None:
        assert 8e-6 < float(found[1]) <= 1e-5 and float(found[2]) > 1e5
    assert "'goal'" not in said


def store_of(path: Path, values: Callable[[int], np.ndarray], kind: str) -> Path:
    """The point's demonstrations with goals (rows, 2) of another type."""
    fields = [
        ObservationField("goal", (2,), kind, "1", "state") if each.name == "goal" else each
        for each in schema().observation
    ]
    with Dataset.create(path, replace(schema(), observation=ObservationSpec(tuple(fields)))) as dataset:
        for seed in range(4):
            one = episode(seed, 20)
            one.data["goal"] = np.stack([values(20), values(20)], axis=1).astype(kind)
            dataset.append(one)
    return path


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (lambda rows: 1.7e9 + np.sin(np.arange(rows)), "float64", "is constant"),
        (lambda rows: 2**53 + np.arange(rows), "int64", "is constant"),
        (lambda rows: 1.7e9 + 63 + np.arange(rows), "float64", "is nearly constant"),
        (lambda rows: 100 + np.sin(np.arange(rows)), "float64", None),
        (lambda rows: 1.7e9 + 0 * np.arange(rows), "float64", None),
        (lambda rows: 0.1 + 1e-9 * np.arange(rows), "float64", None),
    ],
)
def test_motion_that_float32_cannot_hold_is_named(
    tmp_path: Path,
    recipe: PolicyRecipe,
    capsys: pytest.CaptureFixture[str],
    values: Callable[[int], np.ndarray],
    kind: str,
    said: str | None,
) -> None:
    train(store_of(tmp_path / "store", values, kind), recipe, replace(QUICK, steps=1), tmp_path / "run", device="cpu")
    warnings = capsys.readouterr().err
    assert ("in float32" in warnings) == (said is not None)
    if said is not None:
        assert f"Warning: 'goal' {said} in float32 in component 1" in warnings
        assert "leave the key out of policy.observation" in warnings
    assert "'point.state'" not in warnings


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_refused_with_key_and_dataset(tmp_path: Path, recipe: PolicyRecipe) -> None:
    path = store_of(tmp_path / "store", lambda rows: np.linspace(0, -1e39, rows), "float64")
    with pytest.raises(
        InputError, match=r"store': 'goal', component 0: .*float32.* got -1e\+39\. .*policy\.observation"
    ):
        train(path, recipe, QUICK, tmp_path / "run", device="cpu")


def test_a_loss_that_is_no_number_ends_the_run(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    with pytest.raises(TillerError, match="training diverged") as error:
        diverging = replace(QUICK, learning_rate=10.0, weight_decay=1.0, warmup=0, grad_clip=0.0)
        train(store, recipe, diverging, tmp_path, device="cpu")
    assert error.value.exit_code == 1


def test_fewer_demonstrations_are_a_choice(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    train(store, recipe, replace(QUICK, steps=2, demonstrations=3), tmp_path / "few", device="cpu")
    with pytest.raises(InputError, match=r"training\.demonstrations: expected 1 to 8"):
        train(store, recipe, replace(QUICK, demonstrations=9), tmp_path / "many", device="cpu")


def test_bf16_learns_as_float32_does(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    losses = [
        train(store, recipe, replace(QUICK, precision=precision), tmp_path / precision, device="cpu").loss
        for precision in ("float32", "bf16")
    ]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_named_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"device=cuda.*Use device=cpu"):
        choose_device("cuda")
    assert choose_device("auto") == CPU
    with pytest.raises(InputError, match="auto, cpu, cuda"):
        choose_device("gpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp16"}, "training.precision"),
        ({"accumulation": 3}, "a divisor of the batch size 16"),
        ({"schedule": "cosin"}, "training.schedule"),
    ],
)
def test_wrong_choices_are_named(
    store: Path, recipe: PolicyRecipe, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        train(store, recipe, replace(QUICK, **change), tmp_path, device="cpu")
