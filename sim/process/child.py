"""A Python process of our own at the other end of a pipe.

The child runs `python -m MODULE FD`. It is started afresh, not forked or spawned from the parent's main module, so that
it does not import all that the parent has imported. Messages are plain records and arrays over a socket pair that only
the two share.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any, Callable

from robot.errors import TillerError

_PATIENCE_S = 5.0


class WorkerLost(TillerError):
    """A worker process ended by itself."""


class ChildProcess:
    """The parent's side.

    Args:
        module: what the child runs; it calls `be_child` with its own side.
    """

    def __init__(self, module: str) -> None:
        self.connection, child = Pipe()
        # The child imports what the parent can, from the same folders; BLAS threads would only compete for cores.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(child.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[child.fileno()],
                env=environment,
                # Only the parent receives Ctrl-C; it ends its workers in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, message: Any) -> None:
        """Send a message; a child that is gone is reported by the answer that follows."""
        with suppress(OSError):
            self.connection.send(message)

    def answer(self) -> Any:
        """Wait for the next message of the child.

        Raises:
            WorkerLost: the process has ended.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def close(self) -> None:
        """End the process: it leaves when its pipe closes, and is killed when it does not."""
        self.connection.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _lost(self) -> WorkerLost:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return WorkerLost(f"worker {self.pid} closed its pipe")
        if code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return WorkerLost(f"worker {self.pid} was killed by {signal.Signals(-code).name}{hint}")
        return WorkerLost(f"worker {self.pid} ended with exit code {code}")


def be_child(serve: Callable[[Connection], None]) -> None:
    """The child's side: serve until the parent closes its end."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is done, or gone
        serve(Connection(int(sys.argv[1])))
