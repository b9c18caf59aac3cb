"""Which critic is taken: by its concordance on starts that are neither trained on nor reported on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.split import starts_of
from data.store.dataset import Dataset
from policies.critics.base import Base, BaseChunks
from policies.critics.checkpoint import load_critic
from policies.critics.judgement import CONCORDANCE, GATE, halves, judge
from policies.critics.names import ENOUGH_STATES
from policies.critics.ranking import concordant_pairs, share_of_pairs
from policies.critics.train import train_critic
from policies.model.checkpoint_folder import find
from policies.recipe.recipe import TrainingConfig, ValidationConfig
from policies.training.demonstrations import Demonstrations
from robot.errors import InputError
from tests.policies.critics.chains import CONFIG, STEPS, make_base, recipe, write_chain, write_groups

QUARTER = replace(CONFIG, validation=ValidationConfig(0.25))


def test_episodes_of_one_start_are_never_split(tmp_path: Path) -> None:
    """Groups of two datasets share half of their starts, another task's seeds are other starts."""
    data = [
        Dataset.open(write_groups(tmp_path / "a", 20)),
        Dataset.open(write_groups(tmp_path / "b", 20, first=10, seed=1)),
        Dataset.open(write_groups(tmp_path / "c", 20, seed=2, task="other")),
    ]
    plain = Demonstrations.open(data, QUARTER)
    whole = Demonstrations.open(data, QUARTER, by_start=True)

    def starts(of: Demonstrations, part: str) -> set[object]:
        return {starts_of(each)[number] for each, own in zip(of.datasets, getattr(of, part)) for number in own}

    assert starts(plain, "training") & starts(plain, "held_out")
    assert not starts(whole, "training") & starts(whole, "held_out")
    for before, now, each in zip(plain.held_out, whole.held_out, data):
        assert set(before) <= set(now)
        assert len(now) % 4 == 0 and len(now) < len(each)
    assert all(len(now) + len(held) == 80 for now, held in zip(whole.training, whole.held_out))
    np.testing.assert_array_equal(plain.held_out[2], whole.held_out[2])
    alone = Demonstrations.open(data[:1], QUARTER, by_start=True)
    np.testing.assert_array_equal(alone.held_out[0], Demonstrations.open(data[:1], QUARTER).held_out[0])


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.open(write_groups(tmp_path_factory.mktemp("choice") / "groups", 12))


@given(st.lists(st.integers(0, 47), min_size=4, unique=True), st.integers(0, 100))
@settings(deadline=None)
def test_halves_share_no_start_and_both_have_states_of_both_outcomes(
    groups: Dataset, chosen: list[int], seed: int
) -> None:
    selection, report = halves([groups], [np.array(chosen)], seed)
    assert sorted([*selection[0], *report[0]]) == sorted(chosen)
    group, success = np.asarray(groups.meta("group")), np.asarray(groups.meta("success"))
    assert not set(group[selection[0]]) & set(group[report[0]])
    mixed = [
        sum(0 < success[part[group[part] == each]].mean() < 1 for each in set(group[part].tolist()))
        for part in (selection[0], report[0])
    ]
    assert 0 <= mixed[0] - mixed[1] <= 1


def test_a_bootstrap_over_starts_draws_states_of_one_start_together() -> None:
    """Ten copies of each state say nothing more: the interval is that of the states alone."""
    random = np.random.default_rng(0)
    good, pairs = random.integers(0, 5, 12).astype(float), np.full(12, 4.0)
    alone = share_of_pairs(good, pairs, np.arange(12), np.random.default_rng(1))
    copies = share_of_pairs(
        np.repeat(good, 10), np.repeat(pairs, 10), np.repeat(np.arange(12), 10), np.random.default_rng(1)
    )
    apart = share_of_pairs(np.repeat(good, 10), np.repeat(pairs, 10), np.arange(120), np.random.default_rng(1))
    np.testing.assert_allclose(copies, alone)
    assert apart[2] - apart[1] < 0.6 * (alone[2] - alone[1])
    assert concordant_pairs(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == (3.5, 4)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Base, Dataset]:
    """A critic that is chosen among its checkpoints, its base, and the episodes that chose it."""
    folder = tmp_path_factory.mktemp("choice")
    store = write_groups(folder / "store", 30)
    data, base = Dataset.open(write_groups(folder / "judged", 30, first=100, seed=5)), make_base(store)
    chunks = BaseChunks(base, STEPS)
    # What is shown as its concordance rises and falls: the second one is the best.
    shown = iter((0.6, 0.8, 0.7, 0.5))
    config = replace(CONFIG, steps=40, evaluate_every=10, keep_every=20)
    train_critic(
        store,
        recipe({"name": "success"}),
        config,
        folder / "run",
        evaluate=lambda critic, updates: {CONCORDANCE: next(shown), "auc": judged(critic, data, chunks).auc[0]},
        base=base,
        device="cpu",
    )
    return folder / "run", base, data


