"""Flight records on a disk that others write to, and on one that is full: none is lost unsaid, none is half there."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import pytest

from robot.errors import TillerError
from robot.safety.gate.flight_record import FlightRecorder, Tick, read_record, write_record
from tests.robot.safety.gate.gates import SETTINGS, Rig

ROUNDS = 60
SMALL_KB = 64


def ticks_of(length: int) -> tuple[Tick, ...]:
    rig = Rig()
    rig.run(length)
    recorder = FlightRecorder(SETTINGS)
    for tick in rig.ticks:
        recorder.add(*tick)
    return recorder.ticks()


@pytest.fixture(scope="module")
def short() -> tuple[Tick, ...]:
    return ticks_of(2)


@pytest.fixture(scope="module")
def long() -> tuple[Tick, ...]:
    """More than a small disk holds."""
    return ticks_of(200)


def write_many(folder: Path, ticks: tuple[Tick, ...], writer: int, start: threading.Barrier) -> None:
    for number in range(ROUNDS):
        start.wait(60)
        write_record(folder / f"flight-{number}.tfr", SETTINGS, ticks, f"{writer} {number}")


def test_two_gates_that_fault_in_the_same_second_leave_two_whole_records(tmp_path: Path, short) -> None:
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(2)
    writers = [fork.Process(target=write_many, args=(tmp_path, short, writer, start)) for writer in range(2)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(120)
    assert [each.exitcode for each in writers] == [0, 0]
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == sorted(f"flight-{number}{more}.tfr" for number in range(ROUNDS) for more in ("", "-2"))
    records = [read_record(tmp_path / name) for name in names]
    assert not any(record.damage for record in records)
    assert {record.note for record in records} == {f"{who} {n}" for who in range(2) for n in range(ROUNDS)}


def test_threads_and_a_name_that_is_taken_get_names_of_their_own(tmp_path: Path, short) -> None:
    (tmp_path / "a.tfr").write_text("of somebody else")
    threads = [threading.Thread(target=write_record, args=(tmp_path / "a.tfr", SETTINGS, short)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (tmp_path / "a.tfr").read_text() == "of somebody else"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "a-2.tfr",
        "a-3.tfr",
        "a-4.tfr",
        "a-5.tfr",
        "a-6.tfr",
        "a-7.tfr",
        "a-8.tfr",
        "a-9.tfr",
        "a.tfr",
    ]


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_keeps_every_record_too(tmp_path: Path, short, monkeypatch, refusal) -> None:
    def no_links(*paths: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", no_links)
    paths = [write_record(tmp_path / "a.tfr", SETTINGS, short, str(number)) for number in range(3)]
    assert [path.name for path in paths] == ["a.tfr", "a-2.tfr", "a-3.tfr"]
    assert [read_record(path).note for path in paths] == ["0", "1", "2"]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL_KB}k", "tiller-test", str(folder)],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_nothing_half_written_stays(small_disk: Path, short, long) -> None:
    with pytest.raises(TillerError, match="No space left on device"):
        write_record(small_disk / "a.tfr", SETTINGS, long)
    assert not list(small_disk.iterdir())
    path = write_record(small_disk / "a.tfr", SETTINGS, short)  # what was tried before takes no room
    assert path.name == "a.tfr" and not read_record(path).damage


def write_with_a_limit(folder: Path, ticks: tuple[Tick, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_KB << 10, SMALL_KB << 10))
    with pytest.raises(TillerError, match="File too large"):
        write_record(folder / "a.tfr", SETTINGS, ticks)
    assert not list(folder.iterdir())


def test_a_file_that_may_not_grow_is_told_and_nothing_half_written_stays(tmp_path: Path, long) -> None:
    child = multiprocessing.get_context("fork").Process(target=write_with_a_limit, args=(tmp_path, long))
    child.start()
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    "folder, reason",
    [("file", "File exists|Not a directory"), ("file/below", "Not a directory"), ("x" * 300, "name too long")],
)
def test_a_folder_that_can_be_none_is_told(tmp_path: Path, short, folder: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TillerError, match=reason):
        write_record(tmp_path / folder / "a.tfr", SETTINGS, short)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def write_where_one_may_not(folder: Path, ticks: tuple[Tick, ...]) -> None:
    if os.geteuid() == 0:  # who may write everywhere
        os.setuid(65534)
    with pytest.raises(TillerError, match="Permission denied"):
        write_record(folder / "a.tfr", SETTINGS, ticks)


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, short) -> None:
    tmp_path.chmod(0o500)
    child = multiprocessing.get_context("fork").Process(target=write_where_one_may_not, args=(tmp_path, short))
    child.start()
    child.join(60)
    tmp_path.chmod(0o700)
    assert child.exitcode == 0 and not list(tmp_path.iterdir())
