"""A process sees that the one which supervises it is gone, whatever stands between the two."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from real.process.ending import WIND_DOWN_S, Ending, WindingDown
from real.process.parent import Parent
from robot.errors import InputError

# Watches a process and says when it is gone; the second word takes pidfd away, as an old kernel does.
WATCHER = """
import os, sys, time
if sys.argv[2] != "pidfd":
    def pidfd_open(pid):
        raise OSError(int(sys.argv[2]), "not here")
    os.pidfd_open = pidfd_open
from real.process.parent import Parent
parent = Parent(int(sys.argv[1]))
print("watching", os.getpid(), parent.gone, flush=True)
while not parent.gone:
    time.sleep(0.01)
print("gone", flush=True)
"""
# Starts a shell or nothing between itself and the watcher, says who stands between, and waits to be killed.
LAUNCH = """
import os, subprocess, sys, time
words = [sys.executable, sys.argv[1], str(os.getpid()), sys.argv[2]]
line = " ".join(words)
between = {"nothing": words, "a shell": ["sh", "-c", line + "; true"],
           "two shells": ["sh", "-c", "nice sh -c '" + line + "; true'; true"]}[sys.argv[3]]
child = subprocess.Popen(between)
print("between", child.pid, flush=True)
time.sleep(60)
"""
PIDFD = ["pidfd", str(errno.ENOSYS), str(errno.EPERM)]
SOON_S = 5.0


class Launch:
    """A process that has started a watcher of itself."""

    def __init__(self, folder: Path, pidfd: str, between: str) -> None:
        (folder / "watcher.py").write_text(WATCHER)
        (folder / "launch.py").write_text(LAUNCH)
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "launch.py"), str(folder / "watcher.py"), pidfd, between],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self.process.stdout is not None
        words = [self.process.stdout.readline().split() for _ in range(2)]
        said = {line[0]: line[1:] for line in words}
        self.between, self.watcher = int(said["between"][0]), int(said["watching"][0])
        self.gone_at_first = said["watching"][1]

    def gone(self) -> bool:
        """Whether the watcher says so soon."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SOON_S)
        return bool(ready) and self.process.stdout.readline() == "gone\n"

    def close(self) -> None:
        for pid in (self.process.pid, self.between, self.watcher):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[[str, str], Launch]]:
    started: list[Launch] = []

    def start(pidfd: str, between: str) -> Launch:
        started.append(Launch(tmp_path, pidfd, between))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("between", ["nothing", "a shell", "two shells"])
@pytest.mark.parametrize("pidfd", PIDFD)
def test_kill_9_of_the_supervising_process_is_seen(launch, pidfd: str, between: str) -> None:
    found = launch(pidfd, between)
    assert found.gone_at_first == "False"
    time.sleep(0.2)
    os.kill(found.watcher, 0)
    os.kill(found.process.pid, signal.SIGKILL)  # and not waited for: it stays as a zombie, as under a slow parent
    assert found.gone()


@pytest.mark.parametrize("between", ["a shell", "two shells"])
def test_a_shell_between_that_is_killed_is_seen(launch, between: str) -> None:
    found = launch("pidfd", between)
    status = Path(f"/proc/{found.watcher}/stat").read_text().rpartition(")")[2].split()
    os.kill(int(status[1]), signal.SIGKILL)
    assert found.gone()


@pytest.fixture(params=["pidfd", "number"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pidfd and without."""
    if request.param == "number":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


def test_a_process_that_is_there_is_not_gone_and_one_that_never_was_is(way: str) -> None:
    assert not Parent(os.getppid()).gone and not Parent(1).gone
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    assert Parent(child.pid).gone


def test_a_number_that_was_given_to_a_younger_process_does_not_count(way: str) -> None:
    # Who began after this process has not started it.
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert Parent(child.pid).gone
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("text", ["x", "-3", "1.5", "²", "99999999999"])
def test_a_parent_that_is_no_number_is_one_message(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TILLER_PARENT", text)
    with pytest.raises(InputError, match="TILLER_PARENT in the environment: expected the number of a process"):
        Ending()


@pytest.mark.parametrize("name", ["TILLER_LINGER_S", "TILLER_ORPHAN_LINGER_S"])
@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_one_message(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(InputError, match=f"{name} in the environment: expected seconds"):
        Ending()


def test_a_node_that_never_comes_to_rest_is_waited_for_no_longer_than_a_second() -> None:
    asked: list[float] = []
    winding_down = WindingDown(lambda: bool(asked.append(time.monotonic())))
    while not winding_down.done():
        time.sleep(0.01)
    assert len(asked) > 3 and WIND_DOWN_S - 0.05 <= asked[-1] - asked[0] < WIND_DOWN_S + 2.0
    assert WindingDown(None).done() and WindingDown(lambda: True).done()
