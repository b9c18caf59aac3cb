"""Write new stores beside their final path, go on with what a killed writer left, and rename them when complete.

Beside the target, or within it where it is an empty folder, a hidden folder holds

    writer.lock      who writes
    plan             what is made; work on another plan is begun anew
    made             the store, or a folder of several
    complete         a file that says: only the move is left
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable

from data.store.location import is_url
from data.store.writing.durable import move_into_place
from data.store.writing.lock import LOCK_NAME, WriterLock
from data.store.writing.staging import named_errors
from data.store.writing.target import free_folder
from robot.errors import InputError
from robot.files import sync, write_file

_PLAN, _MADE, _COMPLETE = "plan", "made", "complete"


def unfinished(path: str | Path) -> Path:
    """The hidden folder in which a writer of a path leaves its work when it is killed."""
    folder = Path(path).resolve()
    name = f".{folder.name}.unfinished"
    beside = folder.with_name(name)
    return folder / name if folder.is_dir() and not beside.exists() else beside


def require_free(path: str | Path) -> Path:
    """The resolved path, at which stores can be made: nothing is there but what a killed writer left.

    Raises:
        InputError: something is there already, it is within another store, or it is no local path.
    """
    if not is_url(path) and (unfinished(path) / _COMPLETE).is_file():
        return Path(path).resolve()  # a part of it may be there already
    return _require_empty(path)


def _require_empty(path: str | Path) -> Path:
    return free_folder(path, but=() if is_url(path) else (unfinished(path).name,))


def write_resumably(path: str | Path, plan: str, doing: str, make: Callable[[Path], None]) -> None:
    """Make stores and give them their final path; after a kill the same call goes on.

    Args:
        path: a folder that does not exist yet, or is empty.
        plan: what is made, in full: work that was done on another plan is dropped.
        doing: what writes it, such as `merging`, for messages.
        make: makes a store, or a folder of several, at the path that it is given, or goes on with what it finds there.
            When it raises an error, nothing is left of its work; an interrupt leaves it for the next call.

    Raises:
        InputError: the path cannot be written, or another process writes it.
        TillerError: the disk is full or fails.
    """
    work = unfinished(path)
    folder = Path(path).resolve()
    require_free(path)
    with named_errors(work, str(path), doing):
        work.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(work)
    try:
        with named_errors(work, str(path), doing):
            if _text(work / _PLAN) != plan:
                _require_empty(path)  # also where work on another plan was complete
                _empty(work)
                write_file(work / _PLAN, plan)
            if not (work / _COMPLETE).is_file():
                make(work / _MADE)
                write_file(work / _COMPLETE, "")
            _move(work, folder)
    except Exception:
        lock.release()
        shutil.rmtree(work, ignore_errors=True)
        raise
    finally:
        lock.release()
    shutil.rmtree(work, ignore_errors=True)
    sync(folder if work.parent == folder else folder.parent)


def _move(work: Path, folder: Path) -> None:
    """Give what is complete its path; a part of it may have it already."""
    made = work / _MADE
    if not made.is_dir():
        return
    if work.parent != folder and folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"'{folder}'", expected="a folder that does not exist yet", got="one that was made in the meantime"
        )
    move_into_place(made, folder)


def _empty(work: Path) -> None:
    for entry in work.iterdir():
        if entry.name == LOCK_NAME:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
