"""One writer at a time: the other one is named, and a dead one is in nobody's way."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from data.store.dataset import Dataset
from data.store.writing.lock import LOCK_NAME, WriterLock
from robot.errors import InputError, TillerError

ROOT = Path(__file__).parents[4]


@contextmanager
def _writer_elsewhere(store: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens the store for appending, says so, and waits for its input to close."""
    preamble = "import sys\nfrom data.store.dataset import Dataset\ndataset = Dataset.open(sys.argv[1], mode='a')\n"
    with subprocess.Popen(
        [sys.executable, "-c", preamble + program, str(store)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        process.wait()


WAIT = "print('ready', flush=True)\nsys.stdin.read()\ndataset.close()\n"


def test_a_second_writer_is_told_who_the_first_is(store: Path, make_episode: Any) -> None:
    with _writer_elsewhere(store, WAIT) as other:
        with pytest.raises(InputError, match=rf"is being written by process {other.pid} on \S+ since 20") as caught:
            Dataset.open(store, mode="a")
        assert caught.value.exit_code == 2
        assert len(Dataset.open(store)) == 4
    with Dataset.open(store, mode="a") as dataset:
        dataset.append(make_episode(4))


def test_a_second_writer_in_the_same_process_is_refused_too(store: Path) -> None:
    with Dataset.open(store, mode="a"), pytest.raises(InputError, match=f"process {os.getpid()}"):
        Dataset.open(store, mode="a")
    Dataset.open(store, mode="a").close()


def test_a_killed_writers_lock_does_not_block(store: Path, make_episode: Any) -> None:
    with _writer_elsewhere(store, WAIT) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert (store / LOCK_NAME).exists()
        with Dataset.open(store, mode="a") as dataset:
            dataset.append(make_episode(4))
    assert not (store / LOCK_NAME).exists()


def test_a_forked_child_does_not_keep_a_dead_parents_lock(store: Path) -> None:
    # The child says when it runs: only then has it had the time to forget the lock.
    forks = (
        "import os, time\nif os.fork() == 0:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "    os._exit(0)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom data.store.writing.lock import WriterLock\nfrom pathlib import Path\n"
            "lock = WriterLock(Path(sys.argv[1]))\n" + forks,
            str(store),
        ],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        WriterLock(store).release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


def test_the_lock_tells_a_clean_predecessor_from_a_dead_one(tmp_path: Path) -> None:
    first = WriterLock(tmp_path)
    assert not first.follows_a_crash
    first.release()
    first.release()
    assert not (tmp_path / LOCK_NAME).exists()
    (tmp_path / LOCK_NAME).write_text('{"pid": 1}')
    second = WriterLock(tmp_path)
    assert second.follows_a_crash
    second.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder that can be written"):
        WriterLock(tmp_path / "missing")


def test_a_dataset_that_was_never_closed_gives_its_lock_back_when_it_is_forgotten(store: Path) -> None:
    dataset = Dataset.open(store, mode="a")
    assert (store / LOCK_NAME).exists()
    del dataset
    gc.collect()
    assert not (store / LOCK_NAME).exists()
    Dataset.open(store, mode="a").close()


def test_a_full_disk_is_named_and_leaves_no_lock_but_the_trace_of_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(TillerError, match="no space left on the disk") as caught:
        WriterLock(tmp_path)
    assert caught.value.exit_code == 1 and not (tmp_path / LOCK_NAME).exists()
    (tmp_path / LOCK_NAME).write_text('{"pid": 1}')
    with pytest.raises(TillerError, match="no space left on the disk"):
        WriterLock(tmp_path)
    monkeypatch.undo()
    lock = WriterLock(tmp_path)
    assert lock.follows_a_crash
    lock.release()
