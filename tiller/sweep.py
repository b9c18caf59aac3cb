"""`-m`: every combination of the values given, each a run of its own, resumable."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, Sequence

from robot.errors import InputError
from tiller.configuration import compose, parse_overrides
from tiller.output import finished_figures

# Names of folders must be fit to stand in an override: checkpoint=sweep/policy-flow_mlp.
_UNFIT = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Args:
        name: its folder within the sweep's output: the values that vary.
        overrides: all of its overrides but the output.
    """

    name: str
    overrides: tuple[str, ...]


def expand(overrides: Sequence[str]) -> list[Cell]:
    """All combinations of overrides with several values, in the order given, the last one varying fastest.

    Raises:
        InputError: none has several values.
    """
    choices: list[list[tuple[str, str]]] = []
    for override in parse_overrides(overrides):
        if override.is_sweep_override():
            key = override.key_or_group
            choices.append([(f"{key}-{value}", f"{key}={value}") for value in override.sweep_string_iterator()])
        else:
            choices.append([("", override.input_line)])
    if not any(label for alternatives in choices for label, _ in alternatives):
        raise InputError("-m", expected="an override with several values, such as training.seed=0,1,2", got="none")
    cells = []
    for combination in product(*choices):
        label = "+".join(label for label, _ in combination if label)
        cells.append(Cell(_UNFIT.sub("-", label), tuple(override for _, override in combination)))
    return cells


def run_sweep(verb: str, kind: type, words: Sequence[str]) -> int:
    """Run every cell in a process of its own.

    Args:
        verb, kind: as in `tiller.command.run_configured`.
        words: overrides; `output=` is the folder of all cells and `jobs=` how many run at a time.

    Returns:
        0 when every cell is done, else 1.
    """
    output, words = _take(words, "output")
    jobs_text, words = _take(words, "jobs")
    jobs = int(jobs_text) if jobs_text and jobs_text.isdigit() else 1 if jobs_text is None else 0
    if jobs < 1:
        raise InputError("jobs", expected="a whole number of at least 1", got=f"'{jobs_text}'")
    cells = expand(words)
    for cell in cells:
        compose(verb, kind, cell.overrides)
    folder = Path(output or f"outputs/{verb}/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    missing = [cell for cell in cells if finished_figures(folder / cell.name) is None]
    print(f"{len(cells)} runs, {len(cells) - len(missing)} done before, {jobs} at a time, in {folder}")
    failed = _run_all(verb, missing, folder, jobs)
    _print_table(cells, folder)
    if failed:
        print(f"{len(failed)} of {len(cells)} runs failed; the reason is in the log of each. "
              f"Run the same again with output={folder} for those alone.", file=sys.stderr)
    return 1 if failed else 0


def _take(words: Sequence[str], key: str) -> tuple[str | None, list[str]]:
    """The value of `key=` and the other words."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{key}=")]
    return (values[-1] if values else None), [word for word in words if not word.startswith(f"{key}=")]


def _run_all(verb: str, cells: Sequence[Cell], folder: Path, jobs: int) -> list[Cell]:
    failed: list[Cell] = []
    waiting = list(cells)
    running: dict[Future[int], Cell] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                running[pool.submit(_run_cell, verb, cell, folder / cell.name)] = cell
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                cell = running.pop(future)
                code = future.result()
                print(f"  {'done  ' if code == 0 else 'failed'}  {cell.name}", flush=True)
                if code:
                    failed.append(cell)
    return failed


def _run_cell(verb: str, cell: Cell, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    again = ["resume=true"] if path.exists() else []
    words = [sys.executable, "-m", "tiller", verb, *cell.overrides, f"output={path}", *again]
    with open(_log(path), "ab") as log:
        return subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env={**os.environ, "TERM": "dumb"}).returncode


def _log(path: Path) -> Path:
    """What a run prints, beside its folder: some outputs must be empty when they begin."""
    return path.with_name(f"{path.name}.log")


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
