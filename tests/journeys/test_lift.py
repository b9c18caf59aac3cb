"""With what the packages carry: scripted demonstrations of Lift, a policy, its evaluation."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot.contract.loading import load_contract, operational_hash, semantic_hash
from tests.journeys.commands import TINY, Command


def test_demo_goes_through_all_stages_and_can_be_taken_up_again(tiller: Command, tmp_path: Path) -> None:
    words = (
        "demo",
        "demonstrations=2",
        "episodes=2",
        "workers=2",
        "videos=0",
        f"output={tmp_path / 'demo'}",
        *TINY,
        "options.max_steps=80",
        "training.validation.fraction=0",
    )
    shown = tiller.succeeds(*words)
    stages = [line[:5] for line in shown.splitlines() if line.startswith("[")]
    assert stages == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    page = shown.strip().splitlines()[-1].removeprefix("Report: ")
    assert Path(page).is_file()
    found = json.loads((tmp_path / "demo" / "evaluation" / "evaluation.json").read_text())
    assert {record["seed"] for record in found["records"]} == {100_000, 100_001}, "apart from the demonstrations' seeds"
    made = json.loads((tmp_path / "demo" / "policy" / "checkpoints" / "final" / "policy.json").read_text())
    contract = load_contract("panda_twin")
    assert made["provenance"]["semantic_hash"] == semantic_hash(contract), "what the graph holds it against"
    assert made["provenance"]["operational_hash"] == operational_hash(contract)
    weights = (tmp_path / "demo" / "policy" / "checkpoints" / "final" / "model.safetensors").read_bytes()
    tiller.succeeds(*words, "resume=true")
    assert (tmp_path / "demo" / "policy" / "checkpoints" / "final" / "model.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_collection_can_be_taken_up_and_replays_exactly(tiller: Command, tmp_path: Path) -> None:
    import numpy as np

    from data.store.dataset import Dataset

    store = tmp_path / "lift"
    words = ("collect", "task=robosuite/Lift", f"output={store}", "seed=3")
    with subprocess.Popen(
        [sys.executable, "-m", "tiller", *words, "episodes=500"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        while process.poll() is None and not (store.is_dir() and len(Dataset.open(store))):
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    kept = len(Dataset.open(store))
    assert process.returncode == 130 and f"{kept} of 500 episodes" in message and "resume=true" in message
    tiller.succeeds(*words, f"episodes={kept + 1}", "resume=true")
    dataset = Dataset.open(store)
    assert len(dataset) == kept + 1 and dataset.attributes["task"] == "robosuite/Lift"
    seeds = [dataset.episode(index).meta["seed"] for index in range(len(dataset))]
    assert seeds[0] == 3 and seeds == sorted(set(seeds)), "no episode twice"
    import sim
    from tiller.runs.replay import replay_episode

    env = sim.make("robosuite/Lift")
    replayed = replay_episode(env, kept, dataset.episode(kept), ["cube.position", "tcp.position"])
    env.close()
    assert replayed.success
    assert max(np.max(errors) for errors in replayed.errors.values()) < 1e-5, "m"


@pytest.mark.slow
def test_demo_as_a_newcomer_runs_it_succeeds_nine_times_in_ten(tiller: Command, tmp_path: Path) -> None:
    tiller.succeeds("demo", f"output={tmp_path / 'demo'}")
    found = json.loads((tmp_path / "demo" / "finished.json").read_text())
    assert found["episodes"] == 50 and found["success"] >= 0.9
