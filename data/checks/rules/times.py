"""What is wrong with the times of a store: rows and samples that do not follow one another."""

from __future__ import annotations

import numpy as np

from data.checks.blame import Judgement
from data.checks.scan import readable_integers
from data.store import layout
from data.store.consistency import Borders
from data.store.names import TIME

# A row that comes this many periods after the one before means that one is missing or late.
_GAP_PERIODS = 1.5


def judge_row_times(judgement: Judgement, borders: Borders) -> None:
    """Judge the time stamps of rows: those that do not increase, and rows that came late."""
    contents, path = judgement.contents, layout.row_path(TIME.name)
    if path not in contents.stored or contents.schema is None:
        return
    time_ns, known = readable_integers(contents, path, contents.rows)
    before, after = time_ns[:-1], time_ns[1:]  # compared, as their difference may not fit into 64 bits
    steps = after.astype(np.float64) - before
    rows = np.arange(1, len(time_ns))
    within = known[1:] & known[:-1] & ~np.isin(rows, borders.starts[borders.usable])
    back = rows[within & (after <= before)]
    if len(back):
        judgement.blame_used(
            path,
            f"{len(back)} stamps do not come after the one before, the first in row {back[0]}"
            f"{judgement.of_row(back[0])}",
            borders.of(back),
        )
    gaps = rows[within & (steps > _GAP_PERIODS * contents.schema.period_s * 1e9)]
    if len(gaps):
        worst = int(gaps[np.argmax(steps[gaps - 1])])
        judgement.remark(
            "warning",
            path,
            f"{len(gaps)} rows came more than {_GAP_PERIODS} periods after the one "
            f"before, the worst {steps[worst - 1] / 1e9:.3f} s, in row {worst}{judgement.of_row(worst)}",
        )


def judge_stream_times(judgement: Judgement, name: str, borders: Borders) -> None:
    """Judge the time stamps of samples, which must not decrease within an episode."""
    _, path, _ = layout.stream_paths(name)
    time_ns, known = readable_integers(judgement.contents, path, borders.entries)
    samples = np.arange(1, len(time_ns))
    within = known[1:] & known[:-1] & ~np.isin(samples, borders.starts[borders.known])
    back = samples[within & (time_ns[1:] < time_ns[:-1])]
    if len(back):
        judgement.blame_used(
            path, f"{len(back)} stamps are earlier than the one before, the first in sample {back[0]}", borders.of(back)
        )
