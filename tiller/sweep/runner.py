"""The job runner of `-m`: what is missing is run, what is there stays, and what fails does not stop the rest."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from data.store.writing.lock import WriterLock
from robot.errors import InputError
from tiller.configuration.compose import compose
from tiller.configuration.overrides import unquoted
from tiller.runs.output import ANOTHER, finished_figures
from tiller.sweep.cells import Cell, expand
from tiller.sweep.launchers import Ended, Job, Launcher, open_launcher, read_launcher, require_installed
from tiller.sweep.launchers.choice import is_launcher_word
from tiller.sweep.record import is_done, join_sweep, read_error, write_error, write_sweep

Check = Callable[[Mapping[str, Any]], None]
"""Refuses, before anything runs, cells (name -> options) that make no sense together."""

Conclude = Callable[[Path], None]
"""Sums up and shows the cells that are done in a folder, of which there is one at least."""


def run_sweep(
    verb: str, kind: type, words: Sequence[str], *, check: Check | None = None, conclude: Conclude | None = None
) -> int:
    """Run every cell in a process of its own, and sum up their results.

    Args:
        verb, kind: as in `tiller.command_line.command.run_configured`.
        words: overrides; `output=` is the folder of all cells, `launcher=` and `jobs=` say where they run and how many
            at a time.
        check, conclude: the verb's own; without `conclude` the figures of all cells are shown as a table.

    Returns:
        0 when every cell is done, else 1.

    Raises:
        InputError: an argument is wrong, or another runner is at work in the folder.
        MissingExtraError: the launcher needs an extra that is not installed.
        KeyboardInterrupt: it was stopped; no cell is running any more.
    """
    options = read_launcher([word for word in words if is_launcher_word(word)])
    require_installed(options)
    output, overrides = _take([word for word in words if not is_launcher_word(word)], "output")
    if output is not None and "://" in output:
        raise InputError(f"output {output}", expected="a local folder", got="a URL", way_out="Choose another output=")
    cells = expand(overrides, kind)
    folder = Path(output or f"outputs/{verb}/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    sweep = join_sweep(folder, verb, cells)
    composed: dict[str, Any] = {name: compose(verb, kind, words).options for name, words in sweep.cells.items()}
    if check is not None:
        check(composed)
    with _own(folder):
        write_sweep(folder, join_sweep(folder, verb, cells))  # anew: another runner may have been at work until now
        missing = [cell for cell in cells if not is_done(folder / cell.name)]
        at_a_time = f", {options.jobs} at a time" if options.jobs else ""
        print(f"{len(cells)} runs, {len(cells) - len(missing)} done before{at_a_time}, in {folder}", flush=True)
        if missing:
            _run_all(open_launcher(options, str(folder.resolve())), verb, missing, folder, options.time_min)
        return _conclude(cells, folder, conclude)


def _take(words: Sequence[str], key: str) -> tuple[str | None, list[str]]:
    """The value of `key=` and the other words."""
    values = [unquoted(word.partition("=")[2]) for word in words if word.startswith(f"{key}=")]
    return (values[-1] if values else None), [word for word in words if not word.startswith(f"{key}=")]


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    """Be the only runner in a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"output {folder}",
            expected="a folder that can be written",
            got=error.strerror or str(error),
            way_out="Choose another output=",
        ) from None
    lock = WriterLock(folder, ANOTHER)
    try:
        yield
    finally:
        lock.release()


def _run_all(launcher: Launcher, verb: str, cells: Sequence[Cell], folder: Path, time_min: float | None) -> None:
    """Run cells, and report each one when it is over."""
    cwd = str(Path.cwd())
    jobs = {Job(verb, cell.overrides, str((folder / cell.name).resolve()), cwd, time_min): cell for cell in cells}
    width = len(str(len(cells)))
    try:
        for count, ended in enumerate(launcher.run(list(jobs)), 1):
            cell = jobs[ended.job]
            print(f"  {count:{width}}/{len(cells)}  {_outcome(ended, folder / cell.name)}  {cell.name}", flush=True)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be what was closed
            print("\nStopping what runs; again to kill it.", file=sys.stderr, flush=True)
        launcher.stop()
        done = sum(is_done(folder / cell.name) for cell in cells)
        raise KeyboardInterrupt(
            f"Stopped with {done} of {len(cells)} runs done; the same command with output={folder} goes on"
        ) from None
    except BaseException:
        launcher.stop()
        raise


def _outcome(ended: Ended, cell_folder: Path) -> str:
    """How a run ended, in a word; a run that could not write its error itself gets it written here."""
    if ended.lost and not is_done(cell_folder) and read_error(cell_folder) is None:
        write_error(cell_folder, ended.lost, overrides=ended.job.overrides)
    return "done  " if read_error(cell_folder) is None else "failed"


def _conclude(cells: Sequence[Cell], folder: Path, conclude: Conclude | None) -> int:
    """Show the results and what failed."""
    if conclude is None:
        _print_table(cells, folder)
    elif any(is_done(folder / cell.name) for cell in cells):
        conclude(folder)
    failed = {cell.name: error for cell in cells if (error := read_error(folder / cell.name)) is not None}
    for name, error in failed.items():
        print(f"failed: {name}: {error.reason}", file=sys.stderr)
    if failed:
        print(
            f"{len(failed)} of {len(cells)} runs failed; the log of each is beside its folder. "
            f"Run the same again with output={folder} for those alone.",
            file=sys.stderr,
        )
    return 1 if failed else 0


def _print_table(cells: Sequence[Cell], folder: Path) -> None:
    """The headline figures of every cell that is done."""
    from rich.console import Console
    from rich.table import Table

    figures: dict[str, dict[str, Any]] = {cell.name: finished_figures(folder / cell.name) or {} for cell in cells}
    columns = list(dict.fromkeys(key for row in figures.values() for key in row))
    table = Table("run", *columns)
    for name, row in figures.items():
        table.add_row(name, *(_short(row.get(column)) for column in columns))
    Console().print(table)


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
