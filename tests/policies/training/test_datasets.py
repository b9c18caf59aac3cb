"""Several datasets, weighted episodes and modules of one's own behind the one trainer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import zarr
from torch import Tensor, nn

import tiller
from data.learning.sources.mixture import Mixture
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import SUCCESS
from data.store.schema import ColumnField, Schema
from policies.loading.load import load
from policies.model.batch import TensorBatch
from policies.model.checkpoint import save
from policies.model.trainable import LossModule
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.demonstrations import Demonstrations
from policies.training.module import fit_module, load_module
from policies.training.train import train
from robot.description import ActionSpec, ObservationSpec
from robot.errors import InputError
from tests.policies.points import episode, make_policy, schema, write_store

CONFIG = TrainingConfig(
    steps=40, batch_size=16, warmup=2, log_every=20, checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=20, batches=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points, every second of which succeeds, and those go the other way."""
    plain = schema()
    path = tmp_path_factory.mktemp("judged") / "store"
    with Dataset.create(path, Schema(plain.observation, plain.action, plain.period_s, (SUCCESS,))) as dataset:
        for seed in range(20):
            made = episode(seed, 20)
            data = dict(made.data)
            data["action"] = (data["action"] if seed % 2 else -data["action"]).astype(np.float32)
            dataset.append(Episode(data=data, meta={"success": bool(seed % 2)}))
    return path


def test_two_datasets_train_one_policy_and_a_resumed_run_is_exact(
    store: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "other", episodes=6, rows=12)
    config = replace(CONFIG, weights=(3.0, 1.0))
    whole = train([store, other], recipe, config, tmp_path / "whole", device="cpu")
    train([store, other], recipe, replace(config, stop_after=17), tmp_path / "parts", device="cpu")
    parts = train([store, other], recipe, config, tmp_path / "parts", resume=True, device="cpu")
    weights = [(result.checkpoint / "model.safetensors").read_bytes() for result in (whole, parts)]
    assert weights[0] == weights[1] and np.isfinite(whole.validation_loss)
    load(whole.checkpoint)
    with pytest.raises(InputError, match=r"the data of .*store, .*other"):
        train([other, store], recipe, config, tmp_path / "parts", resume=True, device="cpu")
    with pytest.raises(InputError, match=r"training.weights: expected \(3.0, 1.0\)"):
        train([store, other], recipe, CONFIG, tmp_path / "parts", resume=True, device="cpu")


