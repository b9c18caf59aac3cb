"""One writer at a time: a lock file that names its holder and that a dead holder cannot keep."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Mapping

from data.store.writing.leftovers import EPISODE, EPISODE_SINCE
from robot.errors import InputError, TillerError
from robot.files import FULL

LOCK_NAME = "writer.lock"


class WriterLock:
    """The right to write to one folder, from construction to `release`.

    The kernel holds the lock (`flock`) and drops it when the process ends, however it ends; the file's text only
    names the holder, and the episode that it has begun. The file is removed at release, unless an episode is still
    open, so text found in it means that its writer died or ended in the middle of one.

    Args:
        folder: of the store, or of whatever else has one writer.
        way_out: for a writer that comes second.

    Attributes:
        follows_a_crash: the writer before this one ended without releasing, or with an open episode.
        before: what the file said of that writer; empty where there was none.
        release: gives the lock back; again is harmless.

    Raises:
        InputError: another writer holds the lock (its process, machine and start are named), or the folder cannot be
            written.
        TillerError: the disk is full.
    """

    def __init__(self, folder: Path, way_out: str = "Wait until it is done, or write to another store") -> None:
        self.path, self._way_out = folder / LOCK_NAME, way_out
        descriptor = self._acquire()
        self.follows_a_crash = os.fstat(descriptor).st_size > 0
        self.before = _read_holder(descriptor)
        self._descriptor = descriptor
        self._holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            _sign(descriptor, self._holder)
        except OSError as error:
            os.close(descriptor)
            if not self.follows_a_crash:
                self.path.unlink(missing_ok=True)
            raise _unsigned(folder, error) from error
        # Also at garbage collection and at the end of the process: a forgotten `close` is no crash.
        self.release = weakref.finalize(self, _release, self.path, descriptor, os.getpid())
        _held.add(self)

    def begin_episode(self, number: int) -> None:
        """Write down that an episode of this number is open.

        Raises:
            OSError: the disk fails.
        """
        since = datetime.now(UTC).isoformat(timespec="seconds")
        _sign(self._descriptor, {**self._holder, EPISODE: number, EPISODE_SINCE: since})

    def end_episode(self) -> None:
        """Write down that none is open."""
        with suppress(OSError):  # the commit stands, and shows that the episode which the file names has ended
            _sign(self._descriptor, self._holder)

    def _acquire(self) -> int:
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise InputError(
                    f"{self.path.parent}", expected="a folder that can be written", got=error.strerror
                ) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _describe(_read_holder(descriptor))
                os.close(descriptor)
                raise InputError(
                    f"{self.path.parent} is being written by {holder}",
                    expected="one writer at a time",
                    way_out=self._way_out,
                ) from None
            if self._is_current(descriptor):
                return descriptor
            os.close(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file is still at its path: the holder before may have removed it between open and lock."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False


def _sign(descriptor: int, holder: Mapping[str, Any]) -> None:
    """Write down who holds the lock."""
    text = json.dumps(holder).encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))  # after the text: a full disk leaves the trace of a crash


def _unsigned(folder: Path, error: OSError) -> TillerError:
    """The error to raise where the holder's name could not be written."""
    if error.errno in FULL:
        return TillerError(f"{folder} cannot be written: no space left on the disk. Free some space, then run it again")
    return InputError(f"{folder}", expected="a folder that can be written", got=error.strerror or str(error))


def _release(path: Path, descriptor: int, owner: int) -> None:
    """Give the lock back; a forked child only forgets its parent's."""
    if os.getpid() == owner and EPISODE not in _read_holder(descriptor):
        path.unlink(missing_ok=True)
    os.close(descriptor)


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _forget_parents_locks() -> None:
    """Release the parent's locks in a forked child, which would keep them alive after the parent's death."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_parents_locks)


def _read_holder(descriptor: int) -> Mapping[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _describe(holder: Mapping[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
