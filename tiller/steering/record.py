"""What each rung bought and cost: ladder.json, ladder.csv, TensorBoard, and a table for people."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from robot.description import to_json
from robot.files import write_result, write_table
from sim.statistics.intervals import wilson
from tiller.steering.promotion import Promotion

if TYPE_CHECKING:
    from policies.training.running.loggers import Logger
    from tiller.steering.climb import Climb

Justify = Literal["left", "right"]
COLUMNS: dict[str, Justify] = {
    "rung": "left",
    "chosen at": "left",
    "against": "left",
    "fresh starts": "left",
    "difference": "left",
    "pairs": "left",
    "needs": "right",
    "verdict": "left",
    "env steps": "right",
    "minutes": "right",
}
WIDTH = 170
"""Of the table where it is no terminal's."""
JSON, CSV, TENSORBOARD = "ladder.json", "ladder.csv", "tensorboard"
NOT_POSSIBLE = "not possible"
TIMES = ("minutes", "total_minutes")
"""Columns that differ from one run to the next."""


@dataclass(frozen=True)
class Row:
    """A rung in the record.

    Args:
        method: that made it.
        rung: its name.
        verdict: of the test, or why it did not meet the best rung.
        promoted: whether it became the best.
        selection, selection_episodes: success on selection seeds, which the best of several was chosen by, and of how
            many episodes.
        against: the rung that it met.
        success, success_low, success_high: on the fresh starts of the meeting, with Wilson's interval at 95 %.
        against_success: of the other rung on the same starts.
        difference, difference_low, difference_high: of the two in pairs.
        pairs, won, lost: starts of the meeting, and those on which only the new, only the old rung succeeded.
        evidence: of the test that the new one is better.
        needs: further pairs at the present rates; None where they would not decide it.
        first_seed: of the meeting's starts.
        steps, minutes: what method and meeting cost, all environment steps.
        total_steps, total_minutes: of the run so far.
        note: on it.
    """

    method: str
    rung: str
    verdict: str = ""
    promoted: bool = False
    selection: float | None = None
    selection_episodes: int | None = None
    against: str = ""
    success: float | None = None
    success_low: float | None = None
    success_high: float | None = None
    against_success: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    pairs: int = 0
    won: int = 0
    lost: int = 0
    evidence: float | None = None
    needs: int | None = None
    first_seed: int | None = None
    steps: int = 0
    minutes: float = 0.0
    total_steps: int = 0
    total_minutes: float = 0.0
    note: str = ""


def met(promotion: Promotion) -> dict[str, Any]:
    """The fields of a row that a meeting gives."""
    comparison, pairs = promotion.comparison, promotion.state.pairs
    fields_of: dict[str, Any] = {
        "verdict": promotion.verdict,
        "promoted": promotion.is_preferred,
        "against": promotion.best.name,
        "pairs": pairs.count,
        "won": pairs.only_new,
        "lost": pairs.only_old,
        "evidence": promotion.state.evidence,
        "needs": promotion.state.needs,
        "first_seed": promotion.first_seed,
    }
    if comparison is None:
        return fields_of
    success, difference = wilson(pairs.both + pairs.only_new, pairs.count), comparison.success
    return fields_of | {
        "success": success.estimate,
        "success_low": success.low,
        "success_high": success.high,
        "against_success": (pairs.both + pairs.only_old) / pairs.count,
        "difference": difference.estimate,
        "difference_low": difference.low,
        "difference_high": difference.high,
    }


class Record:
    """The rows of a climb, written anew with each of them; a context while it is climbed.

    Args:
        climb: that it is of.
    """

    def __init__(self, climb: Climb) -> None:
        self.climb, self.rows = climb, list[Row]()
        self._log: Logger | None = None

    def __enter__(self) -> Record:
        from policies.training.running.loggers import TensorBoardLog

        folder = self.climb.folder / TENSORBOARD
        shutil.rmtree(folder, ignore_errors=True)  # a run that goes on logs all of it again
        self._log = TensorBoardLog(folder)
        return self

    def __exit__(self, *error: object) -> None:
        if self._log is not None:
            self._log.close()

    def add(self, row: Row) -> None:
        """Keep a row."""
        self.rows.append(row)
        values = {"selection": row.selection, "success": row.success, "difference": row.difference}
        numbers = {f"{name}/{row.rung}": value for name, value in values.items() if value is not None}
        assert self._log is not None
        self._log.log(row.total_steps, {**numbers, "minutes": row.total_minutes, "pairs": float(row.pairs)})
        self.write()

    def write(self) -> None:
        """Write ladder.json and ladder.csv."""
        folder, bench = self.climb.folder, self.climb.bench
        document = {
            "task": self.climb.task,
            "options": to_json(bench.options),
            "method": self.climb.options.method,
            "test": {name: getattr(self.climb.options, name) for name in ("error", "worth", "most")},
            "best": self.climb.best.name,
            "steps": bench.steps,
            "minutes": bench.cost.seconds / 60,
            "rungs": to_json(self.rows),
        }
        write_result(folder / JSON, json.dumps(document, indent=2, allow_nan=False) + "\n")
        write_table(folder / CSV, [each.name for each in fields(Row)], [vars(row) for row in self.rows])

    def show(self) -> None:
        """The table for people."""
        from rich.console import Console
        from rich.table import Table

        console = Console()
        if not console.is_terminal:
            console = Console(width=max(console.width, WIDTH))
        table = Table(title=f"{self.climb.task}: what each rung bought; intervals at 95 %")
        for name, justify in COLUMNS.items():
            table.add_column(name, justify=justify)
        for row in self.rows:
            table.add_row(*cells(row), style="bold" if row.rung == self.climb.best.name else None)
        console.print(table)
        for row in self.rows:
            if row.note:
                print(f"{row.rung}: {row.note}")


def cells(row: Row) -> list[str]:
    """A row as the table shows it, in the order of `COLUMNS`."""
    selection = "" if row.selection is None else f"{row.selection:.3f} of {row.selection_episodes}"
    fresh = difference = pairs = needs = ""
    if row.success is not None:
        fresh = f"{row.against_success:.3f} -> {row.success:.3f}"
        difference = f"{row.difference:+.3f} [{row.difference_low:+.3f}, {row.difference_high:+.3f}]"
    if row.against:
        pairs = f"{row.pairs}: +{row.won} -{row.lost}"
        needs = "" if row.promoted else "never" if row.needs is None else str(row.needs)
    cost = [f"{row.steps:,}", f"{row.minutes:.1f}"]
    return [row.rung, selection, row.against, fresh, difference, pairs, needs, row.verdict, *cost]
