"""Write a new store beside its final path, and rename it when it is complete."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from data.store.writing.appending import DiskError
from data.store.writing.durable import move_into_place
from robot.errors import InputError, TillerError

# How long a folder must stay away to be gone for good, and how long to try.
_QUIET_S = 0.2
_REMOVE_S = 10.0


def aside_of(folder: Path, doing: str) -> Path:
    """A hidden folder for a store that becomes `folder`: within it where it exists (and is empty), else beside.

    A folder that is there may be a mount of its own, or the working directory of a shell.
    """
    name = f".{folder.name}.{os.getpid()}.{doing}"
    return folder / name if folder.is_dir() else folder.with_name(name)


def remove_aside(aside: Path) -> None:
    """Delete what was written aside; after an interrupt zarr's own thread may go on writing into it for a while."""
    give_up, gone_since = time.monotonic() + _REMOVE_S, None
    if not aside.exists():
        return  # it has its name
    while (now := time.monotonic()) < give_up and (gone_since is None or now < gone_since + _QUIET_S):
        if aside.exists():
            gone_since = None
            shutil.rmtree(aside, ignore_errors=True)
        elif gone_since is None:
            gone_since = now
        time.sleep(0.01)


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


@contextmanager
def written_aside(folder: Path, named: str, doing: str) -> Iterator[Path]:
    """A hidden folder to write a store in; it becomes `folder` when the block ends well, else nothing is left of it.

    Args:
        folder: the store's final path, resolved.
        named: as the person gave it, for messages.
        doing: what writes it, such as `converting`.

    Raises:
        InputError: the path cannot be written.
        TillerError: the disk is full or fails.
    """
    aside = aside_of(folder, doing)
    try:
        yield aside
        move_into_place(aside, folder)
    except DiskError as error:
        way_out = "Free some space" if error.full else "Mend that"
        raise TillerError(
            f"'{named}': {error.reason} while {doing}, after {error.episodes} episodes. Nothing is left "
            f"of it. {way_out} and do the same again"
        ) from error
    except InputError as error:
        if str(aside) not in error.thing:
            raise
        raise InputError(f"'{named}'", expected=error.expected, got=error.got, way_out=error.way_out) from error
    except OSError as error:
        raise InputError(
            f"'{named}'", expected="an output that can be written", got=error.strerror or str(error)
        ) from error
    finally:
        remove_aside(aside)
