"""Whether a folder is free for what is to be written there: a store, or the output of a run.

Nothing is imported here that takes long: the help of every verb waits for it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Collection

from robot.errors import InputError

CHECKPOINTS = ("policy.json", "critic.json", "actor.json", "module.json")
"""What a checkpoint folder has."""
_STORE_FILES = ("zarr.json", ".zgroup", ".zarray")


def is_url(path: str | Path) -> bool:
    return "://" in str(path)


def free_folder(
    path: str | Path, ways_out: str = "Choose another path; nothing is overwritten", but: Collection[str] = ()
) -> Path:
    """A path at which something can be made; what killed processes left there of a store is removed.

    Args:
        path: a folder that does not exist yet, or is empty.
        ways_out: the next thing to do where it is not free, for the message.
        but: names of files that do not count.

    Returns:
        The folder, resolved.

    Raises:
        InputError: something is there already, it is within a store or a checkpoint, or it is no local path.
    """
    folder = writable_folder(path, ways_out)
    if is_occupied(folder, but):
        raise InputError(
            f"'{path}'",
            expected="a folder that does not exist yet, or an empty one",
            got="one that holds files" if folder.is_dir() else "a file",
            way_out=ways_out,
        )
    return folder


def writable_folder(path: str | Path, ways_out: str) -> Path:
    """A path at which a folder may be, free or not; what killed processes left there of a store is removed.

    Returns:
        The folder, resolved.

    Raises:
        InputError: it is within a store or a checkpoint, or it is no local path.
    """
    if is_url(path):
        raise InputError(f"'{path}'", expected="a local folder to write", got="a URL", way_out=ways_out)
    folder = Path(path).resolve()
    refuse_within_store(folder, str(path))
    for parent in folder.parents:
        # A checkpoint is replaced as a whole when it is written anew.
        record = next((name for name in CHECKPOINTS if (parent / name).is_file()), None)
        if record is not None:
            raise InputError(
                f"'{path}'",
                expected="a folder outside of checkpoints",
                got=f"one inside the checkpoint '{parent}'",
                way_out="Choose a path beside it",
            )
    remove_leftovers(folder)
    return folder


def is_occupied(folder: Path, but: Collection[str] = ()) -> bool:
    """Whether a file is at a path, or a folder that holds anything else than files of these names."""
    if folder.is_dir():
        return any(entry.name not in but for entry in folder.iterdir())
    return folder.exists()


def refuse_within_store(folder: Path, named: str) -> None:
    """Refuse to write a store within another one, which it would damage.

    Args:
        folder: to be written, resolved.
        named: as the person gave it, for messages.

    Raises:
        InputError: a folder above it is a store or a part of one, or its name is too long.
    """
    try:
        folder.exists()
        above = next((at for at in folder.parents if any((at / file).exists() for file in _STORE_FILES)), None)
    except OSError as error:
        raise InputError(f"'{named}'", expected="a path that can be written", got=error.strerror) from error
    if above is not None:
        raise InputError(
            f"'{named}'",
            expected="a folder outside every store",
            got=f"one within the store '{above}'",
            way_out="Choose a path beside it",
        )


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes left of stores that were to become `folder`; those of living ones stay."""
    name = re.compile(rf"\.?\.{re.escape(folder.name)}\.(\d+)\.(new|converting|repairing|exporting)(\.\d+\.new)?")
    for parent in (folder, folder.parent):
        for entry in [*parent.iterdir()] if parent.is_dir() else ():
            leftover = name.fullmatch(entry.name)
            if leftover and not _is_alive(int(leftover[1])):
                shutil.rmtree(entry, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another person's
        return True
    return True
