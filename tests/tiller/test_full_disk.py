"""A disk that is full after long work: what was measured is shown, and one message says what was not written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable

import pytest

from data.store.writing.lock import LOCK_NAME
from robot import files
from tests.journeys.commands import TINY, Command
from tests.tiller.conftest import CAR, QUICK
from tiller.runs import output

NO_SPACE, READ_ONLY = errno.ENOSPC, errno.EROFS


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the system refuse files of a name."""

    def of(name: str, code: int = NO_SPACE) -> None:
        def write(path: Path, content: str) -> Path:
            if path.name == name:
                raise OSError(code, os.strerror(code))
            return real(path, content)

        for module in (files, output):
            monkeypatch.setattr(module, "write_file", write)

    real = files.write_file
    return of


@pytest.mark.parametrize(
    "name, kept", [("evaluation.json", ()), ("report.html", ("evaluation.json",)), ("finished.json", ("report.html",))]
)
def test_a_disk_full_after_the_episodes_loses_no_result(
    car_policies: list[Path],
    tmp_path: Path,
    tiller: Command,
    refuse: Callable[..., None],
    name: str,
    kept: tuple[str, ...],
) -> None:
    refuse(name)
    result = tiller("evaluate", f"checkpoint={car_policies[0]}", f"output={tmp_path / 'out'}", *QUICK)
    assert result.code == 1
    assert "2 of 2" in result.out
    assert f"{name} was not written: no space left on the disk" in result.message
    assert "fault of tiller" not in result.err
    assert all((tmp_path / "out" / each).is_file() for each in kept)
    assert not (tmp_path / "out" / "finished.json").exists()


def test_an_output_that_became_read_only_loses_no_result(
    car_policies: list[Path], tmp_path: Path, tiller: Command, refuse: Callable[..., None]
) -> None:
    refuse("evaluation.json", READ_ONLY)
    result = tiller("evaluate", f"checkpoint={car_policies[0]}", f"output={tmp_path / 'out'}", *QUICK)
    assert result.code == 2 and "2 of 2" in result.out
    assert "Read-only file system" in result.message and "Choose another output=" in result.message


@pytest.mark.parametrize(
    "code, exit_code, words", [(NO_SPACE, 1, "no space left on the disk"), (READ_ONLY, 2, "Read-only file system")]
)
def test_a_report_that_cannot_be_written_says_why(
    tmp_path: Path, tiller: Command, refuse: Callable[..., None], code: int, exit_code: int, words: str
) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss\n1,0.5\n")
    refuse("page.html", code)
    result = tiller("report", tmp_path, f"output={tmp_path / 'page.html'}")
    assert result.code == exit_code and words in result.message and "page.html" in result.message


def test_resuming_a_training_on_a_full_disk_says_so(
    car_policies: list[Path], tiller: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(NO_SPACE, os.strerror(NO_SPACE))

    run = car_policies[0]
    words = ("train", f"task={CAR}", f"data={run.parent / 'dataset'}", f"output={run}", "training.seed=0", *TINY)
    monkeypatch.setattr(os, "pwrite", full)
    result = tiller(*words, "resume=true")
    assert result.code == 1 and f"{run} cannot be written: no space left on the disk" in result.message
    assert not (run / LOCK_NAME).exists()
