"""Carry out an edit: copy its episodes, go on where a killed process stopped, and check what was written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.blocks import row_blocks, sample_blocks
from data.edit.copying.plan import Block, Edit, Take
from data.edit.copying.verification import require_same_content
from data.store.dataset import Dataset
from data.store.writing.ahead import ahead
from data.store.writing.durable import ROOT_FILE
from data.store.writing.episode_writer import EpisodeWriter
from data.store.writing.resuming import write_resumably
from robot.description import fingerprint
from robot.errors import InputError

COMMIT_BYTES = 256 << 20
"""Of a commit, about: by so much a killed process is thrown back."""
Progress = Callable[[int, int], None]
"""Called with the episodes done and those in all."""


def carry_out(
    edits: Mapping[str, Edit], target: str | Path, doing: str, on_progress: Progress = lambda done, of: None
) -> dict[str, tuple[str, ...]]:
    """Make stores of edits, under their final path once every one of them is complete and checked.

    Args:
        edits: folder within the target -> what becomes of it; the name "" alone for the target itself.
        target: a folder that does not exist yet, or is empty. A killed call leaves its work beside it, with which the
            same call goes on.
        doing: what is done, such as `merging`, for messages.
        on_progress: called with the episodes done and those in all.

    Returns:
        Name -> hash of the content of each episode, of those that this call has made.

    Raises:
        InputError: the target exists or cannot be written, or an episode of a source does not fit.
        TillerError: the disk is full or fails, a source is damaged, or what was written reads otherwise.
    """
    count = sum(len(edit.takes) for edit in edits.values())
    digests: dict[str, tuple[str, ...]] = {}

    def make(folder: Path) -> None:
        done = 0
        for name, edit in edits.items():
            before = done
            _copy(edit, folder / name, lambda copied, before=before: on_progress(before + copied, count))  # type: ignore[misc]
            done += len(edit.takes)
            digests[name] = require_same_content(folder / name, len(edit.takes), f"{target}/{name}".rstrip("/"))

    plan = fingerprint({name: edit.fingerprint for name, edit in edits.items()})
    write_resumably(target, plan, doing, make)
    return digests


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows or samples of an episode, or its end.

    Args:
        number: of the episode in the new store.
        rows: a block of them.
        samples: stream, (value, time_ns) of some of its samples.
    """

    number: int
    rows: Block | None = None
    samples: tuple[str, np.ndarray, np.ndarray] | None = None

    @property
    def is_end(self) -> bool:
        """Whether the episode has ended."""
        return self.rows is None and self.samples is None


def _copy(edit: Edit, folder: Path, on_copied: Callable[[int], None]) -> None:
    """Add to a store what it lacks of an edit."""
    begun = (folder / ROOT_FILE).is_file()
    with (
        Dataset.open(folder, mode="a") if begun else Dataset.create(folder, edit.schema, edit.attributes) as dataset,
        closing(ahead(_parts(edit, len(dataset)))) as parts,
    ):
        while len(dataset) < len(edit.takes):
            _copy_some(edit, dataset, parts)
            on_copied(len(dataset))


def _parts(edit: Edit, first: int) -> Generator[_Part]:
    """All that a store has of an edit, from an episode on."""
    for number in range(first, len(edit.takes)):
        take = edit.takes[number]
        for rows in (edit.rows or row_blocks)(edit, take):
            yield _Part(number, rows=rows)
        for stream, mapped in edit.maps[take.source].streams.items():
            for value, time_ns in sample_blocks(edit, take, stream, mapped):
                yield _Part(number, samples=(stream, value, time_ns))
        yield _Part(number)


def _copy_some(edit: Edit, dataset: Dataset, parts: Generator[_Part]) -> None:
    """Add the next episodes in one commit."""
    taken = 0
    with dataset.writer() as writer:
        for part in parts:
            take = edit.takes[part.number]
            try:
                taken += _add(part, writer)
                if not part.is_end:
                    continue
                if taken >= COMMIT_BYTES or part.number == len(edit.takes) - 1:
                    writer.commit(take.facts)
                    return
                writer.end(take.facts)
            except InputError as error:
                raise _of_source(edit, take, part.number, error) from error


def _add(part: _Part, writer: EpisodeWriter) -> int:
    """Add a part of an episode; returns about how many bytes."""
    if part.rows is not None:
        writer.add(part.rows)
        return sum(_bytes(values) for values in part.rows.values())
    if part.samples is not None:
        stream, value, time_ns = part.samples
        writer.add_stream(stream, value, time_ns)
        return value.nbytes + time_ns.nbytes
    return 0


def _bytes(values: Any) -> int:
    return values.nbytes if isinstance(values, np.ndarray) else sum(map(len, values))


def _of_source(edit: Edit, take: Take, number: int, error: InputError) -> InputError:
    """An error that names the episode of the new store, as one that names that of the source."""
    origin = edit.origins[take.source]
    thing = error.thing
    if thing.startswith(f"episode {number}"):
        thing = origin.episode(take.episode) + thing.removeprefix(f"episode {number}")
    way_out = error.way_out or f"'tiller data validate {origin.name}' lists all that is wrong"
    return InputError(thing, expected=error.expected, got=error.got, way_out=way_out)
