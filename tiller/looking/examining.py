"""What `tiller data validate` finds in the stores that are looked at, one after the other, on a thread of its own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from data.checks.report import Report
from data.checks.sizes import array_sizes
from data.checks.validate import validate
from robot.errors import TillerError, one_line
from tiller.looking.fields import words
from tiller.looking.snapshot import Shelf

CHEAP_BYTES = 32 << 20
"""Of a store, up to which it is examined unasked."""
MOST_FINDINGS = 5_000


class Examiner:
    """Examines stores when that is asked for.

    Args:
        shelf: of the stores.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="examine")
        self._reports: dict[tuple[tuple[int, int], int], Future[Report]] = {}

    def state(self, number: int, start: bool) -> dict[str, Any]:
        """What is known of a store's problems.

        Args:
            number: of the store.
            start: examine it where that has not begun.

        Returns:
            `state` (`not examined`, `examining`, `examined`, `failed`), `cheap`, and, once it is, `findings`.
        """
        snapshot = self._shelf[number]
        key = (snapshot.key, len(snapshot))
        future = self._reports.get(key)
        if future is None:
            sizes = array_sizes(snapshot.contents)
            cheap = sizes is not None and sum(sizes.values()) <= CHEAP_BYTES
            if not start:
                return {"state": "not examined", "cheap": cheap}
            for old in [each for each in self._reports if each[0][0] == number]:
                self._reports.pop(old).cancel()
            future = self._reports[key] = self._thread.submit(validate, self._shelf.path(number))
        if not future.done():
            return {"state": "examining", "cheap": False}
        error = future.exception()
        if error is not None:
            said = str(error) if isinstance(error, TillerError) else one_line(error)  # type: ignore[arg-type]
            return {"state": "failed", "problem": words(said, 1000)}
        report = future.result()
        findings = [
            [each.severity, each.episode, each.second, words(each.rule or "store"), words(each.message, 500)]
            for each in report.findings[:MOST_FINDINGS]
        ]
        return {"state": "examined", "summary": words(report.summary, 1000), "findings": findings}

    def close(self) -> None:
        """Examine nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
