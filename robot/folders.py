"""The folder of configurations that tiller ships, and folders of the user that it writes to besides its outputs.

A service account, a container without a home and a disk that is mounted read-only have no usable home folder. It would
hold a cache or a log, so a temporary folder replaces it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

from robot.errors import InputError


@cache
def user_cache() -> Path:
    """The folder of caches: XDG_CACHE_HOME, else `~/.cache`, else a temporary one, reported in one line on stderr.

    Raises:
        InputError: no temporary folder can be written either.
    """
    return cache_in(os.environ.get("XDG_CACHE_HOME"))


def cache_in(wanted: str | None) -> Path:
    """The folder of caches for a value of XDG_CACHE_HOME, None for none; see `user_cache`."""
    folder = Path(wanted) if wanted else home_folder(".cache")
    if folder is not None and is_writable(folder / "tiller"):
        return folder
    instead = temporary_folder() / "cache"
    why = f"{folder} cannot be written" if folder is not None else "there is no home folder (HOME)"
    print(
        f"tiller: {why}, so compiled code and transport profiles are kept in {instead}. XDG_CACHE_HOME chooses "
        "another folder",
        file=sys.stderr,
    )
    return instead


def home_folder(*parts: str) -> Path | None:
    """A folder below the user's home; None for a user without one."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home.joinpath(*parts) if home.is_absolute() and home != Path("/") else None


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder; the folder is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@cache
def temporary_folder() -> Path:
    """The user's own temporary folder, the same for all processes of the user.

    Code that was compiled is loaded from below it, so it has to be a folder that nobody else can write to.

    Raises:
        InputError: there is none.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"tiller-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        if folder.is_symlink() or state.st_uid != os.getuid() or state.st_mode & 0o022 or not is_writable(folder):
            return Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))
        return folder
    except OSError as error:
        raise InputError(
            "temporary folder",
            expected="one that can be written",
            got=error.strerror or str(error),
            way_out="Set TMPDIR to such a folder",
        ) from None


@cache
def configs_folder() -> Path:
    """The folder `configs`: beside the rooms in a checkout, inside `tiller` when installed from a wheel.

    Raises:
        InputError: it is in neither.
    """
    rooms = Path(__file__).resolve().parents[1]
    for folder in (rooms / "tiller" / "configs", rooms / "configs"):
        if folder.is_dir():
            return folder
    raise InputError("configs", expected=f"a folder below {rooms}", way_out="Install tiller again")
