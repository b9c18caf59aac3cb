"""An HDF5 file, opened so that nothing but the file is read, and every error is one message."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

import numpy as np

from data.formats.bounds import LARGEST_WORDS
from robot.errors import InputError, MissingExtraError, one_line

_DEEPEST = 16  # groups within groups
_MOST_LINKS = 8  # soft links, one to the next
# h5py raises each of them for a damaged file.
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)


def require_h5py() -> ModuleType:
    """The library that reads HDF5.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py, which reads HDF5,", "formats") from error
    return h5py  # type: ignore[no-any-return]


@contextmanager
def damage(where: str, way_out: str = "Copy the file again, or write it again where it was made") -> Iterator[None]:
    """What is within reads a file: the errors of its library become one message."""
    try:
        yield
    except InputError:
        raise
    except _ERRORS as error:
        expected = "an HDF5 file that can be read, whole"
        raise InputError(where, expected=expected, got=ascii(one_line(error))[1:-1], way_out=way_out) from error


def child(where: str, group: Any, name: str) -> Any:
    """What is in a group under a name: never of another file.

    Args:
        where: the file, for messages.
        group: open.
        name: one name, without a slash.

    Raises:
        InputError: it is a link to another file, or to nothing.
    """
    h5py = require_h5py()
    for _ in range(_MOST_LINKS):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            return group[name]
        if not isinstance(link, h5py.SoftLink):
            target = getattr(link, "filename", "nothing")
            raise _leaves(where, f"{group.name}/{name}", f"a link to another file, {target!a}")
        above, _, last = link.path.rpartition("/")
        path = (group.file if link.path.startswith("/") else group), [part for part in above.split("/") if part]
        group, name = _walk(where, *path), last
        if name not in group:
            raise _leaves(where, f"{group.name}/{name}", f"a link to nothing, {link.path!a}")
    raise _leaves(where, f"{group.name}/{name}", "links that lead to links")


def _walk(where: str, group: Any, parts: list[str]) -> Any:
    """The group at the end of a path, of which every part is within the file."""
    h5py = require_h5py()
    for part in parts:
        if not isinstance(group.get(part, getlink=True), h5py.HardLink) or not isinstance(group[part], h5py.Group):
            raise _leaves(where, f"{group.name}/{part}", "a link through what is no group of this file")
        group = group[part]
    return group


def _leaves(where: str, thing: str, got: str) -> InputError:
    return InputError(
        f"'{where}': '{thing}'",
        expected="data within the file",
        got=got,
        way_out="Copy what is linked into the file, for example with h5repack or h5py's Group.copy",
    )


def names_in(where: str, group: Any) -> list[str]:
    """Sorted names in a group.

    Raises:
        InputError: one of them is no text.
    """
    for name in group:
        if not isinstance(name, str):  # h5py gives what is no UTF-8 as bytes
            raise InputError(
                f"'{where}': '{group.name}'",
                expected="names in UTF-8",
                got=ascii(name),
                way_out="Rename it where it was made",
            )
    return sorted(group)


def datasets(where: str, group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(path from the group, dataset) of every dataset in a group and in those within it, sorted.

    Raises:
        InputError: a link leaves the file, or groups are nested without end.
    """
    h5py = require_h5py()
    if depth > _DEEPEST:
        raise InputError(f"'{where}': '{group.name}'", expected=f"at most {_DEEPEST} groups within groups", got="more")
    for name in names_in(where, group):
        each = child(where, group, name)
        if isinstance(each, h5py.Group):
            yield from datasets(where, each, f"{prefix}{name}/", depth + 1)
        elif isinstance(each, h5py.Dataset):
            _require_own(where, each)
            yield f"{prefix}{name}", each


def _require_own(where: str, dataset: Any) -> None:
    """Refuse a dataset whose numbers are in other files."""
    if dataset.external:
        raise _leaves(where, dataset.name, f"numbers in another file, {dataset.external[0][0]!a}")
    if dataset.is_virtual:
        others = [source.file_name for source in dataset.virtual_sources() if source.file_name != "."]
        if others:
            raise _leaves(where, dataset.name, f"numbers in another file, {others[0]!a}")


def attributes(where: str, thing: Any) -> dict[str, Any]:
    """Attributes as plain values: words, numbers, flags and lists; JSON in words is read.

    What is too long or of another type is left out.
    """
    values = {}
    for name in sorted(thing.attrs):
        with damage(f"'{where}': attribute '{name}'"):
            value = thing.attrs.get(name)
        plain = _plain(value)
        if plain is not None:
            values[name] = plain
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return value if len(value) <= LARGEST_WORDS else None
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biuf" else None
    if isinstance(value, np.ndarray) and value.size <= 10_000:
        if value.dtype.kind in "biuf":
            return value.tolist()
        words = [_plain(each) for each in value.flat]
        return words if all(isinstance(each, str) for each in words) else None
    return value if isinstance(value, (bool, int, float)) else None


def as_json(words: Any) -> Any:
    """The mapping that words are in JSON; else an empty one."""
    try:
        value = json.loads(words) if isinstance(words, str) else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def finite(value: Any) -> Any:
    """Plain values with words for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
