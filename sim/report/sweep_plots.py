"""Plots of a summary: policies side by side over tasks, over thresholds and over severities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Sequence

import numpy as np

from sim.report.plots import INK, SERIES, svg
from sim.statistics.aggregates import PerformanceProfile
from sim.statistics.intervals import Interval
from sim.statistics.robustness import RobustnessCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""With four colours, 32 policies look different."""


def grouped_intervals(rows: Sequence[str], measured: Mapping[str, Sequence[Interval | None]], label: str) -> str:
    """One estimate with its interval for each policy in each row, the first row on top.

    Args:
        rows: names of the rows, for example tasks.
        measured: policy -> an interval or None for each row.
        label: of the axis.
    """
    height = 1.0 + len(rows) * (0.22 + 0.13 * len(measured)) + 0.2 * len(measured)

    def draw(axes: Axes) -> None:
        positions = np.arange(len(rows), dtype=float)
        offsets = np.linspace(-0.3, 0.3, len(measured)) if len(measured) > 1 else [0.0]
        for number, ((policy, intervals), offset) in enumerate(zip(measured.items(), offsets)):
            known = [(position + offset, one) for position, one in zip(positions, intervals) if one is not None]
            heights = [position for position, _ in known]
            axes.hlines(
                heights,
                [one.low for _, one in known],
                [one.high for _, one in known],
                color=_colour(number),
                linewidth=1.8,
            )
            axes.plot(
                [one.estimate for _, one in known],
                heights,
                _marker(number),
                color=_colour(number),
                markersize=5,
                label=policy,
            )
        axes.set_yticks(positions, rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)
        if len(measured) > 1:
            axes.figure.legend(frameon=False, labelcolor=INK, loc="outside upper left", ncols=1)

    return svg(draw, width=6.4, height=height)


def profiles(measured: Mapping[str, PerformanceProfile]) -> str:
    """Share of episodes that score at least tau, with its band, one line per policy."""

    def draw(axes: Axes) -> None:
        for number, (policy, one) in enumerate(measured.items()):
            axes.fill_between(
                one.thresholds, one.low, one.high, step="pre", color=_colour(number), alpha=0.2, linewidth=0
            )
            axes.step(one.thresholds, one.shares, where="pre", color=_colour(number), linewidth=1.5, label=policy)
        axes.set_xlabel("score of at least")
        axes.set_ylabel("share of episodes")
        axes.set_ylim(-0.02, 1.02)
        axes.legend(frameon=False, labelcolor=INK, loc="best")

    return svg(draw)


def robustness(curves: Mapping[str, RobustnessCurve]) -> str:
    """Success against severity with intervals, one line per policy."""
    points = {name: [(point.severity, point.success) for point in curve.points] for name, curve in curves.items()}
    return success_against("severity", points)


def success_against(what: str, curves: Mapping[str, Sequence[tuple[float, Interval]]]) -> str:
    """Success against a number with intervals, one line per curve: pairs of the number and the rate, in its order."""

    def draw(axes: Axes) -> None:
        ticks = sorted({at for points in curves.values() for at, _ in points})
        apart = 0.008 * (ticks[-1] - ticks[0])  # side by side: intervals at the same number would hide each other
        for number, (name, points) in enumerate(curves.items()):
            rates = [rate for _, rate in points]
            shifted = np.array([at for at, _ in points]) + apart * (number - (len(curves) - 1) / 2)
            axes.vlines(
                shifted,
                [rate.low for rate in rates],
                [rate.high for rate in rates],
                color=_colour(number),
                linewidth=1.4,
            )
            axes.plot(
                shifted,
                [rate.estimate for rate in rates],
                f"{_marker(number)}-",
                color=_colour(number),
                markersize=4.5,
                linewidth=1.4,
                label=name,
            )
        axes.set_xticks(ticks)
        axes.set_xlabel(what)
        axes.set_ylabel("success rate")
        axes.set_ylim(-0.02, 1.02)
        axes.legend(frameon=False, labelcolor=INK, loc="best")

    return svg(draw)


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _marker(number: int) -> str:
    return MARKERS[number // len(SERIES) % len(MARKERS)]
