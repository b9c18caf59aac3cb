"""The learning curve of the training run that a policy comes from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from robot.errors import InputError

STEP = "step"
FILE_NAME = "metrics.csv"
PANELS = {"loss": ("loss",), "evaluation": ("score", "success")}
"""Title of a panel -> words in the names of its curves; other columns, such as speeds, are not drawn."""


@dataclass(frozen=True)
class Curve:
    """One number over the updates of a training run."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


def read_curves(path: Path) -> dict[str, list[Curve]]:
    """Curves per panel of a `metrics.csv`: a column `step`, one column per name, empty cells where nothing was logged.

    Raises:
        InputError: the file cannot be read as such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = list(table)
        if table.fieldnames is not None and STEP not in table.fieldnames:
            raise ValueError(f"the columns {', '.join(table.fieldnames)[:200]}")
        columns = [name for name in (rows[0] if rows else {}) if name and _panel(name)]
        points = {name: [(float(row[STEP]), float(row[name])) for row in rows if row[name]] for name in columns}
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"metrics {path}",
            expected=f"a table with the column '{STEP}' and numbers",
            got=f"{type(error).__name__}: {error}",
        ) from error
    panels: dict[str, list[Curve]] = {}
    for name, pairs in points.items():
        finite = [(step, value) for step, value in pairs if isfinite(value)]
        if finite:
            steps, values = zip(*finite)
            panels.setdefault(_panel(name), []).append(Curve(name, steps, values))
    return panels


def find_metrics(folder: Path, checkpoint: str | None) -> Path | None:
    """The metrics beside an evaluation, or those of the run folder that contains its checkpoint."""
    folders = [folder, *([Path(checkpoint), *list(Path(checkpoint).parents)[:2]] if checkpoint else [])]
    return next((each / FILE_NAME for each in folders if (each / FILE_NAME).is_file()), None)


def _panel(name: str) -> str:
    return next((title for title, words in PANELS.items() if any(word in name for word in words)), "")
