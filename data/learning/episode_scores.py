"""Scores of episodes in a file, as `tiller data quality` writes them: they are of one dataset and of no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robot.errors import InputError

KIND, VERSION = "tiller episode scores", 1
LARGEST_FILE = 1 << 29


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the episodes of a dataset.

    Args:
        file: that they were read from.
        fingerprint: of the dataset.
        values: (episodes,) float64, 0 or more.
    """

    file: str
    fingerprint: str
    values: np.ndarray = field(repr=False)


def read_scores(file: str) -> Scores:
    """Read a file of scores.

    Raises:
        InputError: it cannot be read, or is none.
    """
    path = Path(file)
    path = path / "quality.json" if path.is_dir() else path
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _wrong(file, f"a file of {path.stat().st_size:,} bytes")
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(file, f"no JSON: {error}") from error
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise _wrong(file, "another JSON file")
    if given.get("version") != VERSION:
        raise _wrong(file, f"version {given.get('version')!r}, where this tiller reads {VERSION}")
    listed, fingerprint = given.get("scores"), given.get("fingerprint")
    if not isinstance(listed, list) or not isinstance(fingerprint, str):
        raise _wrong(file, "one without scores or fingerprint")
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in listed)
    try:
        values = np.array(listed if numbers else [], np.float64)
    except OverflowError:
        values = np.array([np.inf])
    if not numbers or not np.isfinite(values).all() or (values < 0).any() or not (values > 0).any():
        raise _wrong(file, "scores that are no finite numbers of 0 or more, one at least above 0")
    return Scores(str(file), fingerprint, values)


def scores_of(files: tuple[str, ...], path: str, fingerprint: str, episodes: int) -> np.ndarray:
    """The scores (episodes,) of a dataset, from the file that is of it.

    Args:
        files: of scores, in any order.
        path, fingerprint, episodes: of the dataset.

    Raises:
        InputError: no file is of this dataset as it is now, or one cannot be read.
    """
    read = [read_scores(file) for file in files]
    own = [each for each in read if each.fingerprint == fingerprint]
    if not own:
        listed = ", ".join(f"'{each.file}' of {each.fingerprint} ({len(each.values)} episodes)" for each in read)
        raise InputError(
            f"scores of '{path}'",
            expected=f"a file that is of this dataset as it is now, {fingerprint} ({episodes} episodes)",
            got=listed or "no file",
            way_out=f"Episodes may have been added since. Measure it: tiller data quality {path}",
        )
    if len(own[0].values) != episodes:
        raise _wrong(own[0].file, f"{len(own[0].values)} scores of {episodes} episodes")
    return own[0].values


def _wrong(file: str, got: str) -> InputError:
    return InputError(
        f"scores '{file}'",
        expected="the quality.json that tiller data quality wrote",
        got=got,
        way_out="Make it with: tiller data quality STORE output=FOLDER",
    )
