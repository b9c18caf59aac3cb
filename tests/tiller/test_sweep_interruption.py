"""Sweeps that are stopped, killed or fail in part, with real processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from pathlib import Path
from typing import Callable

import pytest

from tests.tiller.conftest import QUICK, Sweep, cells_of, until, waiting_at
from tests.tiller.gate import TASK as GATE
from tiller.cli import main

Start = Callable[..., Sweep]
OPEN, SHUT = "seed-0", "seed-100"


def words(policy: Path, tmp_path: Path, *more: str) -> tuple[str, ...]:
    """A sweep whose first cell runs through and whose second one stands still in an episode until the gate opens."""
    return (
        f"checkpoint={policy}",
        f"task={GATE}",
        "seed=0,100",
        f"options.arguments.gate={tmp_path / 'gate'}",
        f"output={tmp_path / 'sweep'}",
        *QUICK,
        *more,
    )


def nobody_is_left(log: Path) -> bool:
    """Whether every process of a cell is gone, workers too: each of them would hold the lock on its log."""
    with open(log, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def halfway(car_policies: list[Path], tmp_path: Path, sweep: Start) -> Sweep:
    """A sweep at the moment when one cell is done and the other is in the middle of an episode."""
    running = sweep(*words(car_policies[0], tmp_path))
    until(lambda: waiting_at(tmp_path / "gate"), "the second cell")
    assert (tmp_path / "sweep" / OPEN / "finished.json").is_file()
    assert not nobody_is_left(tmp_path / "sweep" / f"{SHUT}.log")
    return running


def finish(sweep: Start, car_policies: list[Path], tmp_path: Path) -> str:
    """Open the gate and give the same command again; what was done is not done again."""
    folder = tmp_path / "sweep"
    first = (folder / OPEN / "evaluation.json").stat()
    (tmp_path / "gate").touch()
    code, out, err = sweep(*words(car_policies[0], tmp_path)).ends()
    assert code == 0, err
    assert "2 runs, 1 done before" in out
    assert (folder / OPEN / "evaluation.json").stat() == first
    (result,) = json.loads((folder / "summary.json").read_text())["results"]
    assert result["seeds"] == "0-1, 100-101" and result["episodes"] == 4
    return out


@pytest.mark.slow
def test_killed_runner_takes_its_cells_along_and_the_sweep_goes_on(
    halfway: Sweep, car_policies: list[Path], tmp_path: Path, sweep: Start
) -> None:
    os.kill(halfway.process.pid, signal.SIGKILL)
    until(lambda: nobody_is_left(tmp_path / "sweep" / f"{SHUT}.log"), "the orphans to end")
    assert not cells_of(tmp_path / "sweep")
    assert not (tmp_path / "sweep" / SHUT / "error.json").exists(), "an interruption is no failure"
    finish(sweep, car_policies, tmp_path)


def test_ctrl_c_ends_every_process_and_says_how_to_go_on(
    halfway: Sweep, car_policies: list[Path], tmp_path: Path, sweep: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "-m", *words(car_policies[0], tmp_path)]) == 2
    refused = capsys.readouterr().err
    assert f"process {halfway.process.pid}" in refused and "one writer at a time" in refused
    os.kill(halfway.process.pid, signal.SIGINT)
    code, _, err = halfway.ends()
    assert nobody_is_left(tmp_path / "sweep" / f"{SHUT}.log") and not cells_of(tmp_path / "sweep")
    assert code == 130 and "Traceback" not in err
    assert "1 of 2 runs done" in err and f"output={tmp_path / 'sweep'}" in err
    assert not (tmp_path / "sweep" / SHUT / "error.json").exists()
    finish(sweep, car_policies, tmp_path)


def test_killed_cell_is_recorded_and_the_sweep_goes_on(car_policies: list[Path], tmp_path: Path, sweep: Start) -> None:
    backwards = [word.replace("0,100", "100,0") for word in words(car_policies[0], tmp_path)]
    running = sweep(*backwards)
    until(lambda: waiting_at(tmp_path / "gate"), "the first cell")
    (cell,) = cells_of(tmp_path / "sweep")
    os.kill(cell, signal.SIGKILL)
    code, out, err = running.ends()
    assert code == 1
    assert "failed  seed-100" in out and "done    seed-0" in out
    assert "1 of 2 runs failed" in err and "SIGKILL" in err
    error = json.loads((tmp_path / "sweep" / SHUT / "error.json").read_text())
    assert error["code"] == -signal.SIGKILL and f"task={GATE}" in error["overrides"]
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    assert summary["cells"]["done"] == [OPEN] and list(summary["cells"]["failed"]) == [SHUT]
    assert "SIGKILL" in (tmp_path / "sweep" / "report.html").read_text()
    finish(sweep, car_policies, tmp_path)
    assert not (tmp_path / "sweep" / SHUT / "error.json").exists()
