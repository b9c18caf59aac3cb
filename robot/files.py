"""Files and folders that appear under their names when they are whole and on the disk.

A kill, a full disk or a power cut in between leaves what was there before.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterable, Iterator, Mapping, Sequence

from robot.errors import InputError, TillerError

PARTIAL = ".partial"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, a full quota or a file that may not grow."""
# Errors of a file system without hard links (FAT, some network mounts).
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def partial_name(path: Path) -> Path:
    """A unique hidden name beside `path` for a file that is still being written."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")


def remove_partial(folder: Path) -> None:
    """Delete the leftovers of killed writers in a folder. Call it only where nobody else writes into the folder."""
    for leftover in folder.glob(f".*{PARTIAL}"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file, replacing one that is there; missing folders are made.

    Args:
        path: its name.
        content: all of it; text becomes UTF-8.

    Raises:
        OSError: it cannot be written. A file that was there is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with _partial_file(path, lambda file: file.write(data)) as partial:
        os.replace(partial, path)
    sync(path.parent)
    return path


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


def is_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that there is no room on the disk."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        cause = cause.__cause__
    return False


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a CSV with a header, as `write_file` does.

    Args:
        path: its name.
        columns: in their order.
        rows: name -> value each; a name that is no column is an error.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return write_file(path, text.getvalue())


def write_new(path: Path, write: Callable[[BinaryIO], Any]) -> Path:
    """Write a new file; missing folders are made.

    Writers in other threads, processes and machines may want the same name at the same time: each gets a name of its
    own, and none is overwritten.

    Args:
        path: its name; where that is taken, a number is added.
        write: writes its content.

    Returns:
        The path of the file.

    Raises:
        OSError: it cannot be written. Nothing is left of it.
    """
    with _partial_file(path, write) as partial:
        final_path = _name(partial, path)
    sync(path.parent)
    return final_path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write into; when the block ends well its files are on the disk and it gets its name.

    A folder that is there is replaced. When the block raises, nothing is left.

    Raises:
        OSError: it cannot be written.
    """
    partial = partial_name(path)
    try:
        partial.mkdir(parents=True)
        yield partial
        for file in sorted(partial.rglob("*"), reverse=True):
            sync(file)
        sync(partial)
        if path.exists():
            old = partial_name(path)
            os.rename(path, old)
            os.rename(partial, path)
            shutil.rmtree(old)
        else:
            os.rename(partial, path)
        sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def point_link(link: Path, target: str) -> None:
    """Make a symbolic link, replacing one that is there."""
    partial = partial_name(link)
    partial.symlink_to(target)
    os.replace(partial, link)


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network mounts sync no folders; the files' content is on the disk
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _partial_file(path: Path, write: Callable[[BinaryIO], Any]) -> Iterator[Path]:
    """A whole file, on the disk, under a name of its own; gone when the block has ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_name(path)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _name(partial: Path, path: Path) -> Path:
    """Give a finished file the first free name, in one atomic step, and return it."""
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
    """Without hard links: take the name with an empty file, then replace it by the whole one."""
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        os.replace(partial, name)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
