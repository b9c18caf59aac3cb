"""What must be checked before chunks that another program wrote are decoded."""

from __future__ import annotations

from typing import Any

import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import StorePath, WrapperStore

from robot.errors import InputError

_BLOSC_HEADER = 16
_BLOSC_LENGTH = slice(12, 16)  # compressed bytes, header included, little-endian


def checked_location(array: zarr.Array[Any], where: str) -> StorePath:
    """Where to read an array's chunks from.

    Args:
        array: as opened.
        where: the store's name, for messages.

    Raises:
        InputError: decoding it would unpickle, that is, run code from the file.
    """
    metadata = array.metadata.to_dict()
    codecs = [metadata.get("compressor") or {}, *(metadata.get("filters") or ()), *(metadata.get("codecs") or ())]
    names = [str(codec.get("id") or codec.get("name")) for codec in codecs]
    if any("pickle" in name for name in names):
        raise InputError(
            f"'{where}': array '{array.path}'",
            expected="codecs that only hold numbers or words",
            got="'pickle', which runs code from the file",
        )
    outermost = names[0 if array.metadata.zarr_format == 2 else -1]
    if outermost == "blosc":
        return StorePath(_WholeBloscStore(array.store_path.store), array.store_path.path)
    return array.store_path


class _WholeBloscStore(WrapperStore[Store]):
    """A store in which a truncated Blosc chunk is an error; the decoder itself reads on past its end."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        chunk = await self._store.get(key, prototype, byte_range)
        if chunk is not None and byte_range is None and not key.rpartition("/")[2].startswith("."):
            header = chunk[:_BLOSC_HEADER].to_bytes()
            declared = int.from_bytes(header[_BLOSC_LENGTH], "little")
            if len(header) < _BLOSC_HEADER or declared != len(chunk):
                raise ValueError(f"it holds {len(chunk)} bytes and should hold {max(declared, _BLOSC_HEADER)}")
        return chunk
