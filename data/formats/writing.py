"""The episodes of a source into a store, in blocks of rows, so that no episode is in memory as a whole."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, Sequence

import numpy as np

from data.formats.facts import Fact
from data.formats.plan import ConversionPlan
from data.formats.source import BLOCK_BYTES, Rows, Source
from data.store.dataset import Dataset
from data.store.finite import first_not_finite
from data.store.writing.ahead import ahead
from data.store.writing.episode_writer import EpisodeWriter
from data.store.writing.staging import written_aside
from robot.errors import InputError


def write_episodes(
    source: Source,
    plan: ConversionPlan,
    facts: Sequence[Fact],
    episodes: Sequence[int],
    attributes: Mapping[str, object],
    folder: Path,
    named: str,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Write beside the target under a temporary name and rename at the end.

    Args:
        source: what is read.
        plan: what is made of it.
        facts: of each episode.
        episodes: numbers of those that are written.
        attributes: of the store.
        folder: the target, resolved.
        named: as the person gave it, for messages.
        on_progress: called with rows done and rows in all.

    Returns:
        Episodes and rows written.

    Raises:
        InputError: rows do not fit or cannot be read; the message names the episode.
        TillerError: the disk is full or fails.
    """
    total = sum(int(source.lengths[episode]) for episode in episodes)
    with written_aside(folder, named, "converting") as aside, Dataset.create(aside, plan.schema, attributes) as dataset:
        # The store appears whole or not at all, so that one commit is enough.
        with dataset.writer() as writer:
            done = 0
            for episode in episodes:
                for rows in ahead(_blocks(source, plan, episode)):
                    _add(source, writer, episode, rows)
                    done += len(next(iter(rows.values())))
                    if on_progress:
                        on_progress(done, total)
                for name in source.streams:
                    _add_samples(source, writer, episode, name)
                writer.end({fact.field.name: fact.values[episode] for fact in facts})
            writer.commit()
        return len(dataset), dataset.rows


def _blocks(source: Source, plan: ConversionPlan, episode: int) -> Iterator[dict[str, Rows]]:
    """Rows of an episode as the target has them; each key is read front to back once."""
    fields = {column.field.name: column.field for column in plan.columns}
    step = max(1, BLOCK_BYTES // 2 // sum(field.row_bytes for field in fields.values()))
    length = int(source.lengths[episode])
    for start in range(0, length, step):
        stored = {name: source.read(name, episode, start, min(start + step, length)) for name in fields}
        rows: dict[str, Rows] = {}
        for column in plan.columns:
            rows[column.name] = column.prepare(stored[column.field.name], episode, start)
            _require_finite(source, episode, start, column.name, rows[column.name])
        yield rows


def _add(source: Source, writer: EpisodeWriter, episode: int, rows: Mapping[str, Rows]) -> None:
    with _of_source(source, episode):
        writer.add(rows)


def _add_samples(source: Source, writer: EpisodeWriter, episode: int, name: str) -> None:
    stream = source.streams[name]
    size = max(8, math.prod(stream.shape) * stream.dtype.itemsize)
    step, length = max(1, BLOCK_BYTES // size), int(stream.lengths[episode])
    for start in range(0, length, step):
        value, time_ns = source.read_stream(name, episode, start, min(start + step, length))
        with _of_source(source, episode):
            writer.add_stream(name, value, time_ns)


@contextmanager
def _of_source(source: Source, episode: int) -> Iterator[None]:
    """What does not fit is said of the episode of the source."""
    try:
        yield
    except InputError as error:
        _, _, what = error.thing.partition(": ")
        raise InputError(
            f"'{source.path}', episode {episode}: {what}",
            expected=error.expected,
            got=error.got,
            way_out=error.way_out or f"Leave the episode out with skip_episodes=[{episode}]",
        ) from error


def _require_finite(source: Source, episode: int, first: int, name: str, rows: Rows) -> None:
    bad = first_not_finite(rows, first) if isinstance(rows, np.ndarray) else None
    if bad:
        raise InputError(
            f"'{source.path}': '{name}', episode {episode}, {bad[0]}",
            expected="a finite number",
            got=bad[1],
            way_out=f"Leave the episode out with skip_episodes=[{episode}]",
        )
