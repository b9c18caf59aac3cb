"""Write a result, with what the disk refuses as one message."""

from __future__ import annotations

import errno
from pathlib import Path

from robot.errors import InputError, TillerError
from robot.files import write_file

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_result(path: Path, content: str) -> Path:
    """Write a file, whole or not at all; missing folders are made.

    Raises:
        InputError: the path cannot be written.
        TillerError: the disk is full or fails. A file that was there is untouched.
    """
    try:
        return write_file(path, content)
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> TillerError:
    """The error to raise for a path that could not be written."""
    if error.errno in FULL:
        return TillerError(f"{path} was not written: no space left on the disk. Free some space, then run it again")
    if error.errno == errno.EIO:
        return TillerError(f"{path} was not written: the disk said '{error.strerror}'")
    return InputError(
        f"output {path}",
        expected="a path that can be written",
        got=error.strerror or str(error),
        way_out="Choose another output=",
    )
