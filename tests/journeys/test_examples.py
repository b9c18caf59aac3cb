"""The numbered examples that need no ROS, as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policies.model.checkpoint import save
from tests.sim.untrained_policy import untrained_near_rest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(untrained_near_rest(), tmp_path_factory.mktemp("examples") / "policy")


def run(name: str, *words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_steer(checkpoint: Path) -> None:
    said = run("06_steer.py", checkpoint)
    assert "made again from its noise: True" in said and "steered: 0" in said


def test_decisions(checkpoint: Path) -> None:
    said = run("07_decisions.py", checkpoint)
    assert said.count("made again to the bit: True") == said.count("the same observation: True") == 6


def test_own_critic(tmp_path: Path) -> None:
    from tests.journeys.test_critics import write

    said = run("09_own_critic.py", write(tmp_path / "groups", 8), tmp_path / "run", "120")
    assert "120 updates" in said and float(said.split()[-1]) > 0.9
