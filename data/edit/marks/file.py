"""The file of marks beside a store: JSON that people can read and compare, one line for each episode."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.edit.marks.mark import EpisodeMark, Marks, mark_of
from data.store.writing.target import is_url
from robot.errors import InputError, TillerError, nearest, shortened
from robot.files import is_full, write_file

FORMAT, VERSION = "tiller marks", 1
LARGEST_FILE = 64 << 20
ENDING = ".marks.json"
_KEYS = ("episodes", "format", "store", "version")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


def marks_path(store: str | Path) -> Path:
    """The path of the marks of a store: beside it, `NAME.marks.json`.

    Args:
        store: a folder or a zip.

    Raises:
        InputError: it is a URL, beside which no file can be.
    """
    if is_url(store):
        raise InputError(
            f"'{store}'", expected="a local store, beside which its marks can be", got="a URL", way_out="Copy it first"
        )
    path = Path(os.path.abspath(store))
    return path.with_name(f"{path.name}{ENDING}")


def store_of(file: str | Path) -> Path:
    """The path of the store beside which a file of marks is.

    Raises:
        InputError: its name is not that of a store with `.marks.json` at its end.
    """
    path = Path(file)
    if not path.name.endswith(ENDING) or path.name == ENDING:
        raise InputError(
            f"marks '{file}'",
            expected=f"a file STORE{ENDING} beside its store",
            got="another name",
            way_out="Name the store with store=PATH",
        )
    return path.with_name(path.name.removesuffix(ENDING))


def marks_beside(store: str | Path) -> Marks:
    """The marks of a store, none where there is no file of them.

    Raises:
        InputError: as `marks_path` and `read_marks`.
    """
    path = marks_path(store)
    return read_marks(path) if os.path.lexists(path) else Marks(path.name.removesuffix(ENDING))


def read_marks(path: str | Path) -> Marks:
    """Read a file of marks.

    Raises:
        InputError: it cannot be read, or is none.
    """
    given = _json(Path(path))
    where = f"marks '{path}'"
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise _wrong(path, "another JSON file")
    for key in given:
        if key not in _KEYS:
            raise InputError(where, expected="a known key", got=shortened(key), way_out=nearest(key[:100], _KEYS))
    if type(given.get("version")) is not int or given["version"] != VERSION:
        raise InputError(
            where,
            expected=f"version {VERSION}",
            got="another one",
            way_out="Read it with the version of tiller that wrote it",
        )
    store, episodes = given.get("store"), given.get("episodes")
    if not isinstance(store, str):
        raise _wrong(path, "no name of a store")
    if not isinstance(episodes, dict):
        raise _wrong(path, "no mapping of episodes")
    marks: dict[int, EpisodeMark] = {}
    for number, mapping in episodes.items():
        if not _NUMBER.fullmatch(number):
            raise _wrong(path, f"{shortened(number)} as the number of an episode")
        marks[int(number)] = mark_of(mapping, f"{where}: episode {number}")
    try:
        return Marks(store, marks)
    except InputError as error:
        raise InputError(f"{where}: {error.thing}", expected=error.expected, got=error.got) from error


def write_marks(path: str | Path, marks: Marks) -> None:
    """Write a file of marks; it appears whole and on the disk, or what was there stays.

    Raises:
        InputError: they are more than a file may hold, or the path cannot be written.
        TillerError: the disk is full.
    """
    lines = [f"    {_text(str(index))}: {_text(mark.to_json())}" for index, mark in sorted(marks.episodes.items())]
    episodes = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    parts = [
        ("episodes", episodes),
        ("format", _text(FORMAT)),
        ("store", _text(marks.store)),
        ("version", str(VERSION)),
    ]
    content = ("{\n" + ",\n".join(f"  {_text(key)}: {value}" for key, value in parts) + "\n}\n").encode()
    if len(content) > LARGEST_FILE:
        raise InputError(f"marks '{path}'", expected=f"at most {LARGEST_FILE:,} bytes", got=f"{len(content):,}")
    try:
        write_file(Path(path), content)
    except (OSError, ValueError) as error:
        if is_full(error):
            raise TillerError(
                f"marks '{path}' were not written: no space left on the disk. Free some space, and mark again"
            ) from error
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(f"marks '{path}'", expected="a file that can be written", got=got) from error


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _json(path: Path) -> Any:
    """What a file holds, as plain values; at most so many bytes of it are ever read."""
    try:
        if not path.is_file():
            raise _wrong(path, "no file at this path" if not path.exists() else "no regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise _wrong(path, f"more than {LARGEST_FILE:,} bytes")
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_number)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "text that is not UTF-8") from error
    except RecursionError as error:
        raise _wrong(path, "lists within lists without end") from error
    except InputError:
        raise
    except ValueError as error:
        raise _wrong(path, f"no JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shortened(twice)} twice")
    return mapping


def _no_number(name: str) -> Any:
    raise ValueError(f"{name}, which is no number")


def _wrong(path: str | Path, got: str) -> InputError:
    return InputError(
        f"marks '{path}'",
        expected="a file of marks as tiller data view writes it",
        got=got,
        way_out="Make marks with: tiller data view STORE",
    )
