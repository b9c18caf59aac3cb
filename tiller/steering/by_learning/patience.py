"""What waits where the disk is full, and goes on when there is room again."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, TypeVar

from robot.errors import TillerError
from robot.files import is_full

T = TypeVar("T")


class Patience:
    """Attempts what writes until there is room on the disk.

    Args:
        stop: says whether to give up: what was asked for is an end.
        wait_s: between two attempts.
    """

    def __init__(self, stop: Callable[[], bool] = lambda: False, wait_s: float = 5.0) -> None:
        self.stop, self.wait_s = stop, wait_s

    def attempt(self, action: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What the action returns; it must leave nothing behind where it fails.

        Raises:
            TillerError: it failed for another reason, or there was no room until it was stopped.
        """
        said = False
        while True:
            try:
                done = action(*arguments, **named)
            except TillerError as error:
                if not is_full(error) or self.stop():
                    raise
                if not said:
                    print(f"Waiting: {error}", file=sys.stderr, flush=True)
                    said = True
                time.sleep(self.wait_s)
                continue
            if said:
                print("There is room on the disk again.", file=sys.stderr, flush=True)
            return done
