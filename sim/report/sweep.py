"""The page of a sweep."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Mapping, Sequence

from sim.report import sweep_sections as sections
from sim.report.page import write_page
from sim.statistics.groups import perturbation_text
from sim.statistics.summary import SweepSummary


def write_sweep_report(
    summary: SweepSummary,
    target: Path,
    *,
    folder: Path,
    failed: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    missing: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write one page over all evaluations of a sweep; the page of each one is linked where it is there.

    Args:
        summary: of the sweep.
        target: the page.
        folder: that contains the cells' folders.
        failed: cell -> why in one line, and the last lines of its log.
        missing: cells that have not been run.
        overwrite: replace a file that is no report of ours.

    Returns:
        The path of the page.

    Raises:
        InputError: the target is taken.
    """
    cells = [cell for result in summary.results for cell in result.cells]
    links = {
        cell: os.path.relpath(folder / cell / "report.html", target.parent)
        for cell in cells
        if (folder / cell / "report.html").is_file()
    }
    tasks = list(dict.fromkeys(result.task for result in summary.results))
    episodes = sum(result.episodes for result in summary.results)
    title = f"{_counted(len(summary.policies), 'policy', 'policies')} on {_counted(len(tasks), 'task', 'tasks')}"
    body = [
        f'<h1>{escape(title)}</h1><p class="muted">{escape(folder.resolve().name)} · {len(cells)} runs · '
        f"{episodes} episodes{escape(_under(summary))}</p>",
        sections.failures(failed or {}, missing),
        sections.success(summary),
        sections.aggregates(summary),
        sections.comparisons(summary),
        sections.robustness(summary),
        sections.noise_scales(summary),
        sections.results(summary, links),
        sections.policies(summary),
    ]
    return write_page(target, title, body, overwrite=overwrite)


def _under(summary: SweepSummary) -> str:
    """The perturbation that all results share; empty where they differ or have none."""
    texts = {perturbation_text(result.options) for result in summary.results}
    return f" · all under {texts.pop()}" if len(texts) == 1 and texts != {""} else ""


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
