"""How good a critic is: its figures in words, its calibration as a table and a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from policies.critics.names import ENOUGH_STATES
from robot.files import write_table

if TYPE_CHECKING:
    from policies.critics.judgement import Judgement

TABLE, PICTURE = "calibration.csv", "calibration.png"
LARGE_SHARE = 0.2
"""Of the episodes: who holds out as many has too few."""


def summary(judgement: Judgement, held_out: float | None = None) -> str:
    """A few lines for a person.

    Args:
        judgement: of the critic.
        held_out: share of the training episodes that it was judged on; None where it was judged on others.
    """
    lines = [
        f"Judged on {judgement.chunks} chunks of {judgement.episodes} episodes that it never saw:",
        f"  AUC over all chunks         {_shown(judgement.auc)}",
        f"  AUC of first chunks         {judgement.first_auc:.3f}",
    ]
    if judgement.pairs:
        counted = f"{judgement.pairs} pairs of {judgement.states} states"
        lines.append(f"  AUC within one state        {_shown(judgement.within)}, {counted}")
        verdict = "passes" if judgement.passed else "does not pass"
        gate = f"the lower end above {judgement.record['gate']:g}, of {ENOUGH_STATES} states or more"
        lines.append(f"  {verdict} the gate of a critic that chooses: {gate}")
    else:
        lines.append("  AUC within one state        unknown: no group has both a success and a failure")
    if judgement.states < ENOUGH_STATES:
        more = "collect more groups with another seed, for data= or for judge="
        if held_out is not None and held_out < LARGE_SHARE:
            more = f"judge it on more, judge=GROUPS, or hold out more, training.validation.fraction={LARGE_SHARE:g}"
        lines.append(f"  Few states: {more}")
    if len(judgement.bins):
        lines += [
            f"  Brier score                 {judgement.brier:.3f}",
            f"  calibration error           {judgement.calibration_error:.3f}",
        ]
    lines.append(f"  value less return           {judgement.value_less_return:+.3f}")
    return "\n".join(lines)


def write_calibration(judgement: Judgement, folder: Path) -> Path:
    """Write the calibration of a critic as a table, and as a picture: success rate by value, of discounted values the
    mean discounted success.

    Returns:
        Path of the picture.
    """
    from matplotlib.figure import Figure

    names = ("value", "success", "chunks")
    write_table(folder / TABLE, names, (dict(zip(names, map(float, row))) for row in judgement.bins))
    figure = Figure(figsize=(4.4, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, height_ratios=(4, 1), sharex=True)
    value, returned, count = judgement.bins.T
    label = "success rate" if math.isnan(judgement.bound_rate) else "discounted success"
    upper.plot([0, 1], [0, 1], color="0.75", linewidth=1, label="calibrated")
    upper.plot(value, returned, marker="o", markersize=4, label=f"error {judgement.calibration_error:.3f}")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel=label, title=f"AUC {_shown(judgement.auc)}")
    upper.legend(frameon=False, loc="upper left")
    lower.bar(value, count, width=0.06, color="0.6")
    lower.set(xlabel="value of the critic", ylabel="chunks")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / PICTURE, dpi=150)
    return folder / PICTURE


def _shown(estimate: tuple[float, float, float]) -> str:
    return f"{estimate[0]:.3f} [{estimate[1]:.3f}, {estimate[2]:.3f}]"
