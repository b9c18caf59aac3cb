"""The files of a page, read once: no name of a request ever becomes a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Collection, Mapping

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


def page_files(folder: Path = FOLDER, shared: Collection[str] = ()) -> Mapping[str, PageFile]:
    """The files by the path under which they are served; the first page also under `/`.

    Args:
        folder: of the page.
        shared: names of files of the page of a running graph that this page uses too.
    """
    paths = [FOLDER / name for name in shared] + sorted(folder.iterdir())
    files = {f"/{path.name}": PageFile(path.read_bytes(), TYPES[path.suffix]) for path in paths if path.suffix in TYPES}
    return {**files, "/": files[f"/{FIRST}"]}
