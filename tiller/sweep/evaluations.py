"""Sweeps of evaluations: seeds that do not overlap before, one summary over all cells after."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Mapping

from robot.description import to_json
from robot.errors import InputError
from robot.files import write_file
from sim.statistics.records import FILE_NAME, read_evaluation
from sim.statistics.summary import Result, SweepSummary, summarise
from tiller.sweep.record import is_done, read_error, read_sweep

SUMMARY_JSON, SUMMARY_CSV, PAGE = "summary.json", "summary.csv", "report.html"
SCHEMA_VERSION = 1


def require_disjoint_seeds(cells: Mapping[str, Any]) -> None:
    """Refuse before long work cells that differ in their seed alone and would share episodes.

    Args:
        cells: name -> options, with `seed` and `episodes`.
    """
    rows: dict[str, list[tuple[int, int, str]]] = {}
    for name, options in cells.items():
        apart_from_seeds = json.dumps(to_json(replace(options, seed=0, episodes=0)), sort_keys=True, default=str)
        rows.setdefault(apart_from_seeds, []).append((options.seed, options.seed + options.episodes, name))
    for row in rows.values():
        row.sort()
        for (seed, end, name), (next_seed, _, next_name) in pairwise(row):
            if next_seed < end:
                raise InputError(
                    "seed",
                    expected="disjoint seeds, because such runs are summed up as episodes of one",
                    got=f"{seed} to {end - 1} in {name} and from {next_seed} on in {next_name}",
                    way_out=f"Leave at least {end - seed} between them, the number of episodes",
                )


def write_summary(folder: Path, page: Path | None = None, *, overwrite: bool = False) -> SweepSummary:
    """Sum up the cells that are done: `summary.json`, `summary.csv` and a page.

    Args:
        folder: of the sweep.
        page: to write; None for `report.html` in the folder.
        overwrite: replace a page that is no report of ours.

    Raises:
        InputError: no cell is done, or the folder is no sweep of evaluations.
    """
    from sim.report import write_sweep_report

    sweep = read_sweep(folder)
    cells = list(sweep.cells) if sweep is not None else []
    done = [name for name in cells if is_done(folder / name) and (folder / name / FILE_NAME).is_file()]
    if not done:
        raise InputError(
            f"summary of {folder}",
            expected="a sweep of evaluations, at least one of them done",
            got=f"{len(cells)} runs, none of them done",
            way_out="Run it: tiller evaluate -m --help",
        )
    evaluations = [(name, read_evaluation(folder / name)) for name in done]
    named = [(name, evaluation) for name, evaluation in evaluations if evaluation.records]
    failed = {name: error for name in cells if name not in done and (error := read_error(folder / name)) is not None}
    missing = [name for name in cells if name not in done and name not in failed]
    summary = summarise(named)
    document = {
        "schema": SCHEMA_VERSION,
        "cells": {"done": done, "missing": missing, "failed": to_json(failed)},
        **to_json(summary),
    }
    write_file(folder / SUMMARY_JSON, json.dumps(document, indent=2, allow_nan=False) + "\n")
    write_file(folder / SUMMARY_CSV, _table(summary))
    write_sweep_report(
        summary,
        page or folder / PAGE,
        folder=folder,
        missing=missing,
        failed={name: (error.reason, error.log) for name, error in failed.items()},
        overwrite=overwrite,
    )
    return summary


def show_evaluations(folder: Path) -> None:
    """Sum up the cells that are done, and show it on the terminal."""
    from tiller.sweep.tables import show_summary

    show_summary(write_summary(folder))
    print(f"Report: {folder / PAGE}")


def _table(summary: SweepSummary) -> str:
    """One line per result, for spreadsheets and data frames."""
    buffer = io.StringIO()
    rows = [_row(result) for result in summary.results]
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _row(result: Result) -> dict[str, Any]:
    return {
        "policy": result.policy,
        "task": result.task,
        "setting": result.setting,
        "perturbation": result.perturbation,
        "severity": result.severity,
        "seeds": result.seeds,
        "episodes": result.episodes,
        "successes": result.successes,
        "success": result.success.estimate,
        "success_low": result.success.low,
        "success_high": result.success.high,
        "score": result.score.estimate,
        "score_low": result.score.low,
        "score_high": result.score.high,
        "score_iqm": result.score_iqm.estimate,
        "cells": " ".join(result.cells),
        "diverged": result.diverged,
    }
