"""Failures of the server itself, counted and kept in words instead of logged: anybody can make requests, and a request
may hold a token.
"""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError


class ServerFaults(logging.Handler):
    """Takes what aiohttp logs; requests that cannot be read are the sender's failures, and not counted.

    Attributes:
        count: failures of this side.
        last: the newest of them.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count, self.last = 0, ""
        self.logger = logging.Logger("page")  # outside of the tree: nothing of it reaches another log
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a failure."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            self.count += 1
            self.last = f"{type(error).__name__}: {error}" if error is not None else record.getMessage()
