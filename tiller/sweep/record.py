"""What a sweep leaves on disk beside its runs: `sweep.json`, and `error.json` where a run failed."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from robot.description import from_json, to_json
from robot.errors import InputError
from robot.files import write_file
from tiller.runs.output import finished_figures
from tiller.sweep.cells import Cell

SWEEP, ERROR = "sweep.json", "error.json"
LINES_KEPT = 20
NEUTRAL = ("workers", "threads")
"""Options that results do not depend on; they may be others when a sweep is resumed."""


@dataclass(frozen=True)
class Sweep:
    """What a folder is the sweep of.

    Args:
        verb: what every run does.
        cells: name of a run's folder -> its overrides, in the order of the sweep.
    """

    verb: str
    cells: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class CellError:
    """How a run failed.

    Args:
        reason: in one line.
        code: exit code of its process, negative for a signal; None where nobody saw it end.
        host: machine that it ran on.
        seconds: that it ran.
        overrides: that it ran with.
        log: the last lines of its log.
    """

    reason: str
    code: int | None = None
    host: str = ""
    seconds: float | None = None
    overrides: Sequence[str] = ()
    log: Sequence[str] = ()


def log_of(cell_folder: Path) -> Path:
    """What a run prints, beside its folder: some outputs must be empty when they begin."""
    return cell_folder.with_name(f"{cell_folder.name}.log")


def join_sweep(folder: Path, verb: str, cells: Sequence[Cell]) -> Sweep:
    """These cells together with those that an earlier sweep has done in the folder. What it has not done and nobody
    asks for any more is forgotten.

    Raises:
        InputError: the folder is another verb's sweep, or holds a run of the same name with other options.
    """
    before = read_sweep(folder) or Sweep(verb, {})
    if before.verb != verb:
        raise InputError(
            f"output {folder}",
            expected=f"a sweep of tiller {verb}",
            got=f"one of {before.verb}",
            way_out="Choose another output=",
        )
    requested = {cell.name: list(cell.overrides) for cell in cells}
    done = {name: words for name, words in before.cells.items() if is_done(folder / name)}
    for name in done.keys() & requested.keys():
        earlier, now = set(_decisive(done[name])), set(_decisive(requested[name]))
        if earlier != now:
            raise InputError(
                f"sweep {folder}, run {name}",
                expected=" ".join(sorted(earlier - now)) or "no more options",
                got=" ".join(sorted(now - earlier)) or "fewer options",
                way_out="It was done with other options: give the same ones, or choose another output=",
            )
    return Sweep(verb, {**done, **requested})


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write down what the folder is the sweep of."""
    write_file(folder / SWEEP, json.dumps(to_json(sweep), indent=2) + "\n")


def read_sweep(folder: Path) -> Sweep | None:
    """What a folder is the sweep of; None where it is none.

    Raises:
        InputError: its `sweep.json` is not ours.
    """
    try:
        text = (folder / SWEEP).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return from_json(Sweep, json.loads(text), where=str(folder / SWEEP))
    except ValueError as error:
        raise InputError(f"sweep {folder}", expected=f"a {SWEEP} that tiller wrote", got=str(error)) from None


def write_error(
    cell_folder: Path,
    reason: str,
    *,
    code: int | None = None,
    seconds: float | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Record in a run's folder that and how it failed."""
    cell_folder.mkdir(parents=True, exist_ok=True)
    error = CellError(
        reason,
        code,
        socket.gethostname(),
        seconds and round(seconds, 1),
        tuple(overrides),
        tuple(last_lines(log_of(cell_folder))),
    )
    write_file(cell_folder / ERROR, json.dumps(to_json(error), indent=2) + "\n")


def read_error(cell_folder: Path) -> CellError | None:
    """How a run failed; None where it did not."""
    try:
        return from_json(CellError, json.loads((cell_folder / ERROR).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def forget_error(cell_folder: Path) -> None:
    """Take a recorded failure away before the run is tried again, and the folder with it when it holds nothing else."""
    (cell_folder / ERROR).unlink(missing_ok=True)
    with suppress(OSError):
        cell_folder.rmdir()


def is_done(cell_folder: Path) -> bool:
    """Whether a run has its result."""
    return finished_figures(cell_folder) is not None


def last_lines(log: Path, count: int = LINES_KEPT) -> list[str]:
    """The end of a log, without reading all of it."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 200 * count))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def _decisive(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.partition("=")[0] not in NEUTRAL]
