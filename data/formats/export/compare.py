"""Whether what was written for another program is what was read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Collection

import numpy as np

from data.formats.opening import open_source
from data.store.dataset import Dataset
from data.store.images.pixels import decoded
from robot.errors import TillerError

_ROWS = 64  # of images at once


def require_same(dataset: Dataset, written: Path, keys: tuple[tuple[str, str], ...], exact: Collection[str]) -> None:
    """Read back what was written, by the reader of its format, and compare every row.

    Args:
        dataset: that was read.
        written: what was written.
        keys: (name in the dataset, name in what was written).
        exact: names of the dataset whose rows must be the same; of others their number is.

    Raises:
        TillerError: names the first key and episode that differ.
    """
    with closing(open_source(written)) as source:
        lengths = np.diff(dataset.episode_ends, prepend=0)
        if not np.array_equal(source.lengths, lengths):
            raise TillerError(f"'{written}': the episodes that were written are not those that were read")
        for name in source.streams:
            for episode in range(len(dataset)):
                length = int(source.streams[name].lengths[episode])
                back, given = source.read_stream(name, episode, 0, length), dataset.episode(episode, []).streams[name]
                if not all(np.array_equal(ours, theirs) for ours, theirs in zip(given, back)):
                    raise _differs(written, name, episode)
        for old, new in keys:
            step = _ROWS if len(source.fields[new].shape) > 1 else 1 << 14
            for episode, length in enumerate(lengths.tolist()):
                first = dataset.episode_slice(episode).start
                for start in range(0, length, step):
                    stop = min(start + step, length)
                    rows = source.read(new, episode, start, stop)
                    if old not in exact:
                        continue
                    shown = np.stack([decoded(each) for each in rows]) if isinstance(rows, list) else rows
                    expected = dataset.read(old, first + start, first + stop)
                    if not np.array_equal(
                        shown.reshape(expected.shape), expected, equal_nan=expected.dtype.kind == "f"
                    ):
                        raise _differs(written, new, episode)


def _differs(written: Path, name: str, episode: int) -> TillerError:
    return TillerError(
        f"'{written}': '{name}', episode {episode}: the rows that were written are not those that were read. The disk "
        "may be failing; do it again, on another one"
    )
