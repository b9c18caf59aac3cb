"""A new store gets its place when it is whole: also where that is the folder one stands in, or the disk fills up."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.edit.repair import repair
from data.formats.convert import convert
from data.store.dataset import Dataset
from data.store.writing.durable import ROOT_FILE
from data.store.writing.staging import written_aside
from robot.errors import TillerError
from tests.data.small_files import small_files


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    rows = random.normal(size=(4000, 8)).astype(np.float32)
    np.savez(tmp_path / "demos.npz", state=rows, action=rows, episode_ends=[2000, 4000])
    return tmp_path / "demos.npz"


def converted(source: Path | str, target: str) -> int:
    return convert(source, target, period_s=0.1, units="1").episodes


@pytest.mark.parametrize("target", [".", "../here"])
def test_the_folder_one_stands_in_takes_a_store(
    target: str, npz: Path, store: Path, schema: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: tuple[Callable[[], Any], ...] = (
        lambda: Dataset.create(target, schema).close(),
        lambda: converted(npz, target),
        lambda: repair(store, target),
    )
    for make in makers:
        here = tmp_path / "here"
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        monkeypatch.chdir(here)
        make()
        assert os.getcwd() == str(here) and Path(ROOT_FILE).is_file(), "a shell that stands here still does"
        assert not list(here.glob(".*"))
        Dataset.open(target)


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_full_disk_names_the_target_and_leaves_nothing(size: int, npz: Path, tmp_path: Path) -> None:
    converted(npz, str(tmp_path / "source"))
    before = sorted(tmp_path.iterdir())
    for write in (lambda: converted(npz, str(tmp_path / "out")), lambda: repair(tmp_path / "source", tmp_path / "out")):
        with small_files(size), pytest.raises(TillerError) as caught:
            write()
        said = str(caught.value)
        assert said.startswith(f"'{tmp_path / 'out'}': ") and "append" not in said and f"{tmp_path}/." not in said, said
        assert "no space left on the disk" in said or "File too large" in said
        assert sorted(tmp_path.iterdir()) == before
    assert converted(npz, str(tmp_path / "out")) == 2


@pytest.mark.parametrize("exists", [False, True])
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays(
    exists: bool, npz: Path, schema: Any, tmp_path: Path
) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    out = tmp_path / "here" / "out"
    parent = out if exists else out.parent
    for make in (lambda: converted(npz, str(out)), lambda: Dataset.create(out, schema).close()):
        shutil.rmtree(out.parent, ignore_errors=True)
        parent.mkdir(parents=True)
        names = (f".out.{killed.pid}.converting", f"..out.{killed.pid}.repairing.{killed.pid}.new")
        for name in names:
            (parent / name / "data").mkdir(parents=True)
        beside = out.parent / f".out.{os.getppid()}.converting"
        beside.mkdir()
        make()
        Dataset.open(out)
        assert not any((parent / name).exists() for name in names) and beside.exists()


def test_a_thread_that_goes_on_writing_after_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def write(aside: Path) -> None:
        for number in range(50):
            with suppress(OSError):
                aside.mkdir(exist_ok=True)
                (aside / str(number)).write_bytes(b"0")
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "out", "out", "converting") as aside:
        aside.mkdir()
        thread = threading.Thread(target=write, args=(aside,))
        thread.start()
        raise KeyboardInterrupt
    thread.join()
    assert not list(tmp_path.iterdir())
