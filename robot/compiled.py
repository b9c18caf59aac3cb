"""Compile a hot function with numba where it is installed; else it runs as plain Python, slower with the same result.

Machine code is cached on disk between runs. numba checks only the file of a function to see whether its cache is stale,
not the files of the functions that it calls; so here the cache folder depends on the state of all our sources.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Callable, TypeVar

from robot.folders import user_cache

try:
    import numba
    from numba import config as _config

    COMPILED = not _config.DISABLE_JIT
except ImportError:  # numba is optional here: every compiled function is plain Python too
    numba = None
    COMPILED = False

_ROOMS = ("robot", "sim", "benchmarks")  # that may hold compiled functions
_IMPORT = b"from robot.compiled import"

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Decorate a function of numbers and arrays: machine code that releases the interpreter's lock.

    IEEE arithmetic is kept (no `fastmath`), so that both paths agree to rounding.
    """
    if not COMPILED:
        return function
    others, _config.CACHE_DIR = _config.CACHE_DIR, str(_cache_folder())
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
    finally:
        _config.CACHE_DIR = others


@cache
def _cache_folder() -> Path:
    """The folder for the machine code of the current sources."""
    return user_cache() / "tiller" / "compiled" / sources_digest(Path(__file__).resolve().parents[1])


def sources_digest(rooms: Path) -> str:
    """A digest of the paths, sizes and times of all sources beside compiled functions below `rooms`."""
    state = hashlib.sha256()
    for folder in source_folders(rooms):
        for file in sorted(folder.glob("*.py")):
            stat = file.stat()
            state.update(f"{file} {stat.st_mtime_ns} {stat.st_size}\n".encode())
    return state.hexdigest()[:16]


def source_folders(rooms: Path) -> list[Path]:
    """The folders below `rooms` in which some file has compiled functions: their constants are there too."""
    return sorted(
        {file.parent for room in _ROOMS for file in (rooms / room).rglob("*.py") if _IMPORT in file.read_bytes()}
    )
