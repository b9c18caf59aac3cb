"""Demonstrations that somebody brings, to a measured policy: PushT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.journeys.commands import TINY, Command, contents, in_a_process


def evaluation(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def results(folder: Path) -> list:
    """Records without their times."""
    return [
        {key: value for key, value in record.items() if key not in ("latency", "video")}
        for record in evaluation(folder)["records"]
    ]


def test_dataset_can_be_looked_at_checked_and_replayed(tiller: Command, pusht_dataset: Path) -> None:
    assert "px px px px rad" in tiller.succeeds("data", "info", pusht_dataset)
    assert "0 errors" in tiller.succeeds("data", "validate", pusht_dataset)
    shown = tiller.succeeds("data", "replay", pusht_dataset, "task=pusht/state", "episodes=[0,2]")
    assert "mean score" in shown


def test_replay_reproduces_what_was_recorded(pusht_dataset: Path) -> None:
    import sim
    from data.store.dataset import Dataset
    from tiller.runs.replay import replay_episode

    dataset = Dataset.open(pusht_dataset)
    env = sim.make("pusht/state")
    replayed = replay_episode(env, 0, dataset.episode(0), ["state"])
    env.close()
    assert len(replayed.errors["state"]) == 30
    assert replayed.errors["state"].max() < 0.01, "px; the physics is deterministic"


def test_trained_policy_is_evaluated_compared_and_reported(tiller: Command, pusht_run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    shown = tiller.succeeds(
        "evaluate", f"checkpoint={pusht_run}", "episodes=2", "videos=1", f"output={first}", "options.max_steps=20"
    )
    assert "pusht/state" in shown, "the task is the one that the policy was trained for"
    assert "success" in shown and str(first) in shown
    assert (first / "report.html").is_file()
    assert len(list((first / "videos").iterdir())) == 1
    assert evaluation(first)["policy"]["sampler"] == "euler"
    compared = tiller.succeeds(
        "evaluate",
        f"checkpoint={pusht_run}",
        "episodes=2",
        "videos=0",
        f"output={second}",
        "options.max_steps=20",
        "sampler=heun",
        "steps=2",
        f"compare={first / 'evaluation.json'}",
    )
    assert "McNemar" in compared
    refused = tiller(
        "evaluate",
        f"checkpoint={pusht_run}",
        "episodes=2",
        "videos=0",
        f"output={tmp_path / 'third'}",
        "options.max_steps=10",
        f"compare={first / 'evaluation.json'}",
    )
    assert refused.code == 2 and "compare: options" in refused.message and not (tmp_path / "third").exists()
    tiller.succeeds("report", first, second, f"output={tmp_path / 'page.html'}")
    assert "http" not in (tmp_path / "page.html").read_text().replace("http://www.w3.org", "")


def test_workers_do_not_change_the_records(tiller: Command, pusht_run: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        tiller.succeeds(
            "evaluate",
            f"checkpoint={pusht_run}",
            "episodes=3",
            "videos=0",
            f"workers={workers}",
            f"output={tmp_path / str(workers)}",
            "options.max_steps=16",
        )
    assert results(tmp_path / "1") == results(tmp_path / "2")


def test_resumed_run_ends_like_one_that_was_never_stopped(
    tiller: Command, pusht_dataset: Path, pusht_run: Path, tmp_path: Path
) -> None:
    words = ("train", "task=pusht/state", f"data={pusht_dataset}", f"output={tmp_path / 'run'}", *TINY)
    tiller.succeeds(*words, "training.stop_after=11")
    assert not (tmp_path / "run" / "finished.json").exists()
    tiller.succeeds(*words, "resume=true")
    weights = "checkpoints/final/model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (pusht_run / weights).read_bytes()


def test_finished_run_that_is_resumed_keeps_figures(tiller: Command, own_run: Path, pusht_dataset: Path) -> None:
    def no_number(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    tiller.succeeds("train", "task=pusht/state", f"data={pusht_dataset}", f"output={own_run}", *TINY, "resume=true")
    figures = json.loads((own_run / "finished.json").read_text(), parse_constant=no_number)
    assert figures["updates"] == 20


def test_training_without_a_task_sees_all_low_dimensional_keys(
    tiller: Command, pusht_dataset: Path, tmp_path: Path
) -> None:
    shown = tiller.succeeds("train", f"data={pusht_dataset}", f"output={tmp_path / 'run'}", *TINY)
    assert "seeing state" in shown
    outcome = tiller("evaluate", f"checkpoint={tmp_path / 'run'}", "episodes=1")
    assert outcome.code == 2 and "task" in outcome.message


def test_evaluation_in_the_loop_is_logged(tiller: Command, pusht_dataset: Path, tmp_path: Path) -> None:
    tiller.succeeds(
        "train",
        "task=pusht/state",
        f"data={pusht_dataset}",
        f"output={tmp_path / 'run'}",
        *TINY,
        "training.evaluate_every=10",
        "evaluation.episodes=1",
        "options.max_steps=10",
    )
    figures = json.loads((tmp_path / "run" / "finished.json").read_text())
    assert 0 <= figures["score"] <= 1
    assert "score" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]


@pytest.mark.slow
def test_sweep_runs_every_combination_once(tiller: Command, pusht_dataset: Path, tmp_path: Path) -> None:
    words = (
        "train",
        "-m",
        "task=pusht/state",
        f"data={pusht_dataset}",
        f"output={tmp_path / 'sweep'}",
        *TINY,
        "policy=flow_mlp,regression_mlp",
        "training.steps=3",
        "jobs=2",
    )
    shown = tiller.succeeds(*words)
    assert "2 runs, 0 done before" in shown
    folders = sorted(folder.name for folder in (tmp_path / "sweep").iterdir() if folder.is_dir())
    assert folders == ["policy-flow_mlp", "policy-regression_mlp"]
    before = contents(tmp_path / "sweep")
    tiller.succeeds(
        "evaluate",
        f"checkpoint={tmp_path / 'sweep' / folders[0]}",
        "episodes=1",
        "options.max_steps=4",
        f"output={tmp_path / 'key=value'}",
    )
    assert "2 runs, 2 done before" in tiller.succeeds(*words)
    assert contents(tmp_path / "sweep") == before


def test_python_face_and_command_line_measure_the_same(tiller: Command, pusht_run: Path, tmp_path: Path) -> None:
    import tiller as face

    tiller.succeeds(
        "evaluate",
        f"checkpoint={pusht_run}",
        "episodes=2",
        "videos=0",
        f"output={tmp_path / 'out'}",
        "options.max_steps=16",
    )
    found = face.evaluate(face.load(pusht_run), "pusht/state", episodes=2, options={"max_steps": 16})
    assert [record.score for record in found.records] == [record["score"] for record in results(tmp_path / "out")]
    observation = face.make("pusht/state").reset(seed=0)[0]
    assert np.asarray(observation["state"]).shape == (5,)


def test_whole_line_from_another_folder_in_processes_of_their_own(pusht_npz: Path, tmp_path: Path) -> None:
    from tests.journeys.conftest import PUSHT_MEANING

    steps = (
        ("data", "convert", pusht_npz, "dataset", *PUSHT_MEANING),
        ("train", "task=pusht/state", "data=dataset", *TINY),
    )
    for words in steps:
        outcome = in_a_process(*words, cwd=tmp_path)
        assert outcome.code == 0, outcome
    written = outcome.out.strip().splitlines()[-1].removeprefix("Written to ")
    assert written.startswith("outputs/train/") and (tmp_path / written / "config.yaml").is_file()
    outcome = in_a_process("evaluate", f"checkpoint={written}", "episodes=1", "options.max_steps=8", cwd=tmp_path)
    assert outcome.code == 0, outcome