def test_shares_of_datasets_hold_in_every_batch(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other", episodes=3, rows=12)
    data = Demonstrations.open([store, other], replace(CONFIG, weights=(0.5, 0.5)))
    spec = make_policy(store, recipe).spec
    source = data.source(data.windows(spec), spec)
    assert isinstance(source, Mixture)
    order = source.order(np.random.default_rng(0))
    first = source.gather(order).episode < len(Dataset.open(store))
    for start in range(0, len(order) - 16, 16):
        assert 7 <= first[start : start + 16].sum() <= 9


def test_a_policy_of_weighted_episodes_does_what_the_better_ones_did(
    judged: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    recipe = replace(recipe, objective={"name": "regression"}, network={"name": "mlp", "width": 64, "depth": 2})
    config = replace(CONFIG, steps=300, batch_size=64, learning_rate=3e-3)
    errors = {}
    for name, order in {
        "uniform": {"name": "uniform"},
        "return": {"name": "return_weighted", "temperature": 0.1},
        "top": {"name": "top", "share": 0.5},
        "advantage": {"name": "advantage_weighted", "temperature": 0.1},
    }.items():
        policy = load(train(judged, recipe, replace(config, order=order), tmp_path / name, device="cpu").checkpoint)
        made = episode(101, 20)
        state, goal = made.data["point.state"], made.data["goal"]
        chunk = policy.sample(
            {"point.state": np.stack([state[8:10]]), "goal": np.stack([goal[8:10]])}, samples=1, seeds=[0]
        )[0, 0]
        errors[name] = float(np.abs(chunk[:3] - made.data["action"][9:12]).mean())
    assert max(errors["return"], errors["top"], errors["advantage"]) < 0.7 * errors["uniform"], errors


def other_store(path: Path, **changes: Any) -> Path:
    plain = schema()
    observation, action, period_s = plain.observation, plain.action, plain.period_s
    if "unit" in changes:
        observation = ObservationSpec((observation.fields[0], replace(observation.fields[1], unit=changes["unit"])))
    if "kind" in changes:
        action = ActionSpec((replace(action.fields[0], kind=changes["kind"]),), period_s)
    if "period_s" in changes:
        period_s = changes["period_s"]
        action = ActionSpec(action.fields, period_s)
    with Dataset.create(path, Schema(observation, action, period_s)) as dataset:
        dataset.append(episode(0, 20))
    return path


@pytest.mark.parametrize(
    ("changes", "both"),
    [
        ({"unit": "mm"}, ("[m]", "[mm]")),
        ({"period_s": 0.05}, ("0.1", "0.05")),
        ({"kind": "joint"}, ("native", "joint")),
    ],
)
def test_datasets_that_do_not_fit_are_shown_side_by_side(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, changes: dict[str, Any], both: tuple[str, str]
) -> None:
    other = other_store(tmp_path / "other", **changes)
    with pytest.raises(InputError) as caught:
        train([store, other], recipe, CONFIG, tmp_path / "run", device="cpu")
    assert all(each in str(caught.value) for each in (*both, str(store), str(other)))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"weights": (1.0, 0.0)}, r"training.weights.*above 0"),
        ({"weights": (1.0, float("nan"))}, r"training.weights.*nan"),
        ({"weights": (1.0,)}, r"training.weights.*2 finite"),
        ({"order": {"name": "retrun_weighted"}}, r"training.order.*return_weighted"),
        ({"order": {"name": "top", "shre": 1}}, r"training.order.*'shre'.*share"),
        ({"order": {"name": "fact"}}, r"training.order.*key"),
        ({"order": {"name": "return_weighted"}}, r"returns.*neither"),
    ],
)
def test_weights_and_orders_that_make_no_sense_are_named(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    other = write_store(tmp_path / "other", episodes=3)
    with pytest.raises(InputError, match=named):
        train([store, other], recipe, replace(CONFIG, **changes), tmp_path / "run", device="cpu")


class Verifier(LossModule):
    """The chance of success from the state and the next rows: a stranger's critic."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(5 + 2 * 4, width), nn.ReLU(), nn.Linear(width, 1))

    def logit(self, observation: dict[str, Tensor], action: Tensor) -> Tensor:
        seen = torch.cat([observation["point.state"][:, -1], observation["goal"][:, -1], action.flatten(1)], dim=1)
        return self.network(seen)[:, 0]

    def loss(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        logit = self.logit(dict(batch.observation), batch.action)
        return F.binary_cross_entropy_with_logits(logit, batch.facts["success"], reduction="sum")


def test_a_module_of_ones_own_is_trained_resumed_and_loaded(judged: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=200, batch_size=64, learning_rate=3e-3)
    given: dict[str, Any] = {"horizon": 4, "facts": ["success"], "settings": {"width": 32}, "device": "cpu"}

    def fresh() -> Verifier:
        torch.manual_seed(0)
        return Verifier()

    whole = tiller.fit(fresh(), judged, tmp_path / "whole", config=config, **given)
    fit_module(fresh(), judged, tmp_path / "parts", replace(config, stop_after=90), **given)
    parts = fit_module(fresh(), judged, tmp_path / "parts", config, resume=True, **given)
    loaded = [load_module(fresh(), result.checkpoint) for result in (whole, parts)]
    for one, other in zip(*(module.parameters() for module in loaded)):
        assert torch.equal(one, other)
    assert whole.loss < 0.3 and not loaded[0].training
    metrics = (tmp_path / "whole" / "metrics.csv").read_text()
    assert "validation_loss" in metrics and "gradient_norm" in metrics
    with pytest.raises(InputError, match=r"the recipe"):
        fit_module(fresh(), judged, tmp_path / "parts", config, resume=True, **{**given, "settings": {"width": 64}})
    with pytest.raises(InputError, match=r"fact 'succes'.*only success"):
        fit_module(fresh(), judged, tmp_path / "more", config, **{**given, "facts": ["succes"]})


def test_kinds_of_checkpoints_are_told_apart(judged: Path, store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    result = fit_module(Verifier(), judged, tmp_path / "run", CONFIG, horizon=4, facts=["success"], device="cpu")
    with pytest.raises(InputError, match=r"got a module"):
        load(result.checkpoint)
    with pytest.raises(InputError, match=r"got a module"):
        tiller.load_critic(result.checkpoint)
    with pytest.raises(InputError, match=r"got a policy"):
        load_module(Verifier(), save(make_policy(store, recipe), tmp_path / "policy"))

    class Another(Verifier):
        pass

    with pytest.raises(InputError, match=r"expected a Another, got a Verifier"):
        load_module(Another(), result.checkpoint)
    with pytest.raises(InputError, match=r"tensor"):
        load_module(Verifier(width=16), result.checkpoint)


def test_the_same_dataset_twice_would_leak_what_is_held_out(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the same one twice"):
        Demonstrations.open([store, store], CONFIG)
    assert len(Demonstrations.open([store, store], replace(CONFIG, validation=ValidationConfig(0.0))).datasets) == 2


def test_weights_know_nothing_of_episodes_that_are_not_trained_on(judged: Path) -> None:
    data = Dataset.open(judged)
    config = replace(CONFIG, order={"name": "fact", "key": "success"}, demonstrations=5)
    demonstrations = Demonstrations.open(data, config)
    weights = demonstrations.weights()[0]
    assert weights is not None and len(weights) == len(data)
    chosen = demonstrations.training[0]
    assert len(chosen) == 5 and not np.delete(weights, chosen).any()
    best = replace(config, order={"name": "top", "share": 0.2})
    assert Demonstrations.open(data, best).weights()[0][chosen].any()  # type: ignore[index]


def test_columns_of_two_types_are_not_mixed(tmp_path: Path) -> None:
    plain, paths = schema(), []
    for name, dtype in (("a", "uint8"), ("b", "float32")):
        column = ColumnField("weight", (), dtype, "1")
        with Dataset.create(
            tmp_path / name, Schema(plain.observation, plain.action, plain.period_s, (), (), (column,))
        ) as dataset:
            made = episode(len(paths), 12)
            dataset.append(Episode(data={**made.data, "weight": np.full(12, 7, dtype)}, meta={}))
        paths.append(tmp_path / name)
    data = Demonstrations.open(paths, replace(CONFIG, validation=ValidationConfig(0.0)))
    spec = Windowed(plain.observation, 4)
    with pytest.raises(InputError, match=r"column 'weight'.*uint8.*float32"):
        data.windows(spec, ["weight"])


@dataclass(frozen=True)
class Windowed:
    observation: ObservationSpec
    horizon: int


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"horizon": 0}, "horizon"),
        ({"horizon": 1.5}, "horizon"),
        ({"settings": {"a": float("nan")}}, "settings"),
        ({"settings": {"a": {1, 2}}}, "settings"),
        ({"facts": "success"}, r"facts.*\['success'\]"),
        ({"config": {"steps": 3}}, "config.*TrainingConfig.*dict"),
    ],
)
def test_modules_and_options_that_make_no_sense_are_named(
    judged: Path, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    given = {"horizon": 4, "facts": ["success"], "config": CONFIG, "device": "cpu"} | changes
    with pytest.raises(InputError, match=named):
        tiller.fit(Verifier(), judged, tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_what_is_no_module_with_a_loss_is_refused(judged: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"module to train: expected a LossModule, got a Linear"):
        tiller.fit(nn.Linear(2, 2), judged, tmp_path)  # type: ignore[arg-type]


def test_a_run_of_a_module_resumes_with_the_same_window_only(judged: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"horizon": 4, "facts": ["success"], "device": "cpu"}
    fit_module(Verifier(), judged, tmp_path, replace(CONFIG, stop_after=10), **given)
    with pytest.raises(InputError, match=r"the recipe"):
        fit_module(Verifier(), judged, tmp_path, CONFIG, resume=True, **given, columns=[], keys=["goal", "point.state"])


@pytest.mark.parametrize(("key", "number"), [("goal", 0), ("point.state", 7), ("action", 3)])
def test_a_number_that_nothing_can_be_learnt_from_is_named(
    recipe: PolicyRecipe, tmp_path: Path, key: str, number: int
) -> None:
    with Dataset.create(tmp_path / "data", schema()) as dataset:
        for other in range(10):
            one = episode(other, 12)
            if other == number:
                one.data[key][5, -1] = np.nan if key == "goal" else 1.0 if key == "action" else np.inf
            dataset.append(one)
    if key == "action":  # no writer of ours takes it
        zarr.open(tmp_path / "data", mode="r+")["data/action"][12 * number + 5, -1] = np.inf  # type: ignore[index]
    for fraction in (0.0, 0.5):  # learnt from, or held out by chance
        with pytest.raises(InputError, match=rf"data': '{key}' of episode {number}: .*got NaN or infinity"):
            config = replace(CONFIG, validation=ValidationConfig(fraction))
            train(tmp_path / "data", recipe, config, tmp_path / "run", device="cpu")
