"""Supervised processes: started in order, their lines prefixed and kept, and ended in order whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread, current_thread, main_thread
from typing import IO, Any, Callable, Iterable, Mapping, Sequence

from real.graph.graph import End, NodeProcess
from real.supervision.screen import RELAYED, Screen, relayed

GRACE_S = 3.0
TURN_S = 0.05
READY = ": ready after "
ASKED_WRONGLY = 2

# As the modules of ROS read them; named here because this process imports no ROS.
PARENT = "TILLER_PARENT"
# What ends last stays this long when this process was killed: the gate brings the robot to a hold first.
ORPHAN_LINGER, ORPHAN_LINGER_S = "TILLER_ORPHAN_LINGER_S", 1.5
WHEELS_GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"


def run_processes(
    node_processes: Sequence[NodeProcess],
    environment: Mapping[str, str],
    folder: Path,
    stop: Event | None = None,
    echo: bool = True,
    own: Mapping[str, Mapping[str, str]] | None = None,
    shown: Callable[[str, str], str] | None = None,
) -> int:
    """Run a graph until a person ends it or an essential process does.

    The graph ends when an essential process does, and when any process ends with an error before it was ready: a
    policy that cannot be loaded is better reported at once. A policy that dies later leaves the gate holding the robot.

    Args:
        node_processes: in the order in which they start.
        environment: what is added to this process's own.
        folder: of the run; each process leaves its lines in NAME.log there.
        stop: ends the graph when set, as ctrl-C does.
        echo: print the lines too. On a terminal a status line of a process that has the keyboard stays below them.
        own: node -> what is added to its environment alone.
        shown: of node and line, the line as it is printed; the log keeps it as it came.

    Returns:
        0 ended by a person, 1 by a failure, 2 when a process got wrong arguments.
    """
    stop = stop or Event()
    before = _on_signals(stop)
    printing = _Printing() if echo else None
    if printing is not None and printing.has_status:
        environment = {**environment, RELAYED: str(printing.columns)}
    running: list[_Running] = []
    code = 0
    try:
        for each in node_processes:
            if stop.is_set():
                break
            lingering = {ORPHAN_LINGER: str(ORPHAN_LINGER_S)} if each.end is End.LAST else {}
            mine = {**child_environment(), **environment, **lingering, **(own or {}).get(each.node, {})}
            running.append(_Running(each, mine, folder, printing, shown))
        code = _watch(running, stop)
    finally:
        end(running)
        if printing is not None:
            printing.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


def end(running: Iterable[_Running], grace_s: float = GRACE_S) -> None:
    """End processes: first the gate, then the sources of targets, the driver last; each rank when the one before it is
    gone. SIGINT first, then SIGTERM, then SIGKILL.
    """
    alive = [each for each in running if each.process.poll() is None]
    for rank in End:
        group = [each for each in alive if each.description.end is rank]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for each in group:
                each.send(number)
            deadline = time.monotonic() + grace_s
            while any(each.process.poll() is None for each in group) and time.monotonic() < deadline:
                time.sleep(TURN_S / 5)
    for each in running:
        each.close()


def child_environment() -> dict[str, str]:
    """This process's environment, for children.

    The wheels of ROS set the path of their libraries once, when the interpreter starts, and then a guard. Where
    something took the path away and left the guard (sudo, another environment's shell), the guard is removed too.
    """
    environment = {**os.environ, PARENT: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    libraries = environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    if os.path.join(sys.prefix, "lib") not in libraries:
        environment.pop(WHEELS_GUARD, None)
    return environment


def _watch(running: Sequence[_Running], stop: Event) -> int:
    """Wait for the end of the graph; returns its exit status."""
    ended: set[str] = set()
    while not stop.is_set():
        for each in running:
            code = each.process.poll()
            if code is None or each.name in ended:
                continue
            ended.add(each.name)
            each.finish()
            failed_to_start = code != 0 and not each.ready
            each.say(
                f"ended with {_status(code)}"
                + ("" if each.description.essential or failed_to_start else "; the gate holds the robot")
            )
            if each.description.essential or failed_to_start:
                return ASKED_WRONGLY if code == ASKED_WRONGLY else 1
        if len(ended) == len(running):
            return 1
        stop.wait(TURN_S)
    return 0


class _Printing:
    """Lines of several processes on standard output, and below them, on a terminal, the status of the one that a person
    works with. Whoever reads them may leave (`| head`).
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._screen = Screen() if sys.stdout.isatty() else None
        self._read = True

    @property
    def has_status(self) -> bool:
        """Whether there is a line that can be written over."""
        return self._screen is not None

    @property
    def columns(self) -> int:
        """Of the terminal."""
        return self._screen.size[0] if self._screen is not None else 80

    def line(self, text: str) -> None:
        """A line for good."""
        if self._screen is not None:
            self._screen.line(text)
            return
        with self._lock:
            if self._read:
                try:
                    print(text, flush=True)
                except OSError:
                    self._read = False

    def status(self, text: str) -> None:
        """The newest status."""
        if self._screen is not None:
            self._screen.over(text)

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()


class _Running:
    """One process, with a thread that reads its lines."""

    def __init__(
        self,
        description: NodeProcess,
        environment: Mapping[str, str],
        folder: Path,
        printing: _Printing | None,
        shown: Callable[[str, str], str] | None,
    ):
        self.description, self.name, self._printing, self._shown = description, description.node, printing, shown
        self.ready, self._writing = False, Lock()
        self._log: IO[str] = (folder / f"{description.node}.log").open("a", encoding="utf-8")
        # A session of its own: a terminal's ctrl-C would reach gate and driver in the same moment.
        self.process = subprocess.Popen(
            description.command,
            env=dict(environment),
            stdin=None if description.terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, name=f"{description.node} lines", daemon=True)
        self._reader.start()

    def send(self, number: int) -> None:
        if self.process.poll() is None:
            # Before a node listens to signals, an interrupt would be an error in the middle of some import.
            early = number == signal.SIGINT and not self.ready
            self.process.send_signal(signal.SIGTERM if early else number)

    def finish(self) -> None:
        """Print what is left. A grandchild may hold the pipe open, so this does not wait for ever."""
        self._reader.join(timeout=1.0)

    def say(self, line: str) -> None:
        status = relayed(line)
        if status is not None:
            if self._printing is not None:
                self._printing.status(status)
            return
        if self._printing is not None:
            self._printing.line(f"[{self.name}] {self._shown(self.name, line) if self._shown else line}")
        # A disk may be full: the process goes on, so its pipe has to be emptied all the same.
        with self._writing, suppress(OSError, ValueError):
            self._log.write(line + "\n")
            self._log.flush()

    def close(self) -> None:
        self.finish()
        with self._writing, suppress(OSError):
            self._log.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.ready = self.ready or READY in line
            self.say(line.rstrip("\n"))


def _status(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def _on_signals(stop: Event) -> dict[int, Any]:
    def note(number: int, frame: Any) -> None:
        stop.set()

    if current_thread() is not main_thread():
        return {}  # who runs a graph beside something else ends it with `stop`
    return {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
