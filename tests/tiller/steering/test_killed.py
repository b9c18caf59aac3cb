"""A ladder that is killed at any moment goes on to the record of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policies.loading.folder import fingerprint
from tests.tiller.conftest import ROOT
from tests.tiller.steering.conftest import WORDS, steer
from tests.tiller.steering.test_ladder import record


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_killed_ladder_goes_on_exactly(climbed: Path, car_policies: list[Path], tmp_path: Path, seed: int) -> None:
    output, draws = tmp_path / "run", random.Random(seed)
    command = [sys.executable, "-m", "tiller", "steer", f"checkpoint={car_policies[0]}", f"output={output}", *WORDS]
    for _ in range(4):
        process = subprocess.Popen(
            [*command, "resume=true"], cwd=ROOT, env=dict(os.environ), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        begun_s, parts = time.monotonic(), committed(output)
        while committed(output) <= parts and process.poll() is None and time.monotonic() - begun_s < 120:
            time.sleep(0.01)
        time.sleep(4 * draws.random())
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL), "it was killed, or done before"
    assert steer(car_policies[0], output, "resume=true") == 0
    assert record(output) == record(climbed)
    assert fingerprint(output) == fingerprint(climbed)


def committed(output: Path) -> int:
    """Parts of a run that are kept."""
    patterns = ("evaluation.json", "round-*.json", "c/0*", "finished.json")
    return sum(len(list(output.rglob(pattern))) for pattern in patterns) if output.exists() else 0
