"""Write a new store with what is sound in a damaged one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.errors import UnstableSpecificationWarning

from data.checks.blame import Judgement
from data.checks.judgement import judge
from data.checks.report import Finding, Report
from data.store import layout
from data.store.contents import Contents, read_contents
from data.store.dataset import Dataset
from data.store.location import locate
from data.store.writing.durable import DurableStore
from data.store.writing.staging import written_aside
from data.store.writing.target import free_folder
from robot.errors import TillerError


def repair(source: str | Path, target: str | Path) -> Report:
    """Copy every sound episode of a store into a new one; the source is not touched.

    An episode is sound when `validate` has no error that spoils it: both use `data.checks.judgement`. A store of
    another program stays one: it keeps its layout and gains no schema.

    Args:
        source: a folder, a zip or a URL.
        target: a folder that does not exist yet; it appears when the copy is complete.

    Returns:
        A report with a finding for every episode, and every array, that was left out.

    Raises:
        InputError: there is no store, or the target exists or cannot be written.
        TillerError: no episode is sound, or the ends cannot be read; no target is written.
    """
    contents = read_contents(locate(source))
    folder = free_folder(target)
    judgement = judge(contents)
    left_out = _left_out(judgement)
    count = judgement.episodes
    if len(left_out) == count:
        first = f" The first: {left_out[0].message}" if left_out else ""
        raise TillerError(f"'{contents.name}': none of its {count} episodes is sound.{first}")
    with written_aside(folder, str(target), "repairing") as aside:
        copy = _copy_own if contents.schema is not None else _copy_foreign
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnstableSpecificationWarning)  # bytes: the source has that type too
            copy(judgement, aside)
    summary = f"{count - len(left_out)} of {count} episodes are in {target}, {len(left_out)} were left out"
    return Report(f"Repair of {contents.name}", (*left_out, *_not_copied(contents)), summary)


def _left_out(judgement: Judgement) -> list[Finding]:
    """A finding for every episode that cannot be used."""
    contents = judgement.contents
    if judgement.borders is None:
        cause = next(blame.message for blame in judgement.blames if blame.where == layout.EPISODE_ENDS)
        raise TillerError(
            f"'{contents.name}': {layout.EPISODE_ENDS}: {cause}. Where episodes end is lost with it, so "
            "none can be saved"
        )
    return [
        Finding("warning", f"episode {index}", f"left out: {judgement.why(index)}")
        for index in np.flatnonzero(judgement.spoilt)
    ]


def _not_copied(contents: Contents) -> list[Finding]:
    return [
        Finding("warning", path, "left out: it has not one entry for each row or episode")
        for path in (*contents.odd_meta, *contents.others)
    ]


def _copy_own(judgement: Judgement, folder: Path) -> None:
    """Append what is sound to a new store of the same schema."""
    contents = judgement.contents
    assert contents.schema is not None
    attributes = {**contents.attributes, "repaired_from": contents.name}
    with Dataset.create(folder, contents.schema, attributes) as repaired:
        for index, rows in _sound(judgement):
            # Images stay as they are stored: encoded again they would lose quality.
            episode, images = contents.rows_as_stored(index, rows)
            with repaired.writer() as writer:
                writer.add({**episode.data, **images})
                for name, (value, time_ns) in episode.streams.items():
                    writer.add_stream(name, value, time_ns)
                writer.commit(episode.meta)


def _copy_foreign(judgement: Judgement, folder: Path) -> None:
    """Write what is sound in the layout that the source has."""
    contents = judgement.contents
    paths = [layout.row_path(key) for key in contents.keys] + [layout.meta_path(key) for key in contents.meta_keys]
    store = DurableStore(folder)
    root = zarr.create_group(store, zarr_format=3, attributes={**contents.attributes, "repaired_from": contents.name})
    for path in paths:
        array = contents.array(path)
        layout.create_array(root, layout.Slot(path, array.shape[1:], _dtype(array), "", "row"))
    layout.create_array(root, layout.Slot(layout.EPISODE_ENDS, (), "int64", "1", "episode"))
    store.settle()
    end = 0
    for index, rows in _sound(judgement):
        episode = contents.episode(index, rows, contents.keys)
        end += len(episode)
        for key, values in episode.data.items():
            root[layout.row_path(key)].append(values)
        for key, fact in episode.meta.items():
            array = root[layout.meta_path(key)]
            array.append(np.array([fact], dtype=array.dtype))
        root[layout.EPISODE_ENDS].append(np.array([end]))
        store.settle()


def _dtype(array: zarr.Array[Any]) -> str:
    """The type of an array's copy; bytes keep their length, which numpy's name gives in bits and does not read back."""
    if array.dtype.kind in "OTU":
        return "string"
    return array.dtype.str if array.dtype.kind == "S" else array.dtype.name


def _sound(judgement: Judgement) -> Iterator[tuple[int, slice]]:
    """Index and rows of every episode that no error spoils."""
    borders = judgement.borders
    assert borders is not None
    for index in np.flatnonzero(~judgement.spoilt).tolist():
        yield index, slice(int(borders.starts[index]), int(borders.ends[index]))
