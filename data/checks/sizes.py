"""How many bytes the arrays of a store take on disk."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from data.store.contents import Contents


def array_sizes(contents: Contents) -> Mapping[str, int] | None:
    """Array path -> bytes on disk; None for a URL."""
    location = contents.location
    if location.kind == "url":
        return None
    sizes = dict.fromkeys(contents.metadata, 0)
    for file, size in _files(location.folder, Path(location.name), location.group.store_path.path):
        parts = file.split("/")
        owner = next((path for depth in range(2, len(parts)) if (path := "/".join(parts[:depth])) in sizes), None)
        if owner is not None:
            sizes[owner] += size
    return sizes


def _files(folder: Path | None, archive: Path, prefix: str) -> list[tuple[str, int]]:
    """(path from the root group, bytes) of every file of a local store."""
    if folder is not None:
        return [
            (file.relative_to(folder).as_posix(), file.stat().st_size) for file in folder.rglob("*") if file.is_file()
        ]
    with zipfile.ZipFile(archive) as opened:
        return [
            (entry.filename.removeprefix(f"{prefix}/" if prefix else ""), entry.compress_size)
            for entry in opened.infolist()
        ]


def size_in_words(count: int | None) -> str:
    """Bytes in a unit that fits; `?` where they are unknown."""
    if count is None:
        return "?"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
