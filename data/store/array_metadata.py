"""The JSON that declares an array: read in one function, and checked there for all that is read from it later."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

import numpy as np

from data.store.location import Location, children, file_content
from robot.errors import cut

_FILES = {"zarr.json": 3, ".zarray": 2}
# Of format 2 `4.0` or `4`, of format 3 `c.4.0` or a folder `c`.
_CHUNK = re.compile(r"c|(c\.)?\d+(\.\d+)*")


class DamagedMetadataError(Exception):
    """There is, or was, an array, and its metadata cannot be read; the text says why."""


def array_metadata(location: Location, path: str) -> Mapping[str, Any] | None:
    """The JSON of an array of rows of either format, also of one whose codec is not installed.

    Args:
        location: of the store.
        path: of the array, from the root.

    Returns:
        None where there is no array, or one of a single entry.

    Raises:
        DamagedMetadataError: the file is damaged, or it is missing where chunks are.
    """
    for file, zarr_format in _FILES.items():
        try:
            text = file_content(location, f"{path}/{file}")
            metadata = None if text is None else json.loads(text)
        except OSError as error:
            raise DamagedMetadataError(f"a '{file}' that cannot be opened ({error.strerror or error})") from error
        except (ValueError, RecursionError) as error:
            held = f"a '{file}' that is no JSON ({error})" if text else f"an empty '{file}'"
            raise DamagedMetadataError(held) from error
        if text is None:
            continue
        if not isinstance(metadata, dict):
            raise DamagedMetadataError(f"a '{file}' that holds no mapping")
        if zarr_format == 3 and metadata.get("node_type") == "group":
            return None
        if problem := _problem(metadata, zarr_format):
            raise DamagedMetadataError(f"a '{file}' with {problem}")
        return metadata if metadata["shape"] else None
    if file_content(location, f"{path}/.zgroup") is None and _holds_chunks(location, path):
        raise DamagedMetadataError("chunks without a 'zarr.json' or '.zarray'")
    return None


def _holds_chunks(location: Location, path: str) -> bool:
    try:
        return any(_CHUNK.fullmatch(name) for name in children(location, path))
    except OSError:  # a file, not a folder
        return False


def _problem(metadata: Mapping[str, Any], zarr_format: int) -> str | None:
    """What is wrong with the metadata of an array of this format, or None."""
    if metadata.get("zarr_format") != zarr_format:
        return f"'zarr_format' {_named(metadata.get('zarr_format'))}"
    shape = metadata.get("shape")
    if not isinstance(shape, list) or not _are_sizes(shape, 0):
        return f"'shape' {_named(shape)}"
    chunks = _chunks(metadata)
    if not _are_sizes(chunks, 1) or len(chunks) != len(shape):
        return f"chunks {_named(chunks)} of an array of shape {_named(shape)}"
    if zarr_format == 3:
        stages, name, dtype = metadata.get("codecs"), "name", metadata.get("data_type")
        good = isinstance(dtype, (str, dict))
    else:
        filters, compressor = metadata.get("filters") or [], metadata.get("compressor")
        stages = [*filters, *([compressor] if compressor else [])] if isinstance(filters, list) else None
        name, dtype = "id", metadata.get("dtype")
        good = _is_dtype(dtype)
    if not good:
        return f"type {_named(dtype)}"
    named = isinstance(stages, list) and all(isinstance(stage, dict) and name in stage for stage in stages)
    if not named or (zarr_format == 3 and not stages):
        return f"codecs {_named(stages)}"
    if not isinstance(metadata.get("attributes", {}), dict):
        return f"attributes {_named(metadata['attributes'])}"
    return None


def _named(value: Any) -> str:
    """A value for a message: what is nested by its size alone."""
    nested = isinstance(value, (dict, list)) and any(isinstance(each, (dict, list)) for each in value)
    if isinstance(value, dict) or nested:
        return f"of {len(value)} entries"
    return cut(repr(value))


def _chunks(metadata: Mapping[str, Any]) -> Any:
    """The declared shape of a chunk; None where none is declared."""
    if metadata["zarr_format"] == 2:
        return metadata.get("chunks")
    try:
        return metadata["chunk_grid"]["configuration"]["chunk_shape"]
    except (KeyError, TypeError, IndexError):
        return None


def _are_sizes(sizes: Any, least: int) -> bool:
    return isinstance(sizes, list) and all(type(size) is int and size >= least for size in sizes)


def _is_dtype(dtype: Any) -> bool:
    if isinstance(dtype, list):  # of named parts
        return True
    try:
        return isinstance(dtype, str) and np.dtype(dtype) is not None
    except (TypeError, ValueError, SyntaxError):
        return False
