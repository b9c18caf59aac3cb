"""Arrays concatenated in time in one .npz, with `episode_ends` beside them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Collection

import numpy as np

from data.formats.source import SKIP_BAD_ENDS, Source, SourceArray, require_known
from data.store.consistency import ends_array_problem, require_consistent
from robot.errors import InputError

ENDS = "episode_ends"


def open_npz(path: str | Path, exclude: Collection[str] = (), skip: Collection[int] = ()) -> Source:
    """Read an npz whole into memory; nothing in it is unpickled.

    Raises:
        InputError: `episode_ends` is missing or does not fit, or an array is damaged or holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            require_known("exclude", exclude, file.files)
            values = {key: _member(path, file, key) for key in file.files if key not in exclude}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{path}'", expected="an .npz", got=str(error)) from error
    if ENDS not in values:
        raise InputError(
            f"'{path}'",
            expected=f"an array '{ENDS}' with the row after each episode's last",
            got=f"only {', '.join(values) or 'nothing'}",
        )
    ends = values.pop(ENDS)
    _require_ends(path, ends)
    single = {name: array.item() for name, array in values.items() if array.ndim == 0}
    facts = {name: array for name, array in values.items() if _is_fact(array, ends)}
    arrays = {
        name: _in_memory(str(path), name, array)
        for name, array in values.items()
        if name not in single and name not in facts
    }
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    rows = max(lengths.values(), default=0)
    odd = [name for name, length in lengths.items() if length != rows]
    way_out = f"Leave out what has not one entry a row with exclude=[{','.join(odd)}]" if odd else SKIP_BAD_ENDS
    require_consistent(str(path), lengths, ends, rows, way_out, skip)
    return Source(str(path), "npz", arrays, ends.astype(np.int64), attributes=single, facts=facts)


def _require_ends(path: str | Path, ends: np.ndarray) -> None:
    """Refuse what cannot be episode ends, before other arrays are judged by their number."""
    problem = ends_array_problem(ends) or (None if len(ends) else "expected at least one episode, got none")
    if problem:
        raise InputError(
            f"'{path}': '{ENDS}': {problem}",
            way_out="Write the row after each episode's last, for example np.array([20, 50, 75])",
        )


def _is_fact(array: np.ndarray, ends: np.ndarray) -> bool:
    """Whether an array has one entry per episode, and too few to have one per row."""
    return array.ndim > 0 and len(array) == len(ends) < ends.max()


def _member(path: str | Path, file: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    try:
        return file[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"'{path}': array '{key}'",
            expected="an intact array of numbers",
            got=str(error),
            way_out=f"Leave it out with exclude=[{key}], or copy the file again",
        ) from error


def _in_memory(path: str, name: str, values: np.ndarray) -> SourceArray:
    return SourceArray(path, name, values.shape, values.dtype, lambda start, stop: values[start:stop], len(values))
