"""Rows of LeRobot's tables, a batch at a time."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np

from data.formats.lerobot.libraries import require_parquet
from robot.errors import InputError, one_line

INDICES = ("episode_index", "frame_index")
_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}  # of arrow, where numpy has others
_BUFFER = 2**20  # bytes that are read at once, not a whole column


@contextmanager
def damage(
    file: Path, way_out: str = "Copy it again; a file without its end was not finished by LeRobot"
) -> Iterator[None]:
    """What is within reads a table: the errors of pyarrow become one message."""
    import pyarrow

    try:
        yield
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"'{file}'",
            expected="a table in parquet, whole",
            got=ascii(one_line(error))[1:300],
            way_out="Copy it again, or leave its episodes out with skip_episodes; LeRobot writes the end of a file in "
            "finalize()",
        ) from error


class Table:
    """A parquet file whose rows are read front to back.

    Args:
        file: its path.
        columns: to read.
        batch: rows that are decoded at once.

    Raises:
        InputError: it is damaged, or has not all columns.
    """

    def __init__(self, file: Path, columns: Sequence[str], batch: int) -> None:
        self.file, self._columns, self._batch = file, list(columns), batch
        with damage(file):
            self._table = require_parquet().ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
        self.schema = self._table.schema_arrow
        missing = [name for name in columns if name not in self.schema.names]
        if missing:
            raise InputError(
                f"'{file}'",
                expected=f"columns {', '.join(columns)}",
                got=f"none for {', '.join(missing)}",
                way_out=f"Leave it out with exclude=[{missing[0]}]",
            )
        self._batches: Iterator[Any] = iter(())
        self._waiting: Any = None
        self._at = -1  # first row of what waits

    @property
    def rows(self) -> int:
        return int(self._table.metadata.num_rows)

    def read(self, start: int, stop: int) -> list[Any]:
        """Batches of the rows [start, stop).

        Raises:
            InputError: they are damaged.
        """
        with damage(self.file):
            if not 0 <= self._at <= start:
                self._seek(start)
            parts = []
            while start < stop:
                if self._waiting is None or not self._waiting.num_rows:
                    self._waiting = next(self._batches, None)
                    if self._waiting is None:
                        raise ValueError(f"a table that ends after {self._at} rows")
                skipped = min(start - self._at, self._waiting.num_rows)
                self._drop(skipped)
                taken = min(stop - start, self._waiting.num_rows) if self._at == start else 0
                if taken:
                    parts.append(self._waiting.slice(0, taken))
                    self._drop(taken)
                    start += taken
            return parts

    def _drop(self, rows: int) -> None:
        self._waiting = self._waiting.slice(rows)
        self._at += rows

    def _seek(self, row: int) -> None:
        """Begin at the group of rows that has a row."""
        metadata, first, group = self._table.metadata, 0, 0
        while group < metadata.num_row_groups and first + metadata.row_group(group).num_rows <= row:
            first += metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, metadata.num_row_groups))
        self._batches = self._table.iter_batches(
            self._batch, row_groups=groups, columns=self._columns, use_threads=False
        )
        self._waiting, self._at = None, first

    def close(self) -> None:
        self._table.close()


def numbers(where: str, column: Any, shape: tuple[int, ...], first: int) -> np.ndarray:
    """A column of a batch as an array (rows, *shape).

    Args:
        where: names the key and the episode, for the message.
        column: of pyarrow.
        shape: of one row.
        first: number of its first row in the episode.

    Raises:
        InputError: names the row that is empty, or has more or fewer numbers.
    """
    import pyarrow

    flat, rows = column, len(column)
    while True:
        if isinstance(flat, pyarrow.ExtensionArray):
            flat = flat.storage
        if flat.null_count:
            row = int(np.flatnonzero(np.asarray(flat.is_null()))[0]) * rows // max(len(flat), 1)
            raise InputError(f"{where}, row {first + row}", expected=f"numbers {shape}", got="an empty entry")
        if not pyarrow.types.is_nested(flat.type):
            break
        if not hasattr(flat, "flatten") or pyarrow.types.is_struct(flat.type):
            raise InputError(where, expected=f"numbers {shape}", got=str(flat.type)[:80])
        inner = flat.flatten()
        if rows and len(inner) % len(flat) == 0 and not pyarrow.types.is_fixed_size_list(flat.type):
            lengths = np.asarray(flat.value_lengths())
            odd = np.flatnonzero(lengths != lengths[0])
            if len(odd):
                row = int(odd[0]) * rows // len(flat)
                raise InputError(
                    f"{where}, row {first + row}", expected=f"numbers {shape}", got="rows that differ in size"
                )
        flat = inner
    if len(flat) != rows * math.prod(shape):
        raise InputError(
            f"{where}, row {first}", expected=f"{math.prod(shape)} numbers a row", got=f"{len(flat)} in {rows} rows"
        )
    values: np.ndarray = np.asarray(flat.to_numpy(zero_copy_only=False))
    return values.reshape(rows, *shape)


def dtype_of(kind: Any) -> np.dtype | None:
    """The type of the numbers of a column; None where it holds something else."""
    import pyarrow

    while pyarrow.types.is_nested(kind) or isinstance(kind, pyarrow.BaseExtensionType):
        if isinstance(kind, pyarrow.BaseExtensionType):
            kind = kind.storage_type
        elif hasattr(kind, "value_type"):
            kind = kind.value_type
        else:
            return None
    is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)
    return np.dtype(_NAMES.get(str(kind), str(kind))) if is_number else None
