"""Write a new store with what is sound in a damaged one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from data import layout
from data.aside import written_aside
from data.contents import Contents, read_contents
from data.dataset import Dataset, free_folder
from data.durable import DurableStore
from data.episode import Episode, check_episode
from data.location import locate
from data.reading import DamagedChunkError
from data.report import Finding, Report
from data.schema import ACTION, Schema
from robot.errors import InputError, TillerError


def repair(source: str | Path, target: str | Path) -> Report:
    """Copy every sound episode of a store into a new one; the source is not touched.

    An episode is sound when its ends make sense, every chunk under it can be read, and its actions are finite; one
    of a store that tiller wrote must also pass the checks of an append. A store of another program stays one: it keeps
    its layout and gains no schema.

    Args:
        source: a folder, a zip or a URL.
        target: a folder that does not exist yet; it appears when the copy is complete.

    Returns:
        A report with a finding for every episode that was left out.

    Raises:
        InputError: there is no store, or the target exists or cannot be written.
        TillerError: no episode is sound; no target is written.
    """
    contents = read_contents(locate(source))
    folder = free_folder(target)
    with written_aside(folder, str(target), "repairing") as aside:
        ends = _read_ends(contents)
        copy = _copy_own if contents.schema is not None else _copy_foreign
        left_out = copy(contents, ends, aside)
        if len(left_out) == len(ends):
            first = f" The first: {left_out[0].message}" if left_out else ""
            raise TillerError(f"'{contents.name}': none of its {len(ends)} episodes is sound.{first}")
    summary = f"{len(ends) - len(left_out)} of {len(ends)} episodes are in {target}, {len(left_out)} were left out"
    return Report(f"Repair of {contents.name}", tuple(left_out), summary)


def _read_ends(contents: Contents) -> np.ndarray:
    try:
        return contents.read(layout.EPISODE_ENDS).astype(np.int64)
    except DamagedChunkError as error:
        raise TillerError(f"'{contents.name}': chunk {error.chunk} of '{error.key}' is damaged: {error.reason}. Where "
                          "episodes end is lost with it, so none can be saved") from error


def _copy_own(contents: Contents, ends: np.ndarray, folder: Path) -> list[Finding]:
    """Append what is sound to a new store of the same schema."""
    assert contents.schema is not None
    attributes = {**contents.attributes, "repaired_from": contents.name}
    left_out = []
    with Dataset.create(folder, contents.schema, attributes) as repaired:
        for found in _examine(contents, ends):
            if isinstance(found, Finding):
                left_out.append(found)
            else:
                repaired.append(found)
    return left_out


def _copy_foreign(contents: Contents, ends: np.ndarray, folder: Path) -> list[Finding]:
    """Write what is sound in the layout that the source has."""
    paths = [layout.row_path(key) for key in contents.keys] + [layout.meta_path(key) for key in contents.meta_keys]
    store = DurableStore(folder)
    root = zarr.create_group(store, zarr_format=3, attributes={**contents.attributes, "repaired_from": contents.name})
    for path in paths:
        array = contents.array(path)
        dtype = "string" if array.dtype.kind in "OTU" else array.dtype.name
        layout.create_array(root, layout.Slot(path, array.shape[1:], dtype, "", "row"))
    layout.create_array(root, layout.Slot(layout.EPISODE_ENDS, (), "int64", "1", "episode"))
    store.settle()
    left_out, rows = [], 0
    for found in _examine(contents, ends):
        if isinstance(found, Finding):
            left_out.append(found)
            continue
        rows += len(next(iter(found.data.values())))
        for key, values in found.data.items():
            root[layout.row_path(key)].append(values)
        for key, fact in found.meta.items():
            root[layout.meta_path(key)].append(np.array([fact]))
        root[layout.EPISODE_ENDS].append(np.array([rows]))
        store.settle()
    return left_out


def _examine(contents: Contents, ends: np.ndarray) -> Iterator[Episode | Finding]:
    """Each episode, or why it cannot be used."""
    trusted = _trusted(ends, contents.rows)
    for index in range(len(ends)):
        where = f"episode {index}"
        if not trusted[index]:
            yield Finding("warning", where, "left out: its first or last row is not known")
            continue
        rows = slice(int(ends[index - 1]) if index else 0, int(ends[index]))
        try:
            episode = contents.episode(index, rows, contents.keys)
            _check(contents.schema, episode, index)
        except DamagedChunkError as error:
            damage = f"chunk {error.chunk} of '{error.key}' is damaged: {error.reason}"
            yield Finding("warning", where, f"left out: {damage}")
        except InputError as error:
            yield Finding("warning", where, f"left out: {error}")
        else:
            yield episode


def _check(schema: Schema | None, episode: Episode, index: int) -> None:
    if schema is not None:
        check_episode(schema, episode, index)
    elif ACTION in episode.data and not np.isfinite(episode.data[ACTION]).all():
        raise InputError(f"episode {index}: action", expected="finite numbers", got="NaN or infinity")


def _trusted(ends: np.ndarray, rows: int) -> np.ndarray:
    """(episodes,) whether both ends of an episode can be believed: within the rows, and not contradicted."""
    borders = np.concatenate([[0], ends])
    good = (borders >= 0) & (borders <= rows)
    possible = np.flatnonzero(good)
    falling = np.flatnonzero(np.diff(borders[possible]) <= 0)
    good[possible[falling]] = good[possible[falling + 1]] = False
    good[0] = True
    return good[:-1] & good[1:]
