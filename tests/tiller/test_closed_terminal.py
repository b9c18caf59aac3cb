"""A terminal that is closed, a machine that shuts down: what a verb has is saved, as by Ctrl-C. Real terminals."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from data.store.dataset import Dataset
from data.store.writing.lock import LOCK_NAME
from tests.journeys.commands import TINY
from tests.tiller.conftest import CAR, PATIENCE_S, ROOT
from tiller.cli import main


class Terminal:
    """`tiller` on a terminal of its own.

    Args:
        words: of the command line.
    """

    def __init__(self, *words: str | Path) -> None:
        self.shown = b""
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tiller", *map(str, words)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "160"},
            preexec_fn=_at_a_terminal,
        )
        os.close(theirs)

    def until(self, condition: Callable[[], bool]) -> None:
        """Read what it shows until the condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.shown.decode()
            if select.select([self._ours], [], [], 0.02)[0]:
                self.shown += os.read(self._ours, 65536)

    def close(self) -> int:
        """Close the window; returns the exit code of what ran in it."""
        os.close(self._ours)
        return self.process.wait(PATIENCE_S)


def _at_a_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which a test run under nohup ignores
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str | Path) -> Terminal:
        opened.append(Terminal(*words))
        return opened[-1]

    yield start
    for one in opened:
        one.process.kill()
        one.process.wait()


def long_training(car_policies: list[Path], output: Path) -> tuple[str, ...]:
    data = car_policies[0].parent / "dataset"
    return (
        "train",
        f"data={data}",
        f"output={output}",
        *TINY,
        "training.steps=100000",
        "training.checkpoint_every=50000",
    )


def has_rows(file: Path, rows: int) -> bool:
    return file.is_file() and file.read_text().count("\n") > rows


def test_training_is_saved(terminal: Callable[..., Terminal], car_policies: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    training = terminal(*long_training(car_policies, run))
    training.until(lambda: has_rows(run / "metrics.csv", 5))
    assert training.close() == 130
    saved = int((run / "checkpoints" / "last").resolve().name.removeprefix("step-"))
    assert 10 <= saved < 50000, "of its own accord it saves much later"
    assert not list(run.rglob(LOCK_NAME))
    assert main([*long_training(car_policies, run), f"training.steps={saved + 1}", "resume=true"]) == 0


@pytest.mark.slow
def test_training_under_nohup_goes_on(car_policies: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tiller", *long_training(car_policies, run)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as training:
        for rows in (5, 25):
            deadline = time.monotonic() + PATIENCE_S
            while not has_rows(run / "metrics.csv", rows):
                assert training.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            training.send_signal(signal.SIGHUP)
        training.send_signal(signal.SIGTERM)
        assert training.wait(PATIENCE_S) == 130


def test_evaluation_keeps_the_episodes_that_were_finished(
    terminal: Callable[..., Terminal], car_policies: list[Path], tmp_path: Path
) -> None:
    evaluation = terminal(
        "evaluate",
        f"checkpoint={car_policies[0]}",
        f"task={CAR}",
        "episodes=100000",
        "videos=0",
        "options.max_steps=8",
        "options.success_return=-1000",
        f"output={tmp_path / 'out'}",
    )
    evaluation.until(lambda: b"mean score" in evaluation.shown)
    assert evaluation.close() == 130
    kept = json.loads((tmp_path / "out" / "evaluation.partial.json").read_text())
    assert len(kept["records"]) > 0
    assert not list(tmp_path.rglob(LOCK_NAME))


@pytest.mark.slow
def test_collection_keeps_its_episodes(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    collection = terminal("collect", "task=maze/01", "episodes=100000", f"output={tmp_path / 'out'}")
    collection.until(lambda: b"tried" in collection.shown)
    assert collection.close() == 130
    with Dataset.open(tmp_path / "out", mode="a") as dataset:
        assert len(dataset) > 0


def test_collection_that_is_terminated_says_where_its_episodes_are(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    collection = terminal("collect", "task=maze/01", "episodes=100000", f"output={tmp_path / 'out'}")
    collection.until(lambda: b"tried" in collection.shown)
    collection.process.send_signal(signal.SIGTERM)
    collection.until(lambda: b"resume=true" in collection.shown)
    assert collection.process.wait(PATIENCE_S) == 130
    assert not list(tmp_path.rglob(LOCK_NAME))


def test_conversion_leaves_nothing_behind(
    terminal: Callable[..., Terminal], car_policies: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "converted"
    conversion = terminal("data", "convert", car_policies[0].parent / "demos.npz", target, "units=1")
    conversion.until(lambda: b"?" in conversion.shown or b":" in conversion.shown)  # it asks for the period
    assert conversion.close() != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_sweep_stops_its_runs(terminal: Callable[..., Terminal], car_policies: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    sweep = terminal("train", "-m", *long_training(car_policies, folder)[1:], "training.seed=1,2", "jobs=2")
    sweep.until(lambda: all(has_rows(folder / f"training.seed-{seed}" / "metrics.csv", 5) for seed in (1, 2)))
    assert sweep.close() == 130
    for seed in (1, 2):
        assert (folder / f"training.seed-{seed}" / "checkpoints" / "last").is_dir()
    assert not list(folder.rglob(LOCK_NAME))
