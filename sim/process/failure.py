"""The report of an exception by a process at the other end of a pipe."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from robot.errors import InputError, TillerError


@dataclass(frozen=True)
class Failure:
    """An exception in a worker: its text and its exit code."""

    message: str
    exit_code: int

    def error(self) -> TillerError:
        return InputError(self.message) if self.exit_code == InputError.exit_code else TillerError(self.message)


def failure(error: Exception, where: str) -> Failure:
    """The report of an exception for the parent."""
    if isinstance(error, InputError):
        return Failure(str(error), error.exit_code)  # it names the thing itself
    if isinstance(error, TillerError):
        return Failure(f"{where}: {error}", error.exit_code)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{where}: {type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})"
    return Failure(text, TillerError.exit_code)
