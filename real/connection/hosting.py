"""A graph of a twin that a program starts for itself, and how two programs agree who starts it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from threading import Event, Thread
from typing import IO, Mapping

from real.graph import Deployment, processes
from real.processes import run_processes

ENDING_S = 15.0
ENDED = "ended with "


class Claim:
    """The right to start the graph of a domain and namespace on this machine; ends with the process that has it.

    Discovery takes a moment, in which two programs would start two graphs: one of them gets the claim.

    Args:
        namespace: of the graph.
    """

    def __init__(self, namespace: str) -> None:
        folder = Path(tempfile.gettempdir()) / f"tiller-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{os.environ.get('ROS_DOMAIN_ID', '0')}{namespace.replace('/', '_')}"
        self._path = folder / f"graph-{name}.lock"
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """False when another program has it."""
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

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
        """Which process ended first, and its last words."""
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
