"""The whole way: a scripted person drives the twin, records lifts, and a policy learns from them and is deployed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from benchmarks.by_hand import record
from data.store.dataset import Dataset
from data.store.names import Actor
from tests.journeys.commands import TINY

SPEED = 0.15  # m/s of the tcp with a key held


def tiller(*words: str | Path, cwd: Path, within_s: float = 200) -> str:
    """Run a command line that has to work; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tiller", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=within_s
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def recorded(folder: Path, episodes: int, discard: int, device: str) -> Dataset:
    """Record as a person would, and look at what the store has."""
    store = folder / "lifts"
    figures = record(store, episodes, discard, device, SPEED, "page=false", "cameras=[]", "operator=pilot")
    assert figures["tried"] >= episodes + discard
    dataset = Dataset.open(store)
    assert len(dataset) == episodes
    seeds = [int(dataset.episode(index).meta["seed"]) for index in range(episodes)]
    assert seeds == sorted(set(seeds)), "each lift has a start of its own, also after one that was discarded"
    for index in range(episodes):
        episode = dataset.episode(index)
        assert episode.meta["success"] and episode.meta["operator"] == "pilot"
        assert episode.meta["verdict"].startswith("saved, ")
        assert (np.isin(episode.data["actor"], (Actor.PERSON, Actor.HOLD))).all()
        assert (episode.data["actor"] == Actor.PERSON).mean() > 0.8
        assert episode.data["reward"].tolist() == [0.0] * (len(episode) - 1) + [1.0]
        assert (np.diff(episode.data["time_ns"]) > 0).all()
    return dataset


def learns(folder: Path, store: str, *training: str) -> Path:
    """Validate, train and evaluate; the checkpoint."""
    assert " 0 errors" in tiller("data", "validate", store, cwd=folder)
    words = ("task=twin/lift", f"data={store}", f"output={folder / 'policy'}", "training.validation.fraction=0")
    tiller("train", *words, *training, cwd=folder)
    checkpoint = folder / "policy" / "checkpoints" / "final"
    tiller("evaluate", f"checkpoint={checkpoint}", "episodes=2", f"output={folder / 'evaluation'}", cwd=folder)
    found: dict[str, Any] = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    assert len(found["records"]) == 2
    return checkpoint


def is_deployed(folder: Path, checkpoint: Path) -> None:
    """The policy plans in the graph that it was recorded in."""
    words = (
        "deploy",
        "contract=panda_twin",
        "task=twin/lift",
        f"checkpoint={checkpoint}",
        f"output={folder / 'graph'}",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "tiller", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "following the policy" in line:
                break
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=30)
        assert process.returncode == 0 and "following the policy" in lines[-1], "".join(lines)


def test_a_person_at_a_keyboard_records_lifts_that_a_policy_learns_from(
    ros_environment: dict[str, str], tmp_path: Path
) -> None:
    dataset = recorded(tmp_path, episodes=2, discard=1, device="keyboard")
    learns(tmp_path, dataset.path, *TINY)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("device", ["keyboard", "gamepad"])
def test_ten_lifts_by_hand_of_which_two_more_are_discarded(
    ros_environment: dict[str, str], tmp_path: Path, device: str
) -> None:
    dataset = recorded(tmp_path, episodes=10, discard=2, device=device)
    is_deployed(tmp_path, learns(tmp_path, dataset.path, "training.steps=1000"))
