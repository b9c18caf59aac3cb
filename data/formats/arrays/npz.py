"""Arrays concatenated in time in one .npz, with `episode_ends` beside them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Collection

import numpy as np

from data.formats.arrays.concatenated import ArraySource, ConcatenatedArray
from data.formats.arrays.npy import SMALL_BYTES, Member, open_member
from data.formats.bounds import require_likely
from data.formats.source import SKIP_BAD_ENDS, require_known
from data.store.consistency import ends_array_problem, require_consistent
from robot.errors import InputError

ENDS = "episode_ends"


def open_npz(path: str | Path, exclude: Collection[str] = (), skip: Collection[int] = ()) -> ArraySource:
    """Open an npz, whose arrays are streamed from the file; nothing in it is unpickled.

    Args:
        path: of the file.
        exclude: keys to leave out.
        skip: episodes that nobody wants, whose ends may be anything.

    Raises:
        InputError: `episode_ends` is missing or does not fit, an array is damaged or holds Python objects, or they hold
            far more than the file can.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(f"'{path}'", expected="an .npz", got=got, way_out="Copy the file again") from error
    try:
        return _open(str(path), archive, exclude, skip)
    except BaseException:
        archive.close()
        raise


def _open(path: str, archive: zipfile.ZipFile, exclude: Collection[str], skip: Collection[int]) -> ArraySource:
    files = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if not info.is_dir()}
    require_known("exclude", exclude, files)
    members = {key: open_member(path, archive, key, info) for key, info in files.items() if key not in exclude}
    require_likely(path, {key: member.nbytes for key, member in members.items()}, Path(path).stat().st_size)
    if ENDS not in members:
        raise InputError(
            f"'{path}'",
            expected=f"an array '{ENDS}' with the row after each episode's last",
            got=f"only {', '.join(members) or 'nothing'}",
        )
    ends = members.pop(ENDS).whole()
    _require_ends(path, ends)
    single = {key: member.whole().item() for key, member in members.items() if member.shape == ()}
    facts = {key: member.whole() for key, member in members.items() if _is_fact(member, ends)}
    arrays = {
        key: ConcatenatedArray(member.shape, member.dtype, member.read, 1)
        for key, member in members.items()
        if key not in single and key not in facts
    }
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    rows = max(lengths.values(), default=0)
    odd = [name for name, length in lengths.items() if length != rows]
    way_out = f"Leave out what has not one entry a row with exclude=[{','.join(odd)}]" if odd else SKIP_BAD_ENDS
    require_consistent(path, lengths, ends, rows, way_out, skip)
    return ArraySource(path, "npz", arrays, ends.astype(np.int64), attributes=single, facts=facts, close=archive.close)


def _require_ends(path: str, ends: np.ndarray) -> None:
    """Refuse what cannot be episode ends, before other arrays are judged by their number."""
    problem = ends_array_problem(ends) or (None if len(ends) else "expected at least one episode, got none")
    if problem:
        raise InputError(
            f"'{path}': '{ENDS}': {problem}",
            way_out="Write the row after each episode's last, for example np.array([20, 50, 75])",
        )


def _is_fact(member: Member, ends: np.ndarray) -> bool:
    """Whether an array has one entry per episode, and too few to have one per row."""
    return len(member.shape) > 0 and member.shape[0] == len(ends) < ends.max() and member.nbytes <= SMALL_BYTES
