"""A graph of a twin that a program starts for itself, and how two programs agree who starts it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from threading import Event, Thread
from typing import IO, Mapping

from real.graph.graph import Deployment, processes
from real.graph.processes import run_processes
from real.process.settings import domain_of
from robot.errors import InputError
from robot.folders import temporary_folder

ENDING_S = 15.0
ENDED = "ended with "
HOLDER_WIDTH = 80


class Claim:
    """The right to start the graph of a domain and namespace on this machine; it ends with the process that holds it.

    Discovery takes a moment, in which two programs would start two graphs: one of them gets the claim. The lock is the
    kernel's, so it is released when its process is killed.

    Args:
        namespace: of the graph.

    Raises:
        InputError: the domain is not valid, or there is no temporary folder for the lock.
    """

    def __init__(self, namespace: str) -> None:
        # '.' is in no name of ROS: '/a/b' and '/a_b' have locks of their own.
        name = f"{domain_of()}{namespace.rstrip('/').replace('/', '.')}"
        self._path = temporary_folder() / f"graph-{name}.lock"
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the claim; False when another program holds it."""
        try:
            file = self._path.open("a+")
        except OSError as error:
            raise InputError(
                f"lock {self._path}",
                expected="a file that can be written",
                got=error.strerror,
                way_out="Remove it, or set TMPDIR to another folder",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """The process that holds the claim, in words."""
        try:
            number = int(self._path.read_text())
            words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        except (OSError, ValueError):
            return "another program"
        return f"process {number} ({' '.join(words)[:HOLDER_WIDTH]})"

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class OwnGraph:
    """Processes that run beside a program, and end with it.

    Args:
        deployment: what they are made from.
        environment: added to theirs.
        folder: of their logs.
    """

    def __init__(self, deployment: Deployment, environment: Mapping[str, str], folder: Path) -> None:
        self.folder, self._stop = folder, Event()
        self._wanted = processes(deployment)
        self._code: int | None = None
        self._thread = Thread(target=self._run, args=(dict(environment),), name="graph", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return not self._thread.is_alive() and not self._stop.is_set()

    def why(self) -> str:
        """Which process ended first, and its last line."""
        for each in self._wanted:
            log = self.folder / f"{each.node}.log"
            lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
            ends = [number for number, line in enumerate(lines) if line.startswith(ENDED)]
            if ends:
                words = [line for line in lines[: ends[0]] if line.strip()]
                return f"{each.node} {lines[ends[0]]}: {words[-1] if words else 'it said nothing'}"
        return f"the graph ended with status {self._code}"

    def close(self) -> None:
        """End the processes, the gate first, the twin last; returns when they are gone."""
        self._stop.set()
        self._thread.join(ENDING_S)

    def _run(self, environment: Mapping[str, str]) -> None:
        self._code = run_processes(self._wanted, environment, self.folder, self._stop, echo=False)
