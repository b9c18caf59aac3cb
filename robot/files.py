"""A file that appears under its name when it is whole and on the disk, beside others that are written meanwhile."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import BinaryIO, Callable

PARTIAL = ".partial"
# What a file system without hard links (FAT, some network mounts) answers.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def write_new(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    """Write a new file; folders that are missing are made.

    Writers in other threads, processes and machines may want the same name at the same time: each gets a name of its
    own, and none is overwritten.

    Args:
        path: its name; where that is taken, a number is added.
        write: writes its content.

    Returns:
        The path under which it is.

    Raises:
        OSError: it cannot be written. Nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        found = _name(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return found


def _name(partial: Path, path: Path) -> Path:
    """Give a finished file the first name that is free, in one step: nobody comes between the look and the name."""
    number, name, take = 1, path, _link
    while True:
        try:
            take(partial, name)
            return name
        except FileExistsError:
            number += 1
            name = path.with_name(f"{path.stem}-{number}{path.suffix}")
        except OSError as error:
            if take is not _link or error.errno not in _NO_LINKS:
                raise
            take = _replace_own


def _link(partial: Path, name: Path) -> None:
    os.link(partial, name)


def _replace_own(partial: Path, name: Path) -> None:
    """Without hard links: take the name with an empty file, then put the whole one in its place."""
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        os.replace(partial, name)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network mounts sync no folders; the file's content is on the disk
            raise
    finally:
        os.close(descriptor)
