"""One policy of two twins from the command line: collected, trained, evaluated, steered, collected with, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tiller as face
from data.store.dataset import Dataset
from tests.journeys.commands import TINY, Command
from tests.journeys.test_bad_input import refused
from tests.policies.encoders.text_encoder import write_text_encoder

TASKS = ("twin/lift", "twin/hand_grasp")


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from tiller.cli import main

    folder = tmp_path_factory.mktemp("demonstrations")
    for task in TASKS:
        assert main(["collect", f"task={task}", "episodes=2", f"output={folder / task.partition('/')[2]}"]) == 0
    return [folder / task.partition("/")[2] for task in TASKS]


@pytest.fixture(scope="module")
def words(demonstrations: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    text = write_text_encoder(tmp_path_factory.mktemp("text"))
    listed = ",".join(map(str, demonstrations))
    return (
        "train", "policy=generalist", f"data=[{listed}]", f"policy.prompt.model={text}", *TINY,
        "policy.network.features=16", "training.validation.fraction=0",
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(words: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiller.cli import main

    output = tmp_path_factory.mktemp("run") / "both"
    assert main([*words, f"output={output}"]) == 0
    return output


def test_it_acts_on_both_twins(run: Path, demonstrations: list[Path], tmp_path: Path, tiller: Command) -> None:
    for task, store in zip(TASKS, demonstrations):
        out = tmp_path / task.partition("/")[2]
        tiller.succeeds("evaluate", f"checkpoint={run}", f"task={task}", "episodes=2", "videos=0", f"output={out}")
        record = json.loads((out / "evaluation.json").read_text())
        assert record["policy"]["embodiment"] == task and len(record["records"]) == 2
        policy = face.load(run, embodiment=task)
        schema = Dataset.open(store).schema
        assert policy.spec.action == schema.action and policy.spec.n_action_steps == 12
        assert policy.semantic_hash == Dataset.open(store).attributes["contract"]["semantic_hash"]
    assert face.load(run, embodiment=TASKS[0]).semantic_hash != face.load(run, embodiment=TASKS[1]).semantic_hash
    records = face.evaluate(run, TASKS[0], episodes=2, seed=100_000).records
    first = json.loads((tmp_path / "lift" / "evaluation.json").read_text())["records"]
    assert [each.length for each in records] == [each["length"] for each in first]


def test_what_steers_it_is_kept_as_one_embodiment(run: Path, tmp_path: Path, tiller: Command) -> None:
    out = tmp_path / "steered"
    tiller.succeeds(
        "evaluate", f"checkpoint={run}", "task=twin/lift", "episodes=1", "videos=0", "steering=prompt",
        "steering.instruction=anything at all", "steering.guidance=1.5", f"output={out}",
    )  # fmt: skip
    again = tmp_path / "again"
    tiller.succeeds(
        "evaluate", f"checkpoint={out / 'steered'}", "task=twin/lift", "episodes=1", "videos=0", f"output={again}"
    )
    one, other = (json.loads((each / "evaluation.json").read_text())["records"][0] for each in (out, again))
    assert one["length"] == other["length"] and one["score"] == other["score"]
    refused(
        tiller, "evaluate", f"checkpoint={out / 'steered'}", "task=twin/hand_grasp",
        "embodiment=twin/hand_grasp", saying=("'twin/lift', which the policy was steered as",),
    )  # fmt: skip


def test_it_records_episodes_of_its_own(run: Path, tmp_path: Path, tiller: Command) -> None:
    out = tmp_path / "own"
    tiller.succeeds(
        "collect", "task=twin/hand_grasp", "source=checkpoint", f"checkpoint={run}", "episodes=1", "keep_failures=true",
        f"output={out}",
    )  # fmt: skip
    assert np.asarray(Dataset.open(out).array("action")).shape[1] == 15


def test_what_does_not_fit_is_refused_before_a_run(
    run: Path, words: tuple[str, ...], demonstrations: list[Path], tmp_path: Path, tiller: Command
) -> None:
    refused(
        tiller,
        "evaluate",
        f"checkpoint={run}",
        "task=twin/peg",
        saying=("one of twin/lift, twin/hand_grasp", "embodiment="),
    )
    refused(
        tiller,
        "evaluate",
        f"checkpoint={run}",
        "task=twin/lift",
        "embodiment=twin/lfit",
        saying=("embodiment 'twin/lfit'", "'twin/lift'"),
    )
    listed = ",".join(map(str, demonstrations))
    refused(tiller, "train", f"data=[{listed}]", f"output={tmp_path / 'plain'}", saying=("do not fit",))
    refused(
        tiller,
        *words,
        "policy.generalist.rename={twin/lift: {cub.position: x}}",
        f"output={tmp_path / 'renamed'}",
        saying=("cub.position",),
    )
    refused(
        tiller,
        *words,
        "policy.generalist.without=[cub.position]",
        f"output={tmp_path / 'left'}",
        saying=("'cub.position'",),
    )
    refused(tiller, *words, "policy.prompt.model=/nowhere", f"output={tmp_path / 'text'}", saying=("text encoder",))
    assert not list(tmp_path.iterdir())


def test_a_recorded_episode_gives_the_network_what_the_rollout_gave(run: Path, tmp_path: Path, tiller: Command) -> None:
    """Windows of a dataset and requests of a runner, the prompt included, to the network's own input."""
    import torch

    from data.learning.windows import Windows, WindowShape
    from policies.training.prompts import episode_prompts
    from sim.evaluation.experience import decisions

    policy = face.load(run, embodiment="twin/lift")
    seen = [record for record in decisions(policy, "twin/lift", seed=77, episodes=1) if record.request.number < 4]
    out = tmp_path / "own"
    tiller.succeeds(
        "collect", "task=twin/lift", "source=checkpoint", f"checkpoint={run}", "episodes=1", "seed=77", f"output={out}"
    )
    data = Dataset.open(out)
    windows = Windows(data, WindowShape(policy.spec.observation, policy.spec.horizon))
    rows = np.flatnonzero(windows.row_of % policy.spec.n_action_steps == 0)[: len(seen)]
    recorded = windows.gather(rows).observation
    prompt = episode_prompts(policy.model.prompt_encoder, [data])["prompt"][0]
    for number, record in enumerate(seen):
        inputs = []
        for window, words in (
            ({name: value[number] for name, value in recorded.items()}, prompt[None]),
            (record.request.window, policy._prompt([record.request.prompt])),
        ):
            tensors = {name: torch.from_numpy(np.asarray(value, np.float32))[None] for name, value in window.items()}
            inputs.append(policy._acting.condition(policy._acting.see(tensors)[0], words))
        torch.testing.assert_close(*inputs, atol=1e-6, rtol=0)
