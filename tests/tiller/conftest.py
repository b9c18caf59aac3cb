"""What the tests of sweeps share: two policies trained for a second, and a runner in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import gymnasium
import numpy as np
import pytest

from tests.journeys.commands import TINY
from tiller.cli import main

ROOT = Path(__file__).parents[2]
CAR = "gym/MountainCarContinuous-v0"
PATIENCE_S = 280.0
"""For what takes seconds, so that a busy machine fails no test."""
QUICK = ("episodes=2", "videos=0", "options.max_steps=8", "options.success_return=-1000")


@pytest.fixture(scope="session")
def car_policies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Checkpoints of two policies for the mountain car."""
    folder = tmp_path_factory.mktemp("cars")
    random, env = np.random.default_rng(0), gymnasium.make("MountainCarContinuous-v0")
    observations, actions = [], []
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        for _ in range(40):
            action = np.clip(np.sign(observation[1:]) + 0.1 * random.normal(size=1), -1, 1).astype(np.float32)
            observations.append(observation)
            actions.append(action)
            observation, *_ = env.step(action)
    env.close()
    np.savez(folder / "demos.npz", observation=observations, action=actions, episode_ends=[40, 80, 120])
    dataset = str(folder / "dataset")
    assert main(["data", "convert", str(folder / "demos.npz"), dataset, f"period_s={1 / 30}", "units=1"]) == 0
    for seed in (0, 1):
        assert (
            main(
                [
                    "train",
                    f"task={CAR}",
                    f"data={dataset}",
                    f"output={folder / f'car{seed}'}",
                    f"training.seed={seed}",
                    *TINY,
                ]
            )
            == 0
        )
    return [folder / "car0", folder / "car1"]


class Sweep:
    """`tiller evaluate -m` in a process of its own.

    Args:
        words: of the command line, after `evaluate -m`.
    """

    def __init__(self, *words: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tiller", "evaluate", "-m", *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": "160"},
            start_new_session=True,
        )

    def ends(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.fixture
def sweep() -> Iterator[Callable[..., Sweep]]:
    """Starts sweeps, and ends those that are still there."""
    started: list[Sweep] = []

    def start(*words: str | Path) -> Sweep:
        started.append(Sweep(*words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something."""
    end_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end_s, f"waited for {what}"
        time.sleep(0.05)


def waiting_at(gate: Path) -> int:
    """How many processes have come to a gate."""
    return len(list(gate.parent.glob(f"{gate.name}.*")))


def cells_of(folder: Path) -> list[int]:
    """Processes of cells under a folder that are alive."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "tiller.sweep.child" in words and any(word.startswith(f"output={folder.resolve()}/") for word in words):
            found.append(int(each.name))
    return found
