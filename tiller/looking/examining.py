"""What `tiller data validate` finds in the stores that are looked at: in a process of its own, one after the other.

In a thread it took so much of the interpreter that frames came seconds late.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from data.checks.report import plain
from data.checks.sizes import array_sizes
from robot.errors import TillerError, one_line
from tiller.looking.fields import words
from tiller.looking.snapshot import Shelf

CHEAP_BYTES = 32 << 20
"""Of a store, up to which it is examined unasked."""
MOST_FINDINGS = 5_000
LONGEST = 500  # characters of a message
LOW_PRIORITY = 15


class Examiner:
    """Examines stores when that is asked for; any thread may ask.

    Args:
        shelf: of the stores.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="examine")
        self._lock = Lock()
        self._examined: dict[int, tuple[Any, Future[Mapping[str, Any]]]] = {}
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def state(self, number: int, start: bool) -> Mapping[str, Any]:
        """What is known of a store's problems.

        Args:
            number: of the store.
            start: examine it where that has not begun.

        Returns:
            `state` (`not examined`, `examining`, `examined`, `failed`), `cheap`, and, once it is, `summary` and
            `findings`: severity, episode, second, rule, message of each.
        """
        snapshot = self._shelf[number]
        key = (snapshot.key, len(snapshot))
        with self._lock:
            known, future = self._examined.get(number, (None, None))
            if known != key or future is None:
                if not start:
                    sizes = array_sizes(snapshot.contents)
                    return {"state": "not examined", "cheap": sizes is not None and sum(sizes.values()) <= CHEAP_BYTES}
                if future is not None:
                    future.cancel()
                future = self._thread.submit(self._examine, self._shelf.path(number))
                self._examined[number] = (key, future)
        return future.result() if future.done() and not future.cancelled() else {"state": "examining", "cheap": False}

    def _examine(self, path: str) -> Mapping[str, Any]:
        command = [sys.executable, "-m", "tiller.looking.examining", path]
        with self._lock:
            if self._closed:
                return {"state": "not examined", "cheap": False}
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        out, _ = self._process.communicate()
        try:
            return {**json.loads(out)}
        except ValueError:
            return {"state": "failed", "problem": f"validate ended with code {self._process.returncode}"}

    def close(self) -> None:
        """Examine nothing more."""
        with self._lock:
            self._closed = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
        self._thread.shutdown(wait=False, cancel_futures=True)


def main(path: str) -> int:
    """Print what validation finds in a store, as JSON of bounded size."""
    from data.checks.validate import validate

    os.nice(LOW_PRIORITY)
    try:
        report = validate(path)
    except (TillerError, OSError) as error:
        said = str(error) if isinstance(error, TillerError) else one_line(error)
        print(json.dumps({"state": "failed", "problem": words(said, 1000)}))
        return 0
    findings = [
        [each.severity, each.episode, plain(each.second), words(each.rule or "store"), words(each.message, LONGEST)]
        for each in report.findings[:MOST_FINDINGS]
    ]
    print(json.dumps({"state": "examined", "summary": words(report.summary, 1000), "findings": findings}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
