"""One cell of a sweep in a process of its own, watched by whoever a launcher puts beside it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO, Sequence

from tiller.configuration.overrides import word_of
from tiller.sweep.child import PATIENCE_S
from tiller.sweep.record import forget_error, is_done, last_lines, log_of, write_error

POLL_S = 0.1


class CellProcess:
    """A cell from its start to its result, or to the record of how it failed. `poll` moves it on.

    The log is locked (`flock`) and is the standard output of the cell's process and of that one's workers. The kernel
    keeps the lock for as long as one of them lives, so the same cell never runs twice at once: what an interrupted
    sweep left behind is waited for, on whichever machine it is.

    Args:
        verb: what runs.
        overrides: all but `output`.
        folder: for its output.
        time_min: it is stopped when it has run for longer.
        cwd: that relative paths start from; None for this process's own.
    """

    def __init__(
        self,
        verb: str,
        overrides: Sequence[str],
        folder: Path,
        *,
        time_min: float | None = None,
        cwd: str | None = None,
    ) -> None:
        self.folder = folder
        self._verb, self._overrides = verb, tuple(overrides)
        self._limit_s = None if time_min is None else 60 * time_min
        self._cwd = cwd
        self._log: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0
        self._over = False

    def poll(self) -> bool:
        """Start the cell when no other process runs it; true when it is over, with its result or its error on disk."""
        if self._over:
            return True
        if self._process is None:
            if self._claim_log():
                self._start()
            return self._over
        code = self._process.poll()
        if code is None:
            if self._limit_s is not None and time.monotonic() - self._began_s > self._limit_s:
                self.stop()
                self._record(f"ran for longer than {self._limit_s / 60:g} minutes", self._process.returncode)
            return self._over
        if code == 0:
            self._end()
        else:
            self._record(self._reason(code), code)
        return True

    def ask_to_stop(self) -> None:
        """Stop it as by Ctrl-C, without waiting; nothing is recorded, so that the sweep can go on with it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """Stop it and wait until it is gone; killed at once when Ctrl-C comes meanwhile."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(PATIENCE_S + 5)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                self.kill()
        self._end()

    def kill(self) -> None:
        """End its process and whatever shares its group, at once. Simulation workers follow when their pipe closes."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _claim_log(self) -> bool:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._log = _locked(log_of(self.folder))
        return self._log is not None

    def _start(self) -> None:
        if is_done(self.folder):  # by the process that was waited for
            self._end()
            return
        forget_error(self.folder)
        again = ["resume=true"] if self.folder.exists() else []
        self._began_s = time.monotonic()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tiller.sweep.child",
                self._verb,
                *self._overrides,
                word_of("output", str(self.folder)),
                *again,
            ],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self._cwd,
            # The cell imports what we can, from wherever it starts.
            env={**os.environ, "TERM": "dumb", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            # Ctrl-C reaches whoever watches, who stops the cells in order.
            start_new_session=True,
        )

    def _record(self, reason: str, code: int | None) -> None:
        write_error(self.folder, reason, code=code, seconds=time.monotonic() - self._began_s, overrides=self._overrides)
        self._end()

    def _end(self) -> None:
        self._over = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._log is not None:
            self._log.close()

    def _reason(self, code: int) -> str:
        if code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"killed by {signal.Signals(-code).name}{hint}"
        lines = last_lines(log_of(self.folder))
        # A failure's message of tiller may have several lines, of which the first names what failed.
        messages = [line for line in lines if line.startswith(f"tiller {self._verb}: ")]
        return (messages or lines or [f"ended with exit code {code}"])[-1]


def wait_until_gone(folders: Sequence[Path], patience_s: float = PATIENCE_S + 10) -> None:
    """Wait until no process of these cells is alive any more, on whichever machine; gives up after a while."""
    until_s = time.monotonic() + patience_s
    waiting = [log for log in map(log_of, folders) if log.exists()]
    while waiting and time.monotonic() < until_s:
        log = _locked(waiting[-1])
        if log is None:
            time.sleep(POLL_S)
        else:
            log.close()
            waiting.pop()


def _locked(log: Path) -> BinaryIO | None:
    """The log, open and locked; None while somebody else has it."""
    file = open(log, "ab")  # noqa: SIM115 - it stays open for as long as the lock is needed
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def run_cell(verb: str, overrides: Sequence[str], folder: str, cwd: str, time_min: float | None = None) -> None:
    """Run one cell to its end: what a cluster's node does. Plain values in, files out.

    Args:
        verb, overrides, folder, cwd, time_min: as in `CellProcess`.

    Raises:
        FileNotFoundError: the node does not see the sweep's folder.
        KeyboardInterrupt: it was cancelled; the cell is gone.
    """
    if not Path(folder).parent.is_dir() or not Path(cwd).is_dir():
        raise FileNotFoundError(
            f"{os.uname().nodename} does not see {Path(folder).parent} and {cwd}: the nodes of a "
            "cluster must share these folders with the machine that starts the sweep"
        )
    cell = CellProcess(verb, overrides, Path(folder), time_min=time_min, cwd=cwd)
    try:
        while not cell.poll():
            time.sleep(POLL_S)
    finally:
        cell.stop()
