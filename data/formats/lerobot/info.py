"""`meta/info.json` of a LeRobot dataset, and the paths that it names."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping

from robot.errors import InputError

_LARGEST_JSON = 2**26  # bytes
_PLACE = re.compile(r"\{(\w+)(?::0?(\d{1,2})d)?\}")
_FIELDS = ("episode_chunk", "episode_index", "chunk_index", "file_index", "video_key")
"""All that a path may be made of. It is never formatted by Python, whose formats reach attributes of objects."""


@dataclass(frozen=True)
class Feature:
    """One key of the dataset.

    Args:
        name: its name.
        dtype: as LeRobot calls it: a number's type, `image`, `video`, `string`, `language`.
        shape: of one row.
        names: of the numbers of a row, flat; empty where there are none.
        details: of a video.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Info:
    """What `meta/info.json` says.

    Args:
        root: of the dataset.
        version: (2, 1), (3, 0).
        fps: rows a second.
        features: name -> key.
        data_path, video_path: templates of paths.
        chunk: episodes of a folder of files, in v2.
        raw: all of it.
    """

    root: Path
    version: tuple[int, int]
    fps: float
    features: Mapping[str, Feature]
    data_path: str
    video_path: str
    chunk: int
    raw: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Of the file, for messages."""
        return str(self.root / "meta" / "info.json")

    def file(self, template: str, **values: int | str) -> tuple[str, Path]:
        """A file of the dataset by a template: its path in the dataset, and where it is.

        Raises:
            InputError: the template has other fields than LeRobot's, or leads out of the dataset.
        """

        def fill(match: re.Match[str]) -> str:
            name, width = match[1], int(match[2] or 0)
            if name not in _FIELDS or name not in values or width > 12:
                raise self._bad_path(template, f"the field '{ascii(match[0])[1:-1]}'")
            value = values[name]
            return f"{value:0{width}d}" if isinstance(value, int) else value

        path = _PLACE.sub(fill, template)
        if re.search(r"[{}]", _PLACE.sub("", template)):
            raise self._bad_path(template, "braces around something else")
        return path, self.inside(path)

    def inside(self, path: str) -> Path:
        """Where a file of the dataset is.

        Raises:
            InputError: it would be outside of the dataset.
        """
        root = self.root.resolve()
        try:
            place = (root / path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise self._bad_path(path, f"a path that cannot be ({error})") from error
        # The hub's cache has links from its snapshots to the blobs beside them.
        blobs = [root.parent.parent / "blobs"] if root.parent.name == "snapshots" else []
        if path.startswith("/") or not any(place.is_relative_to(each) for each in (root, *blobs)):
            raise self._bad_path(path, "one that leads out of it")
        return root / path

    def _bad_path(self, path: str, got: str) -> InputError:
        return InputError(
            f"'{self.path}': path {path[:200]!a}",
            expected=f"a path within the dataset, made of {', '.join(_FIELDS)}",
            got=got,
            way_out="Correct data_path or video_path there",
        )


def read_info(path: str | Path, ignore_names: bool) -> Info:
    """Read a dataset's `meta/info.json`.

    Args:
        path: of the dataset's folder.
        ignore_names: whether names of numbers are left out, which may be wrong then.

    Raises:
        InputError: it is missing, or something in it is of another kind than LeRobot writes.
    """
    root = Path(path)
    file = root / "meta" / "info.json"
    raw = read_json(file)
    if not isinstance(raw, Mapping):
        raise _bad(file, "", "a mapping", raw)
    version = re.fullmatch(r"v?(\d{1,3})\.(\d{1,3})", str(raw.get("codebase_version")))
    numbers = (int(version[1]), int(version[2])) if version else (0, 0)
    if numbers[0] not in (2, 3):
        raise InputError(
            f"'{file}': codebase_version",
            expected="v2.0, v2.1 or v3.0",
            got=ascii(raw.get("codebase_version")),
            way_out="Convert it with LeRobot to one of these",
        )
    fps = raw.get("fps")
    if not isinstance(fps, (int, float)) or isinstance(fps, bool) or not 0 < fps < 1e5 or not math.isfinite(fps):
        raise _bad(file, "fps", "a number above 0", fps)
    features = raw.get("features")
    if not isinstance(features, Mapping):
        raise _bad(file, "features", "a mapping", features)
    chunk = raw.get("chunks_size", 1000)
    if not isinstance(chunk, int) or not 0 < chunk < 10**9:
        raise _bad(file, "chunks_size", "a whole number above 0", chunk)
    old = numbers[0] == 2
    data_path = raw.get("data_path") or (
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        if old
        else "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    )
    video_path = raw.get("video_path") or (
        "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
        if old
        else "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    )
    for name, template in (("data_path", data_path), ("video_path", video_path)):
        if not isinstance(template, str):
            raise _bad(file, name, "words", template)
    return Info(
        root,
        numbers,
        float(fps),
        {name: _feature(file, str(name), value, ignore_names) for name, value in features.items()},
        data_path,
        video_path,
        chunk,
        raw,
    )


def _feature(file: Path, name: str, value: Any, ignore_names: bool) -> Feature:
    if not isinstance(value, Mapping) or not isinstance(value.get("dtype"), str):
        raise _bad(file, f"features: {name!a}", "a mapping with a dtype", value)
    shape = value.get("shape", [1])
    if shape is None and value["dtype"] in ("string", "language"):
        shape = [1]
    sizes = list(shape) if isinstance(shape, (list, tuple)) else None
    if sizes is None or not all(isinstance(size, int) and 0 < size < 10**8 for size in sizes):
        raise _bad(file, f"features: {name!a}: shape", "whole numbers above 0", shape)
    details = value.get("info") or value.get("video_info") or {}
    names: tuple[str, ...] = ()
    if value["dtype"] not in ("image", "video", "string", "language") and not ignore_names:
        names = tuple(_flat(value.get("names")))
        if names and len(names) != math.prod(sizes):
            raise InputError(
                f"'{file}': features: {name!a}: names",
                expected=f"{math.prod(sizes)} names, one a number",
                got=f"{len(names)}: {ascii(', '.join(names))[1:80]}",
                way_out="Correct them there, or read it without names with ignore_names=true",
            )
    return Feature(name, value["dtype"], tuple(sizes), names, details if isinstance(details, Mapping) else {})


def _flat(names: Any, depth: int = 0) -> Iterator[str]:
    """Names as a list, as lists in lists, or as a mapping from a group's name to those in it, or to their numbers."""
    if depth > 8 or names is None:
        return
    if isinstance(names, Mapping):
        if names and all(isinstance(number, int) for number in names.values()):
            yield from (str(name) for name, _ in sorted(names.items(), key=lambda item: item[1]))
            return
        for each in names.values():
            yield from _flat(each, depth + 1)
    elif isinstance(names, (list, tuple)):
        for each in names:
            yield from _flat(each, depth + 1)
    else:
        yield str(names)


def read_json(file: Path) -> Any:
    """A JSON file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if file.stat().st_size > _LARGEST_JSON:
            raise ValueError(f"{file.stat().st_size:,} bytes")
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(f"'{file}'", expected="JSON", got=got, way_out="Copy the dataset again") from error


def read_lines(file: Path) -> Iterator[Mapping[str, Any]]:
    """The mappings in a file of JSON lines.

    Raises:
        InputError: it cannot be read, or a line is something else.
    """
    number = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                number += 1
                if not line.strip():
                    continue
                value = json.loads(line)
                if not isinstance(value, Mapping):
                    raise ValueError(f"a {type(value).__name__}")
                yield value
    except (OSError, ValueError, RecursionError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"'{file}', line {number}", expected="a mapping in JSON", got=got, way_out="Copy the dataset again"
        ) from error


def _bad(file: Path, what: str, expected: str, got: Any) -> InputError:
    return InputError(
        f"'{file}': {what}" if what else f"'{file}'",
        expected=expected,
        got=ascii(got)[:80],
        way_out="Correct it there",
    )
