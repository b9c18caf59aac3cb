"""Environments in processes of their own, stepped through whole slices of actions a message.

The parent holds a `WorkerProcess`; the child runs `python -m sim.workers`. It is started afresh, not forked or spawned
from the parent's main module, so that a worker never pays for what the parent has imported. Messages are plain records
and arrays over a socket pair that only the two share.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any

from robot.errors import TillerError
from sim.lane import Failure, Lane, Order, Ready, Report, Setup, build, failure

_PATIENCE_S = 5.0


class WorkerLost(TillerError):
    """A worker process ended by itself."""


class WorkerProcess:
    """The parent's side of one worker: send orders, then receive as many reports."""

    def __init__(self, setup: Setup):
        self._connection, child = Pipe()
        # The child imports what the parent can, wherever that was found; BLAS threads would only fight over cores.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sim.workers", str(child.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[child.fileno()],
                env=environment,
                # Ctrl-C goes to the parent alone, which ends its workers in order.
                start_new_session=True,
            )
        self._send(setup)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> Ready:
        """Wait until the first environment stands.

        Raises:
            InputError: the task or its options are wrong.
            TillerError: it could not be built.
            WorkerLost: the process has ended.
        """
        answer = self._receive()
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def send(self, orders: list[Order]) -> None:
        """Hand out orders, at most one a lane; `receive` must follow before the next ones."""
        self._send(orders)

    def receive(self) -> list[Report | Failure]:
        """Reports on the orders sent last; a failure, which ends the worker, comes in the place of its report.

        Raises:
            WorkerLost: the process has ended.
        """
        return self._receive()

    def close(self) -> None:
        """End the process: it leaves when its pipe closes, and is killed when it does not."""
        self._connection.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: Setup | list[Order]) -> None:
        with suppress(OSError):  # a worker that is gone is reported by the answer that follows
            self._connection.send(message)

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def _lost(self) -> WorkerLost:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return WorkerLost(f"worker {self.pid} closed its pipe")
        if code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return WorkerLost(f"worker {self.pid} was killed by {signal.Signals(-code).name}{hint}")
        return WorkerLost(f"worker {self.pid} ended with exit code {code}")


def serve(connection: Connection) -> None:
    """Be a worker until the parent closes its end."""
    setup: Setup = connection.recv()
    try:
        env = build(setup)
    except Exception as error:
        connection.send(failure(error, setup.task_id))
        return
    connection.send(Ready(env.task, env.observation_spec, env.action_spec))
    lanes: dict[int, Lane] = {}
    try:
        while True:
            answers: list[Report | Failure] = []
            for order in connection.recv():
                # The environment that was built first goes to the first lane, the others build their own.
                lane = lanes.setdefault(order.lane, Lane(setup, None if lanes else env))
                try:
                    answers.append(lane.obey(order))
                except Exception as error:
                    connection.send([*answers, failure(error, f"{setup.task_id}, {lane.place}")])
                    return
            connection.send(answers)
    finally:
        for lane in lanes.values():
            lane.close()


if __name__ == "__main__":
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is done, or gone
        serve(Connection(int(sys.argv[1])))
