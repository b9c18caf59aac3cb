"""Plain facts about a store, read from its metadata, its episode ends, success flags and a few small columns alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data.checks.attributes import attribute_lines
from data.checks.episodes import EpisodeInfo, episode_infos, episode_table
from data.checks.report import plain
from data.checks.shares import row_shares
from data.checks.sizes import array_sizes, size_in_words
from data.learning.statistics import hardly_changing, statistics_of
from data.store import layout
from data.store.contents import Contents, read_contents
from data.store.location import locate
from data.store.names import SUCCESS
from robot.errors import TillerError, printable


@dataclass(frozen=True)
class ArrayInfo:
    """One array.

    Args:
        path: from the root, for example `data/action`.
        shape: entries that are committed, then the shape of one.
        dtype: as zarr names it.
        unit: as in the schema or the array; empty where neither has one.
        chunks: shape of one chunk.
        codecs: names, in the order in which they are applied.
        bytes: on disk, None where that is unknown (a URL).
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    chunks: tuple[int, ...]
    codecs: tuple[str, ...]
    bytes: int | None


@dataclass(frozen=True)
class Info:
    """A store at a glance.

    Args:
        path: as given.
        kind: `folder`, `zip` or `url`.
        written_by_tiller: whether it has a schema.
        zarr_format: 2 or 3.
        episodes, rows: committed.
        period_s: control period, None where unknown.
        duration_s: of all episodes, None where the period is unknown.
        lengths: shortest, median and longest episode in rows; None without episodes.
        successes: episodes that succeeded, None where that was not recorded.
        shares: column -> who acted in how many rows, how often a person intervened, how many rows are marked as wrong.
        arrays: in the store's order.
        attributes: of the root, without the schema.
        unreadable: path of an array whose metadata cannot be read -> why.
        listed: every episode, where they were requested.
    """

    path: str
    kind: str
    written_by_tiller: bool
    zarr_format: int
    episodes: int
    rows: int
    period_s: float | None
    duration_s: float | None
    lengths: tuple[int, float, int] | None
    successes: int | None
    shares: tuple[tuple[str, str], ...]
    arrays: tuple[ArrayInfo, ...]
    attributes: Mapping[str, Any]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[EpisodeInfo, ...] | None = None

    def facts(self) -> list[tuple[str, str]]:
        """(name, value) of everything but the arrays."""
        origin = "tiller" if self.written_by_tiller else "another program (no schema: units and period are unknown)"
        rows = [
            ("store", f"{self.path} ({self.kind}, zarr format {self.zarr_format})"),
            ("written by", origin),
            ("episodes", str(self.episodes)),
            ("rows", str(self.rows)),
        ]
        if self.period_s is not None and self.duration_s is not None:
            rows.append(("control period", f"{self.period_s:g} s ({1 / self.period_s:g} Hz)"))
            rows.append(("duration", f"{self.duration_s:.1f} s"))
        if self.lengths is not None:
            shortest, median, longest = self.lengths
            rows.append(("episode length", f"{shortest} to {longest} rows, median {median:g}"))
        if self.successes is not None and self.episodes:
            rows.append(("success", f"{self.successes} of {self.episodes} ({self.successes / self.episodes:.1%})"))
        rows += self.shares
        rows += [("cannot be read", f"{path}: {reason}") for path, reason in self.unreadable.items()]
        for key, value in self.attributes.items():
            if key != "control_period_s":
                rows += attribute_lines(str(key), value)
        return rows

    def table(self) -> list[tuple[str, ...]]:
        """A heading and one row per array: path, shape, dtype, unit, chunks, codecs, size on disk."""
        heading = ("array", "shape", "dtype", "unit", "chunks", "codecs", "on disk")
        return [
            heading,
            *(
                (
                    array.path,
                    _by(array.shape),
                    array.dtype,
                    array.unit,
                    _by(array.chunks),
                    " ".join(array.codecs),
                    size_in_words(array.bytes),
                )
                for array in self.arrays
            ),
        ]

    def lines(self) -> list[str]:
        """The facts as lines of text, then the table of arrays, and that of episodes where it was requested."""
        facts = self.facts()
        width = max(len(name) for name, _ in facts)
        lines = [f"{name:{width}}  {value}" for name, value in facts] + ["", *_columns(self.table())]
        if self.listed is not None:
            lines += ["", *_columns(episode_table(self.listed))]
        return [printable(line) for line in lines]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values: attributes whole, and a list of episodes where they were requested."""
        values = {name: value for name, value in vars(self).items() if name not in ("arrays", "listed", "shares")}
        return plain(
            {
                **values,
                "shares": dict(self.shares),
                "arrays": [vars(array) for array in self.arrays],
                **({} if self.listed is None else {"listed": [vars(each) for each in self.listed]}),
            }
        )


def _columns(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(size) for cell, size in zip(row, widths)).rstrip() for row in table]


def info(path: str | Path, *, episodes: bool = False) -> Info:
    """Facts about a store; it is not checked, `validate` does that.

    Args:
        path: a folder, a zip or a URL, written by tiller or not.
        episodes: list every episode too, with its facts.

    Raises:
        InputError: there is no store, or its episode ends are missing.
        DamagedChunkError: its episode ends or success flags cannot be read.
    """
    contents = read_contents(locate(path))
    ends = contents.read(layout.EPISODE_ENDS)
    lengths = np.diff(ends, prepend=0)
    period_s = contents.schema.period_s if contents.schema else None
    sizes = array_sizes(contents)
    arrays = tuple(
        _array_info(contents, path, metadata, sizes) for path, metadata in contents.metadata.items() if metadata
    )
    return Info(
        path=contents.name,
        kind=contents.location.kind,
        written_by_tiller=contents.schema is not None,
        zarr_format=contents.location.group.metadata.zarr_format,
        episodes=len(ends),
        rows=contents.rows,
        period_s=period_s,
        duration_s=None if period_s is None else contents.rows * period_s,
        lengths=(int(lengths.min()), float(np.median(lengths)), int(lengths.max())) if len(ends) else None,
        successes=_successes(contents, len(ends)),
        shares=row_shares(contents, ends),
        arrays=arrays,
        attributes=contents.attributes,
        unreadable=contents.unreadable,
        listed=episode_infos(contents, ends) if episodes else None,
    )


def _array_info(
    contents: Contents, path: str, metadata: Mapping[str, Any], sizes: Mapping[str, int] | None
) -> ArrayInfo:
    if metadata["zarr_format"] == 3:
        chunks = metadata["chunk_grid"]["configuration"]["chunk_shape"]
        codecs = [str(codec["name"]) for codec in metadata["codecs"] if codec["name"] != "bytes"]
        dtype = metadata["data_type"]
        dtype = dtype.get("name", "unnamed") if isinstance(dtype, Mapping) else dtype
    else:
        chunks = metadata["chunks"]
        stages = [*(metadata.get("filters") or ()), metadata.get("compressor") or {}]
        codecs = [str(stage["id"]) for stage in stages if stage]
        dtype = np.dtype(metadata["dtype"]).name if isinstance(metadata["dtype"], str) else "records"
    return ArrayInfo(
        path=path,
        shape=(contents.committed.get(path, metadata["shape"][0]), *metadata["shape"][1:]),
        dtype=str(dtype),
        unit=str(metadata.get("attributes", {}).get("unit", "")),
        chunks=tuple(chunks),
        codecs=tuple(codecs),
        bytes=None if sizes is None else sizes.get(path, 0),
    )


def nearly_constant(path: str | Path) -> list[str]:
    """One line per hardly changing component of the low-dimensional observations of a store of ours, read whole.

    Raises:
        InputError: as `info`.
    """
    contents = read_contents(locate(path))
    lines = []
    for key in contents.schema.observation if contents.schema and contents.rows else ():
        if key.is_image:
            continue
        try:
            statistics = statistics_of(contents.read(layout.row_path(key.name), 0, contents.rows))
        except TillerError:  # damaged, or no numbers: `validate` reports it
            continue
        for index in hardly_changing(statistics, key.unit):
            lines.append(
                f"'{key.name}' hardly changes in component {index}: "
                f"range {statistics.range.ravel()[index]:.2g}, perhaps noise"
            )
    return lines


def _successes(contents: Contents, episodes: int) -> int | None:
    path = layout.meta_path(SUCCESS.name)
    if contents.metadata.get(path) is None:
        return None
    return int(np.count_nonzero(contents.read(path, 0, episodes)))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
