"""The quality of a dataset, for people on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.quality.score import MEASURES

if TYPE_CHECKING:
    from data.quality.measure import Quality

FIGURES = {
    "action_divergence": ("action divergence", "0: one action a state, about 1: any"),
    "transition_diversity": ("transition diversity", "0: state and action decide what follows"),
    "saco": ("SACo", "share of the pairs of state and action that no other is like"),
    "tq": ("TQ", "mean return, 0 to 1"),
    "idle": ("idle", "share of the rows"),
    "jerk": ("jerk", "0: straight lines, 3.2: noise"),
    "clipping": ("clipping", "share of the rows"),
    "outliers": ("outliers", "episodes more than 3 deviations off"),
    "start_spread": ("spread of starts", "1 is a key's deviation over all rows"),
    "start_distance": ("nearest other start", "mean"),
    "copies": ("copies", "episodes that have the content of another one"),
}
"""Name of a figure -> what to call it, and how to read it."""
NAMES = {"action_divergence": "actions unlike others'", "idle": "stands still", "jerk": "jerks",
         "clipping": "clipped actions", "length": "long", "outlier": "far from the others"}  # fmt: skip
STANDS_OUT = 1.0
"""Deviations."""
SHOWN = 8


def lines(quality: Quality) -> list[str]:
    """The figures of the whole, the episodes with the lowest scores and why, and the notes."""
    figures, table = quality.figures, quality.episodes
    width = max(len(name) for name, _ in FIGURES.values())
    shown = [f"{quality.path}: {len(table.score)} episodes, {int(table.rows.sum())} rows"]
    for name, (label, reading) in FIGURES.items():
        value = figures[name]
        shown.append(f"  {label:{width}}  {'not known' if value is None else f'{value:.3g}':>9}  {reading}")
    order = np.argsort(table.score, kind="stable")
    shown.append(f"Scores {table.score.min():.3f} to {table.score.max():.3f}, 0.5 is usual; the lowest are of")
    for number in order[:SHOWN].tolist():
        shown.append(f"  episode {number:>5}  {table.score[number]:.3f}  {reasons(quality, number)}".rstrip())
    return [*shown, *quality.notes]


def reasons(quality: Quality, number: int) -> str:
    """Why an episode's score is low, the worst first; empty where nothing stands out."""
    table = quality.episodes
    parts = sorted(((float(table.penalty[name][number]), NAMES[name]) for name in MEASURES), reverse=True)
    words = [f"{name} ({penalty:.1f})" for penalty, name in parts if penalty >= STANDS_OUT]
    if table.quality is not None and table.quality[number] < 1:
        words.insert(0, f"TQ {table.quality[number]:.2f}")
    if table.copies[number] > 1:
        words.append(f"one of {table.copies[number]} copies")
    return ", ".join(words)
