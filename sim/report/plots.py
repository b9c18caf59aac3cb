"""Plots as SVG that takes its colours and its font from the page, so that one file suits light and dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Callable, Sequence

import numpy as np

from sim.report.learning import Curve
from sim.statistics.intervals import Interval
from sim.statistics.records import EpisodeRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib writes these into the SVG; each is replaced by the page's own variable of that name.
INK, MUTED, GRID, GOOD, BAD = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = ("#010111", "#010112", "#010113", "#010114")
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    GOOD: "good",
    BAD: "bad",
    **{colour: f"series-{index + 1}" for index, colour in enumerate(SERIES)},
}


def score_histogram(records: Sequence[EpisodeRecord]) -> str:
    """Episodes by score, successes stacked on failures."""
    scores = [record.score for record in records]
    low, high = min(0.0, *scores), max(1.0, *scores)

    def draw(axes: Axes) -> None:
        _stacked(axes, records, scores, np.linspace(low, high, 21))
        axes.set_xlabel("score")
        axes.set_ylabel("episodes")

    return svg(draw, width=3.5)


def length_histogram(records: Sequence[EpisodeRecord]) -> str:
    """Episodes by length, successes stacked on failures."""
    lengths = [record.length for record in records]

    def draw(axes: Axes) -> None:
        _stacked(axes, records, lengths, np.linspace(0, max(lengths), 21))
        axes.set_xlabel("length (steps)")
        axes.set_ylabel("episodes")

    return svg(draw, width=3.5)


def scores_by_seed(records: Sequence[EpisodeRecord]) -> str:
    """One dot per episode: full for a success, hollow for a failure."""

    def draw(axes: Axes) -> None:
        for success, colour in ((False, BAD), (True, GOOD)):
            some = [record for record in records if record.success == success]
            axes.plot(
                [record.seed for record in some],
                [record.score for record in some],
                "o",
                markersize=4,
                color=colour,
                markerfacecolor=colour if success else "none",
                alpha=0.9,
                clip_on=False,
            )
        axes.set_ylim(min(0.0, *(record.score for record in records)), max(1.0, *(record.score for record in records)))
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
        axes.locator_params(axis="x", integer=True, nbins=4)
        axes.set_xlabel("seed")
        axes.set_ylabel("score")

    return svg(draw, width=3.5)


def intervals(names: Sequence[str], measured: Sequence[Interval], label: str) -> str:
    """One estimate with its interval a line, the first on top."""

    def draw(axes: Axes) -> None:
        rows = np.arange(len(names))
        for row, one in zip(rows, measured):
            colour = SERIES[row % len(SERIES)]
            axes.plot([one.low, one.high], [row, row], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot([one.estimate], [row], "o", color=colour, markersize=7)
        axes.set_yticks(rows, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(label)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(axis="y", visible=False)

    return svg(draw, height=0.8 + 0.4 * len(names))


def learning_curve(title: str, curves: Sequence[Curve]) -> str:
    """Curves over the updates; losses on a logarithmic axis."""

    def draw(axes: Axes) -> None:
        for index, curve in enumerate(curves):
            axes.plot(
                curve.steps,
                curve.values,
                color=SERIES[index % len(SERIES)],
                linewidth=1.4,
                marker="o" if len(curve.steps) < 40 else None,
                markersize=3,
                label=curve.name,
            )
        if title == "loss" and all(min(curve.values) > 0 for curve in curves):
            axes.set_yscale("log")
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("updates")
        axes.set_ylabel(title)
        axes.legend(frameon=False, labelcolor=INK, loc="best")

    return svg(draw)


def _stacked(axes: Axes, records: Sequence[EpisodeRecord], values: Sequence[float], bins: np.ndarray) -> None:
    pairs = list(zip(values, records))
    sides = [[value for value, record in pairs if record.success == success] for success in (False, True)]
    axes.hist(sides, bins=list(bins), stacked=True, color=[BAD, GOOD], rwidth=0.9)
    axes.locator_params(axis="y", integer=True, nbins=5)


def svg(draw: Callable[[Axes], None], width: float = 4.4, height: float = 2.5) -> str:
    """An SVG element, the same for the same data."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "tiller",
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.edgecolor": GRID,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
    }
    with rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Without a size of its own it fills the width that the page gives it.
    text = re.sub(r"<svg[^>]*>", lambda tag: re.sub(r' (width|height)="[^"]*"', "", tag[0]), text, count=1)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    return text
