"""Cloning under the advantage: which actions are positive, and the whole way from a base to a checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.store.dataset import Dataset
from data.store.names import ADVANTAGE, SUCCESS
from policies.loading.folder import chain, fingerprint
from policies.loading.load import load
from policies.model.checkpoint import load_learnt, read_record
from policies.steering.steered import layers
from tests.journeys.commands import TINY, Command
from tests.tiller.steering.conftest import WORDS, steer
from tests.tiller.steering.test_ladder import record
from tiller.cli import main
from tiller.steering.cloning.advantage import HOPELESS, advantages, largest, rows_kept

CHOSEN = ("method=filtered_bc", "cloning.condition=advantage", "cloning.guidance=1.5", "cloning.positive=0.25")
Values = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60).map(np.array)


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture(scope="module")
def cloned(car_policies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run."""
    output = tmp_path_factory.mktemp("cloned") / "run"
    assert steer(car_policies[0], output, *CHOSEN) == 0
    return output


@given(Values, st.booleans(), st.integers(1, 70))
def test_what_successive_chunks_gain_is_what_came_of_it_beyond_what_was_expected(
    values: np.ndarray, success: bool, rows: int
) -> None:
    gained = advantages(values, success, rows)
    assert gained.shape == values.shape
    np.testing.assert_allclose(gained[::rows].sum(), success - values[0], atol=1e-6)


@given(Values, st.booleans(), st.integers(1, 70))
def test_a_failure_ends_a_chunk_after_its_last_hope(values: np.ndarray, success: bool, rows: int) -> None:
    kept = rows_kept(values, success, rows)
    assert 1 <= kept <= len(values) and (not success or kept == len(values))
    assert (values[kept:] <= HOPELESS).all()
    if kept < len(values):
        assert kept == rows or values[kept - rows - 1] > HOPELESS


@given(Values, st.floats(0.01, 0.99))
def test_the_share_that_was_chosen_is_positive_and_nothing_else_is_better(values: np.ndarray, share: float) -> None:
    chosen = largest(values, share)
    assert chosen.sum() == round(share * len(values))
    if chosen.any() and not chosen.all():
        assert values[chosen].min() >= values[~chosen].max()


def test_it_learns_from_all_own_episodes_and_its_control_from_none(cloned: Path) -> None:
    folder = cloned / "filtered_bc"
    own = Dataset.open(folder / "episodes")
    parts = [Dataset.open(folder / "labelled" / name) for name in ("successes", "failures")]
    assert parts[0].meta(SUCCESS.name).all() and not parts[1].meta(SUCCESS.name).any()
    assert sum(map(len, parts)) == len(own) == 16 and not (folder / "successes").exists()
    positive = np.concatenate([np.asarray(part.read(ADVANTAGE.name, 0, part.rows)) for part in parts])
    assert positive.sum() == round(0.25 * len(positive)) and len(positive) <= own.rows
    config = yaml.safe_load((folder / "clone" / "config.yaml").read_text())
    shown, successes, failures = config["training"]["weights"]
    assert (shown, successes) == (120, parts[0].rows) and failures == min(part.rows for part in parts)
    clone, control = (read_record(folder / name / "checkpoints" / "final") for name in ("clone", "control"))
    assert clone.recipe.prompt == {"name": "advantage", "drop": 0.3, "use": "ignored", "instructions": []}
    assert control.recipe.prompt == {"name": "ignored"}
    runs = [json.loads((folder / name / "finished.json").read_text()) for name in ("clone", "control")]
    assert [run["updates"] for run in runs] == [20, 20]
    rungs = record(cloned)["rungs"]
    assert rungs[-2]["rung"].startswith("demonstrations alone at")
    assert rungs[-1]["rung"].startswith("filtered_bc, advantage at") and "of 16 own episodes" in rungs[-1]["note"]


def test_each_half_of_the_episodes_is_valued_by_what_learnt_from_the_other(cloned: Path) -> None:
    folder = cloned / "filtered_bc"
    own = Dataset.open(folder / "episodes")
    halves = [Dataset.open(folder / "values" / str(fold) / "episodes") for fold in (0, 1)]
    for number in range(len(own)):
        assert halves[number % 2].episode(number // 2).digest() == own.episode(number).digest()
    assert sum(map(len, halves)) == len(own)


def test_its_rung_needs_no_option_to_act_under_the_condition(cloned: Path, tiller: Command, tmp_path: Path) -> None:
    (rung,) = (cloned / "rungs").glob("filtered_bc*")
    steering = [layer.settings for layer in layers(load(rung))]
    assert {"name": "prompt", "instruction": None, "guidance": 1.5} in steering
    assert load_learnt(chain(rung)[-1]).recipe.prompt["name"] == "advantage"
    words = ("episodes=4", "videos=0", "options.max_steps=16", "options.success_return=-0.8")
    tiller.succeeds("evaluate", f"checkpoint={rung}", f"output={tmp_path / 'out'}", *words)


@pytest.mark.parametrize(
    "lost",
    ["values/0/run", "clone", *(pytest.param(part, marks=pytest.mark.slow) for part in ("values/1", "labelled"))],
)
def test_a_run_that_lost_what_came_after_a_moment_goes_on_to_the_same_record(
    cloned: Path, car_policies: list[Path], tmp_path: Path, lost: str
) -> None:
    output = tmp_path / "run"
    shutil.copytree(cloned, output, symlinks=True)
    parts = ("episodes", "values/0/episodes", "values/0/run", "values/1", "labelled", "clone")
    for part in parts[parts.index(lost) :]:
        shutil.rmtree(output / "filtered_bc" / part)
    shutil.rmtree(output / "evaluations" / "filtered_bc" / "clone")
    (output / "finished.json").unlink()
    assert steer(car_policies[0], output, *CHOSEN, "resume=true") == 0
    assert record(output) == record(cloned)
    assert fingerprint(output / "filtered_bc" / "clone" / "checkpoints" / "final") == fingerprint(
        cloned / "filtered_bc" / "clone" / "checkpoints" / "final"
    )


def test_a_base_that_follows_a_prompt_is_refused_with_what_works(
    car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    data, base = tmp_path / "told", tmp_path / "base"
    arrays: dict[str, Any] = {**np.load(car_policies[0].parent / "demos.npz")}
    np.savez(tmp_path / "demos.npz", **arrays)
    convert = ["data", "convert", str(tmp_path / "demos.npz"), str(data), f"period_s={1 / 30}", "units=1"]
    assert main([*convert, "instruction=up the hill"]) == 0
    task = "task=gym/MountainCarContinuous-v0"
    assert main(["train", f"data={data}", f"output={base}", task, "policy.prompt.name=instruction", *TINY]) == 0
    result = tiller("steer", f"checkpoint={base}", f"output={tmp_path / 'out'}", *WORDS, *CHOSEN)
    assert result.code == 2 and "leave cloning.condition out" in result.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cloning.condition=value",), "null or advantage"),
        (("cloning.guidance=2",), "cloning.condition=advantage"),
        (("cloning.condition=advantage", "cloning.positive=1"), "cloning.positive"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: tuple[str, ...], message: str, car_policies: list[Path], tiller: Command
) -> None:
    result = tiller("steer", f"checkpoint={car_policies[0]}", *words)
    assert result.code == 2 and message in result.message