def judged(critic: object, data: Dataset, chunks: BaseChunks | None):  # type: ignore[no-untyped-def]
    return judge(critic, [data], [np.arange(len(data))], chunks=chunks)  # type: ignore[arg-type]


def test_the_checkpoint_of_the_largest_concordance_is_the_one_to_use(chosen: tuple[Path, Base, Dataset]) -> None:
    run = chosen[0]
    best = run / "checkpoints" / "best"
    assert find(run, "critic.json") == best
    assert json.loads((best / "choice.json").read_text()) == {"by": CONCORDANCE, "value": 0.8, "update": 20}
    kept = run / "checkpoints" / "step-00000020"
    assert (best / "model.safetensors").read_bytes() == (kept / "model.safetensors").read_bytes()
    assert (best / "model.safetensors").read_bytes() != (run / "checkpoints/final/model.safetensors").read_bytes()


def test_a_resumed_run_keeps_its_choice(tmp_path: Path) -> None:
    store = write_groups(tmp_path / "store", 8)
    config = replace(CONFIG, steps=30, evaluate_every=10)
    shown = {10: 0.8, 20: 0.6, 30: 0.7}

    def go(config: TrainingConfig, resume: bool) -> Path:
        return train_critic(
            store,
            recipe({"name": "success"}),
            config,
            tmp_path / "run",
            evaluate=lambda critic, updates: {CONCORDANCE: shown[updates]},
            resume=resume,
            device="cpu",
        ).checkpoint

    go(replace(config, stop_after=15), False)
    assert go(config, True) == tmp_path / "run" / "checkpoints" / "best"
    assert json.loads((tmp_path / "run/checkpoints/best/choice.json").read_text())["update"] == 10


def test_a_judgement_says_whether_a_critic_may_choose(chosen: tuple[Path, Base, Dataset]) -> None:
    run, base, data = chosen
    critic = load_critic(run)
    judgement = judged(critic, data, BaseChunks(base, STEPS))
    record = judgement.record
    assert record["gate"] == GATE and record["passed"] == judgement.passed == (judgement.within[1] > GATE)
    assert judgement.states >= ENOUGH_STATES
    sure = replace(judgement, within=(1.0, 1.0, 1.0))
    assert sure.passed and not replace(sure, states=ENOUGH_STATES - 1).passed, "one start has an interval of no width"
    assert {"auc", CONCORDANCE, "auc_within_state_low", "states", "brier", "calibration_error"} <= set(record)
    assert record["bound_rate"] is None, "values that are not discounted have no such rate"
    json.dumps(record, allow_nan=False)
    with pytest.raises(InputError, match=r"base of the critic to judge.*got none"):
        judged(critic, data, None)
    with pytest.raises(InputError, match=r"hash 0123456789abcdef.*ffff"):
        judged(critic, data, BaseChunks(replace(base, hash="ffff"), STEPS))


def test_discounted_values_are_judged_by_discounted_success(tmp_path: Path) -> None:
    """A critic that is right on a chain has small errors, though its values are far from the chance of success."""
    store = write_chain(tmp_path / "store", [(0, 5, True, True), (0, 3, False, True)])
    made = recipe({"name": "iql", "expectile": 0.5, "target_rate": 0.1, "width": 32, "depth": 1})
    critic = load_critic(train_critic(store, made, CONFIG, tmp_path / "run", device="cpu").checkpoint)
    judgement = judged(critic, Dataset.open(store), None)
    values = judgement.bins[:, 0] @ judgement.bins[:, 2] / judgement.chunks
    assert values < 0.45 < 0.5 and abs(judgement.value_less_return) < 0.02 and 0 < judgement.bound_rate < 1
    assert judgement.calibration_error < 0.1
