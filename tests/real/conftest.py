"""Nodes in processes of their own, on a domain that no other test process uses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
MATCH_S = 12.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here runs alone that does not say that it may run together with others."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("together") is None:
            item.add_marker("alone")


@pytest.fixture(scope="session")
def domain(worker_id: str) -> int:
    """A ROS domain for each test process: 101 is the last that needs no other ports than usual."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return 20 + (os.getpid() * 7 + number) % 80


@pytest.fixture
def ros_environment(domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of ROS for this process and the ones it starts."""
    found = {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path / "ros_log"),
        "PYTHONPATH": str(REPOSITORY),
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def end_process(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end, and kill it when it does not: a node that is killed leaves its shared memory behind."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Program:
    """A Python program in a process of its own.

    Args:
        words: after `python`.
        environment: added to this process's.
    """

    def __init__(self, *words: str, **environment: str):
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> str:
        """The first line from now on that holds `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line.rstrip()
        raise AssertionError(f"no line with '{text}': {self.lines}")

    def signal(self, number: int) -> float:
        """Send a signal and wait for the end; returns the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.finish()
        return time.monotonic() - started

    def finish(self) -> int:
        out, _ = self.process.communicate(timeout=20)
        self.lines += out.splitlines()
        return self.process.returncode


@pytest.fixture
def program(ros_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start `source` as a program; what is still running at the end of the test is killed."""
    started: list[Program] = []

    def start(source: str, *words: str, **environment: str) -> Program:
        file = tmp_path / f"program{len(started)}.py"
        file.write_text(source)
        started.append(Program(str(file), *words, **environment))
        return started[-1]

    yield start
    for each in started:
        end_process(each.process)
        if each.process.stdout is not None and not each.process.stdout.closed:
            each.process.stdout.close()
