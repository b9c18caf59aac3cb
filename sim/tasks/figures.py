"""Measured figures of tasks, read from the tables in docs/results/ that `benchmarks/` writes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from robot.errors import InputError

RESULTS = Path(__file__).parents[2] / "docs" / "results"
TABLES = ("metaworld.csv", "experts.csv")  # the later ones win
COLUMNS = ("task", "episodes", "successes", "steps_per_s")  # there may be more; an empty cell was not measured


@dataclass(frozen=True)
class Figures:
    """The measured figures of one task.

    Args:
        episodes: of the scripted expert.
        successes: of those; None where no expert was measured.
        steps_per_s: of the environment on one core, with state observations, without resets and policy.
    """

    episodes: int = 0
    successes: int | None = None
    steps_per_s: float | None = None


def measured(folder: Path = RESULTS) -> dict[str, Figures]:
    """The figures of all tasks that have some, by id; a table that is not there has none.

    Raises:
        InputError: a table lacks a column or has a cell that is not a number.
    """
    figures: dict[str, Figures] = {}
    for path in (folder / name for name in TABLES):
        if not path.exists():
            continue
        with path.open(newline="") as file:
            table = csv.DictReader(file)
            if missing := set(COLUMNS) - set(table.fieldnames or ()):
                raise InputError(
                    str(path), expected=f"columns {', '.join(COLUMNS)}", got=f"none named {', '.join(sorted(missing))}"
                )
            for row in table:
                try:
                    figures[row["task"]] = Figures(
                        int(row["episodes"] or 0),
                        int(row["successes"]) if row["successes"] else None,
                        float(row["steps_per_s"]) if row["steps_per_s"] else None,
                    )
                except ValueError as error:
                    raise InputError(f"{path}, line {table.line_num}", expected="numbers", got=str(error)) from error
    return figures
