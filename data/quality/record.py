"""Quality as files: quality.json, which training takes as it is, and quality.csv with a row an episode."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, Iterator, Mapping

from data.learning.episode_scores import KIND, VERSION
from data.quality.measure import EpisodeTable, Quality
from data.quality.score import MEASURES
from robot.description import to_json
from robot.files import write_result

JSON_NAME, CSV_NAME = "quality.json", "quality.csv"
COLUMNS = (
    "score", "rows", "copies", "action_divergence", "transition_diversity", "coverage", "idle", "jerk", "clipping",
    "outlier", "start_distance", "returns", "quality",
)  # fmt: skip


def write_quality(quality: Quality, folder: Path) -> tuple[Path, Path]:
    """Write both files, the one that training takes last.

    Raises:
        InputError: the folder cannot be written.
        TillerError: the disk is full or fails. Files that were there are untouched.
    """
    text = io.StringIO(newline="")
    names = ["episode", *COLUMNS, *(f"penalty.{name}" for name in MEASURES), "task"]
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(table_rows(quality))
    return write_result(folder / CSV_NAME, text.getvalue()), write_result(
        folder / JSON_NAME, json.dumps(plain(quality), indent=1, allow_nan=False) + "\n"
    )


def table_rows(quality: Quality) -> Iterator[Mapping[str, Any]]:
    """A row an episode; cells that are not known are empty."""
    table = quality.episodes
    for number in range(len(table.score)):
        yield {
            "episode": number,
            **{name: _cell(table, name, number) for name in COLUMNS},
            **{f"penalty.{name}": _rounded(float(table.penalty[name][number])) for name in MEASURES},
            "task": quality.tasks[int(table.task[number])],
        }


def plain(quality: Quality) -> dict[str, Any]:
    """What quality.json holds; what is not known is null."""
    table = quality.episodes
    return {
        "kind": KIND,
        "version": VERSION,
        "dataset": quality.path,
        "fingerprint": quality.fingerprint,
        "options": to_json(quality.options),
        "notes": list(quality.notes),
        "figures": {name: _rounded(value) for name, value in quality.figures.items()},
        "tasks": list(quality.tasks),
        "scores": [float(score) for score in table.score],
        "episodes": {
            name: [_cell(table, name, number) for number in range(len(table.score))]
            for name in (*COLUMNS[1:], "task")
            if getattr(table, name) is not None
        },
    }


def _cell(table: EpisodeTable, name: str, number: int) -> float | int | None:
    values = getattr(table, name)
    return None if values is None else _rounded(values[number].item())


def _rounded(value: float | int | None) -> float | int | None:
    """A number to six digits; None where it is none."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
