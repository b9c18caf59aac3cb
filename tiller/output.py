"""Where a run leaves its files: a folder of its own, with the resolved configuration and a mark when it is done."""

from __future__ import annotations

import json
import math
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator, Mapping

import yaml

from robot.errors import InputError

CONFIG = "config.yaml"
FINISHED = "finished.json"
HEADING = "# tiller "


@dataclass(frozen=True)
class Output:
    """An output folder that is open for one run.

    Args:
        verb: what runs.
        path: the folder.
    """

    verb: str
    path: Path

    @contextmanager
    def kept_if_used(self) -> Iterator[None]:
        """Take the folder away again when the block is asked wrongly before it has written anything."""
        try:
            yield
        except InputError:
            if [file.name for file in self.path.rglob("*") if file.is_file()] == [CONFIG]:
                _empty(self.path)
                if self.path.resolve() != Path.cwd():
                    self.path.rmdir()
            raise

    def mark(self, figures: Mapping[str, Any]) -> None:
        """Mark the run as done, with its headline figures; one that is no finite number is null."""
        finite = {name: None if isinstance(value, float) and not math.isfinite(value) else value
                  for name, value in figures.items()}
        write_atomically(self.path / FINISHED, json.dumps(finite, indent=2, allow_nan=False) + "\n")

    def finish(self, figures: Mapping[str, Any]) -> None:
        """Mark the run as done and say where everything is."""
        self.mark(figures)
        print(f"Written to {self.path}")


def open_output(verb: str, values: Mapping[str, Any], requested: str | None, *, resume: bool = False,
                overwrite: bool = False) -> Output:
    """Make the folder of a run and write the resolved configuration into it.

    Args:
        verb: what runs.
        values: the resolved configuration.
        requested, resume, overwrite: as in `claim_folder`.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    if not requested:
        return begin(verb, values, _make_dated(verb))
    path = claim_folder(verb, requested, resume=resume, overwrite=overwrite)
    with _writable(path):
        path.mkdir(parents=True, exist_ok=True)
    return begin(verb, values, path)


def claim_folder(verb: str, requested: str | None, *, resume: bool = False, overwrite: bool = False) -> Path:
    """The folder of a run, not made yet, once it is known to be free.

    Args:
        verb: what runs.
        requested: the folder that was asked for; None names `outputs/<verb>/<date and time>`.
        resume: go on in a folder that an earlier run of this verb left.
        overwrite: remove what an earlier run of tiller left there. Nothing else is ever removed.

    Raises:
        InputError: there is something already.
    """
    if requested and "://" in requested:
        raise InputError(f"output {requested}", expected="a local folder", got="a URL",
                         way_out="Choose another output=")
    path = Path(requested) if requested else _dated(verb)
    with _writable(path):
        if path.exists() and not path.is_dir():
            raise InputError(f"output {path}", expected="a folder", got="a file", way_out="Choose another output=")
        occupied = path.is_dir() and any(path.iterdir())
        if occupied and overwrite:
            _remove(path)
        elif occupied and not resume:
            raise InputError(f"output {path}", expected="a new or empty folder", got="one that holds files",
                             way_out="Choose another output=; overwrite=true replaces what tiller left there, and "
                             "resume=true goes on with it")
    return path


def begin(verb: str, values: Mapping[str, Any], path: Path) -> Output:
    """Write the resolved configuration into a folder that is there, and take away the mark of an earlier end."""
    with _writable(path):
        write_atomically(path / CONFIG, f"{HEADING}{verb}\n{yaml.safe_dump(dict(values), sort_keys=False)}")
        (path / FINISHED).unlink(missing_ok=True)
    return Output(verb, path)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """What the system refuses, as one message."""
    try:
        yield
    except OSError as error:
        raise InputError(f"output {path}", expected="a folder that can be written", got=error.strerror or str(error),
                         way_out="Choose another output=") from None


def written_by(folder: Path) -> str | None:
    """The verb whose output a folder is; None where it has no configuration, or one of another program."""
    try:
        with open(folder / CONFIG, encoding="utf-8") as file:
            first = file.readline()
    except (OSError, UnicodeDecodeError):
        return None
    return first.removeprefix(HEADING).strip() if first.startswith(HEADING) else None


def finished_figures(path: Path) -> dict[str, Any] | None:
    """The headline figures of a run that is done, or None."""
    try:
        return json.loads((path / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _dated(verb: str) -> Path:
    stem = Path("outputs") / verb / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path, copy = stem, 2
    while path.exists():
        path, copy = stem.with_name(f"{stem.name}-{copy}"), copy + 1
    return path


def _make_dated(verb: str) -> Path:
    """Make a folder that nobody else has: runs that begin in the same second get one each."""
    while True:
        path = _dated(verb)
        with _writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                continue
        return path


def _remove(path: Path) -> None:
    """Empty an earlier output; a folder that tiller did not make is refused."""
    if written_by(path) is None:
        raise InputError(f"output {path}", expected=f"a folder that tiller made, with its {CONFIG}",
                         got="something else, which is not removed", way_out="Choose another output=")
    _empty(path)


def _empty(path: Path) -> None:
    """Remove all that a folder holds, what says that it is ours last; a shell may stand in the folder itself."""
    for entry in sorted(path.iterdir(), key=lambda entry: entry.name == CONFIG):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
