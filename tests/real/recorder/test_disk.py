"""A disk that fills up while a take is recorded, or when it is saved: the take is lost, and nothing else."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import real.recorder.storage as storage
from data.store.dataset import Dataset
from real.recorder.session import State
from tests.real.recorder.session_bench import Bench

pytestmark = pytest.mark.together

SIZE = 8 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    return filler


def test_a_full_disk_loses_the_take_that_is_open_and_recording_goes_on_once_there_is_space(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LEAST_MINUTES", 0.01)
    bench = Bench(disk)
    bench.record(0.5)
    bench.save()

    bench.record(0.3)
    filler = fill(disk)
    # Rows are kept back until a file of them is full: what fills the disk is met when one is written.
    assert not isinstance(bench.conductor.save(bench.now_s), str)
    bench.until(lambda: bench.session.state is State.FAILED, "a lost take")
    assert "no space left on the disk" in bench.session.reason and "no space" in bench.conductor.totals.verdict
    assert bench.conductor.totals.discarded == 1 and bench.conductor.totals.saved == 1
    assert not isinstance(bench.conductor.discard(), str)
    bench.run(1.0)
    assert bench.session.state is State.WAITING
    assert "minutes of disk are left" in bench.session.reason or "no space" in bench.session.reason

    os.unlink(filler)
    bench.run(3.0, until=lambda: bench.session.state is State.READY)
    bench.record(0.5)
    bench.save()
    bench.close()
    dataset = Dataset.open(disk / "store")
    assert len(dataset) == 2 and dataset.meta("seed").tolist() == [0, 1]
    assert all(len(dataset.episode(index)) >= 8 for index in range(2))


def test_a_disk_that_fills_up_in_the_middle_ends_the_take_by_itself(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LEAST_MINUTES", 0.01)
    bench = Bench(disk)
    bench.record(0.4)
    bench.save()
    bench.record(0.2)
    fill(disk)
    bench.until(lambda: bench.session.state is State.FAILED, "a lost take")
    assert "no space left on the disk" in bench.session.reason
    assert bench.conductor.rows == 0 and len(Dataset.open(disk / "store")) == 1
    bench.close()
