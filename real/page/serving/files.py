"""The files of the page, read once: no name of a request ever becomes a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

FOLDER = Path(__file__).parents[1] / "static"
FIRST = "index.html"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """The bytes of a file, and its type."""

    body: bytes
    content_type: str


def page_files(folder: Path = FOLDER) -> Mapping[str, PageFile]:
    """The files by the path under which they are served; the first page also under `/`."""
    files = {
        f"/{file.name}": PageFile(file.read_bytes(), TYPES[file.suffix])
        for file in sorted(folder.iterdir())
        if file.suffix in TYPES
    }
    return {**files, "/": files[f"/{FIRST}"]}
