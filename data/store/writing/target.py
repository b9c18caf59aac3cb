"""Whether a folder is free for what is to be written there: a store, or the output of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Collection

from data.store.location import is_url, refuse_within_store
from data.store.writing.staging import remove_leftovers
from robot.errors import InputError

CHECKPOINTS = ("policy.json", "critic.json", "actor.json", "module.json")
"""What a checkpoint folder has."""


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
