"""One array of an npz, read from the file front to back in parts."""

from __future__ import annotations

import lzma
import math
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, Iterator

import numpy as np

from data.formats.bounds import LARGEST_ROW
from robot.errors import InputError, one_line

SMALL_BYTES = 2**28
"""Of an array that is held in memory as a whole: one of facts, or one that lies in the file column by column."""
_PIECE = 2**22  # bytes that are skipped at once
_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # also encrypted members, and methods of compression that are not there
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


class Member:
    """An array in an npz.

    Args:
        where: the file and the key, for messages.
        key: of the array.
        archive: open.
        info: of the file in the archive.

    Attributes:
        shape: (rows, ...).
        dtype: of numbers or words.
        nbytes: of all rows.

    Raises:
        InputError: it is no array of numbers or words, is damaged, or has rows that no memory holds.
    """

    def __init__(self, where: str, key: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._where, self._key, self._archive, self._info = where, key, archive, info
        self._file: IO[bytes] | None = None
        self._at = 0  # bytes of rows that were read
        self._columns: np.ndarray | None = None
        with self._damage():
            self._start()
            version = np.lib.format.read_magic(self._opened)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"version {version} of the format npy")
            reads = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, self._by_columns, self.dtype = reads(self._opened)
            self._header = self._opened.tell()
            if self.dtype.hasobject:
                raise ValueError("Python objects, which run code when they are read")
            if any(size < 0 for size in self.shape):
                raise ValueError(f"the shape {self.shape}")
            self.nbytes = math.prod(self.shape) * self.dtype.itemsize
            if self.nbytes != info.file_size - self._header:
                raise ValueError(
                    f"{info.file_size - self._header:,} bytes where {self.shape} of {self.dtype} are {self.nbytes:,}"
                )
        self._row = math.prod(self.shape[1:]) * self.dtype.itemsize
        if self._row > LARGEST_ROW or (self._is_turned and self.nbytes > SMALL_BYTES):
            self._refuse_large()

    @property
    def _is_turned(self) -> bool:
        """Whether it lies in the file column by column, so that no row is in one piece."""
        return self._by_columns and sum(size != 1 for size in self.shape) > 1

    @property
    def _opened(self) -> IO[bytes]:
        assert self._file is not None
        return self._file

    def whole(self) -> np.ndarray:
        """All of it; small ones only.

        Raises:
            InputError: it is damaged, or large.
        """
        if self.nbytes > SMALL_BYTES:
            self._refuse_large()
        with self._damage():
            self._rewind()
            values = np.frombuffer(self._take(self.nbytes), self.dtype) if self.nbytes else np.empty(0, self.dtype)
            return values.reshape(self.shape, order="F" if self._by_columns else "C")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop).

        Raises:
            InputError: the file ends early, or a checksum is wrong.
        """
        if self._is_turned:
            if self._columns is None:
                self._columns = self.whole()
            return self._columns[start:stop]
        with self._damage():
            if start * self._row < self._at:
                self._rewind()
            while self._at < start * self._row:  # read, not sought, as only that compares the checksum
                self._take(min(start * self._row - self._at, _PIECE))
            data = self._take((stop - start) * self._row)
        return (
            np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])
            if self._row
            else self._empty(stop - start)
        )

    def _empty(self, rows: int) -> np.ndarray:
        return np.empty((rows, *self.shape[1:]), self.dtype)

    def _start(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._archive.open(self._info)
        self._at = 0

    def _rewind(self) -> None:
        self._start()
        self._opened.read(self._header)

    def _take(self, size: int) -> bytearray:
        """The next bytes; writable, so that arrays over them are too."""
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            piece = self._opened.read(min(size - at, _PIECE))
            if not piece:
                raise EOFError(f"a file that ends after {self._at + at:,} of {self.nbytes:,} bytes")
            view[at : at + len(piece)] = piece
            at += len(piece)
        self._at += size
        return data

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except _ERRORS as error:
            raise InputError(
                self._where,
                expected="an intact array of numbers",
                got=one_line(error),
                way_out=f"Leave it out with exclude=[{self._key}], or copy the file again",
            ) from error

    def _refuse_large(self) -> None:
        raise InputError(
            self._where,
            expected=f"rows of at most {LARGEST_ROW:,} bytes, one after the other",
            got=f"{self.shape} of {self.dtype}" + (" by columns" if self._is_turned else ""),
            way_out=f"Write it with np.ascontiguousarray, or leave it out with exclude=[{self._key}]",
        )


def open_member(path: str, archive: zipfile.ZipFile, key: str, info: zipfile.ZipInfo) -> Member:
    """An array of an npz.

    Raises:
        InputError: as `Member`.
    """
    return Member(f"'{path}': array '{key}'", key, archive, info)
