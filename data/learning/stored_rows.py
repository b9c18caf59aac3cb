"""Rows of one array of a store, as windows and their cache read them: sliced along axis 0, in blocks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Sequence

import numpy as np

from data.store.schema import ACTION
from robot.description import ObservationField
from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from data.store.dataset import Dataset

_LARGEST = float(np.finfo(np.float32).max)
# Chunks of a shard that are read together. A read costs about as much as decoding a 480p frame, so 8 of them hide it;
# more than 64 would only be decoded in vain where few of their episodes were chosen.
_BYTES_A_BLOCK = 4 << 20
_LEAST, _MOST = 8, 64


class StoredRows:
    """One key on disk, sliced along rows; a damaged chunk is named when it is read.

    Args:
        dataset: that has it.
        name: of the key.
        block_bytes: decoded bytes of a block at most, where that is more than a chunk; None sets no limit.

    Attributes:
        chunks: shape of what is best read at once: a chunk, or several of a shard, in which a chunk may be a row.

    Raises:
        InputError: the dataset has no such key.
    """

    def __init__(self, dataset: Dataset, name: str, block_bytes: int | None = None):
        array = dataset.array(name)
        self.shape, self.dtype = array.shape, array.dtype
        self.row_bytes = max(1, prod(self.shape[1:])) * self.dtype.itemsize
        self.name = name
        self._dataset = dataset
        rows = array.chunks[0] if array.shards is None else self._block(array.chunks[0], array.shards[0], block_bytes)
        self.chunks = (rows, *array.chunks[1:])

    def _block(self, chunk: int, shard: int, block_bytes: int | None) -> int:
        """Rows of a block: chunks of one shard, a power of two of them, that larger blocks align with."""
        together = min(max(_BYTES_A_BLOCK // (chunk * self.row_bytes), _LEAST), _MOST, shard // chunk)
        if block_bytes is not None:
            together = min(together, block_bytes // (chunk * self.row_bytes))
        return chunk << (max(together, 1).bit_length() - 1)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._dataset.read(self.name, rows.start, min(rows.stop, self.shape[0]))

    def require_float32(self, low: np.ndarray, high: np.ndarray) -> None:
        """Refuse finite numbers, smallest and largest per component, that float32 cannot hold."""
        for extreme in (np.atleast_1d(low), np.atleast_1d(high)):
            beyond = np.isfinite(extreme) & ((extreme > _LARGEST) | (extreme < -_LARGEST))
            if beyond.any():
                component = np.argwhere(beyond)[0].tolist()
                raise InputError(
                    f"'{self._dataset.path}': '{self.name}', component {', '.join(map(str, component))}",
                    expected=f"numbers that float32 holds, up to {_LARGEST:.2g}",
                    got=f"{extreme[tuple(component)]:.3g}",
                    way_out="Convert the demonstrations again without that episode (skip_episodes), or in another unit"
                    + ("" if self.name == ACTION else ", or leave the key out of policy.observation"),
                )


def observation_rows(dataset: Dataset, field: ObservationField, block_bytes: int) -> StoredRows:
    """The rows of an observation key.

    Raises:
        InputError: there is no such key, or it has another shape.
    """
    array = StoredRows(dataset, field.name, block_bytes)
    if array.shape[1:] != field.shape:
        raise InputError(
            f"'{dataset.path}': observation '{field.name}'",
            expected=f"rows of shape {field.shape}",
            got=f"{array.shape[1:]} in the dataset",
        )
    return array


def column_rows(dataset: Dataset, names: Sequence[str]) -> dict[str, StoredRows]:
    """The rows of further columns, by name.

    Raises:
        InputError: there is no such column.
    """
    known = [column.name for column in dataset.schema.columns] if dataset.schema else list(dataset.keys)
    for name in names:
        if name not in known:
            raise InputError(
                f"'{dataset.path}': column '{name}'",
                expected=f"one of {', '.join(known) or 'none'}",
                got=f"'{name}'",
                way_out=nearest(name, known),
            )
    return {name: StoredRows(dataset, name) for name in names}
