"""The quality of a dataset on one self-contained page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from data.quality.score import MEASURES
from sim.report import plots
from sim.report.page import write_page
from sim.report.sections import card, figure
from tiller.sheets.quality import FIGURES, NAMES, reasons

if TYPE_CHECKING:
    from data.quality.measure import Quality

HISTOGRAMS = {
    "action_divergence": "action divergence",
    "transition_diversity": "transition diversity",
    "coverage": "pairs that no other is like",
    "idle": "idle share",
    "jerk": "jerk",
    "clipping": "clipped share",
    "outlier": "path, deviations off",
    "start_distance": "distance of the nearest other start",
}
MOST_ROWS = 2000
"""Of the table in the page; quality.csv has all of them."""


def write_quality_page(target: Path, quality: Quality) -> Path:
    """Write the page; an earlier page of ours is replaced.

    Args:
        target: the file.
        quality: of a dataset; its names are anybody's.
    """
    body = [_heading(quality), _scores(quality), _measures(quality), _episodes(quality)]
    return write_page(target, f"{Path(quality.path).name}: quality", body)


def _heading(quality: Quality) -> str:
    cards = []
    for name, (label, reading) in FIGURES.items():
        value = quality.figures[name]
        cards.append(card(label, "–" if value is None else f"{value:.3g}", reading))
    notes = "".join(f"<li>{escape(note)}</li>" for note in quality.notes)
    facts = f"{quality.path} · {len(quality.episodes.score)} episodes · {quality.fingerprint}"
    return (
        f'<h1>Quality of {escape(Path(quality.path).name)}</h1><p class="muted">{escape(facts)}</p>'
        f'<div class="cards">{"".join(cards)}</div><ul class="muted">{notes}</ul>'
    )


def _scores(quality: Quality) -> str:
    table = quality.episodes
    order = np.argsort(table.score, kind="stable")
    means = {name: float(np.mean(np.abs(table.penalty[name]))) for name in MEASURES}

    def by_episode(axes: Any) -> None:
        axes.plot(np.arange(len(table.score)), table.score, "o", color=plots.SERIES[0], markersize=3, clip_on=False)
        axes.set_ylim(0, 1)
        axes.set_xlabel("episode")
        axes.set_ylabel("score")

    def why(axes: Any) -> None:
        worst = order[: max(1, len(order) // 4)]
        heights = [float(np.mean(np.maximum(table.penalty[name][worst], 0))) for name in MEASURES]
        rows = np.arange(len(MEASURES))
        axes.barh(rows, heights, color=plots.BAD, height=0.6)
        axes.set_yticks(rows, [NAMES[name] for name in MEASURES])
        axes.invert_yaxis()
        axes.set_xlabel("mean deviations, worse")
        axes.grid(axis="y", visible=False)

    parts = [_histogram(table.score, "score"), figure(plots.svg(by_episode, width=3.5), "in the order of the dataset")]
    if any(means.values()):
        parts.append(figure(plots.svg(why, width=3.5), "what lowers the lowest quarter of the scores"))
    note = "What training draws by with training.order.name=score; 0.5 is a usual episode."
    return f'<h2>Scores</h2><p class="muted">{note}</p><div class="grid">{"".join(parts)}</div>'


def _measures(quality: Quality) -> str:
    parts = [_histogram(getattr(quality.episodes, name), label) for name, label in HISTOGRAMS.items()]
    parts.insert(0, _histogram(quality.episodes.rows, "length (rows)"))
    if quality.episodes.quality is not None:
        parts.insert(1, _histogram(quality.episodes.quality, "TQ"))
    parts.append(_starts(quality))
    return f'<h2>Measures</h2><div class="grid">{"".join(parts)}</div>'


def _starts(quality: Quality) -> str:
    """The starts in a plane; empty where all are one."""
    if not np.ptp(quality.starts, axis=0).any():
        return ""

    def draw(axes: Any) -> None:
        axes.plot(*quality.starts.T, "o", color=plots.SERIES[0], markersize=3)
        axes.set_xlabel("first main direction of the starts")
        axes.set_ylabel("second")

    return figure(plots.svg(draw, width=3.5), "1 is a key's deviation over all rows")


def _episodes(quality: Quality) -> str:
    table = quality.episodes
    names = ("score", "rows", "action_divergence", "coverage", "idle", "jerk", "clipping", "outlier", "start_distance")
    heads = ("episode", *(name.replace("_", " ") for name in names), "why", "task")
    order = np.argsort(table.score, kind="stable")[:MOST_ROWS]
    rows = []
    for number in order.tolist():
        cells = [_cell(str(number), number)]
        cells += [_cell(f"{getattr(table, name)[number]:.3g}", getattr(table, name)[number]) for name in names]
        rows.append([*cells, _cell(reasons(quality, number)), _cell(quality.tasks[int(table.task[number])])])
    note = f"The {MOST_ROWS} lowest; quality.csv has all." if len(table.score) > MOST_ROWS else "A click sorts."
    return f'<h2>Episodes</h2><p class="muted">{note}</p>{_table(heads, rows)}'


def _cell(shown: str, value: float | None = None) -> str:
    data = "" if value is None or not np.isfinite(value) else f' data-value="{value:.6g}"'
    return f"<td{data}>{escape('' if shown == 'nan' else shown)}</td>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _histogram(values: np.ndarray, label: str) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return ""

    def draw(axes: Any) -> None:
        axes.hist(known, bins=min(30, max(5, len(known) // 4)), color=plots.SERIES[0], rwidth=0.9)
        axes.set_xlabel(label)
        axes.set_ylabel("episodes")
        axes.locator_params(axis="y", integer=True, nbins=5)

    return figure(plots.svg(draw, width=3.5), "")
