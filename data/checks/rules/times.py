"""What is wrong with the times of a store: rows and samples that do not follow one another, gaps, and drift."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.spans import Spans
from data.checks.scan import readable_integers
from data.store import layout
from data.store.consistency import Borders
from data.store.names import TIME

_STEPS_OF_RATE = 10  # steps of an episode, fewer of which say nothing of its rate


def judge_row_times(judgement: Judgement, borders: Borders) -> None:
    """Judge the time stamps of rows: those that do not increase, gaps, a rate that is not the period's."""
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
    if judgement.thresholds is None:
        return
    period_ns = contents.schema.period_s * 1e9
    for number, first, end, good in _steps_of(judgement.spans, steps, within):
        _judge_gaps(judgement, path, number, first, np.where(good, steps[first:end], 0), period_ns)
        median = float(np.median(steps[first:end][good])) if good.sum() >= _STEPS_OF_RATE else period_ns
        if abs(median / period_ns - 1) > judgement.thresholds.rate:
            judgement.suspect(
                "rate",
                path,
                f"rows come every {median / 1e9:.4g} s, the control period on record is {period_ns / 1e9:.4g} s",
                episode=number,
                row=first,
            )


def judge_stream_times(judgement: Judgement, name: str, borders: Borders) -> None:
    """Judge the time stamps of samples: they must not decrease within an episode, have no gaps, and span its rows."""
    _, path, _ = layout.stream_paths(name)
    time_ns, known = readable_integers(judgement.contents, path, borders.entries)
    samples = np.arange(1, len(time_ns))
    within = known[1:] & known[:-1] & ~np.isin(samples, borders.starts[borders.known])
    back = samples[within & (time_ns[1:] < time_ns[:-1])]
    if len(back):
        judgement.blame_used(
            path, f"{len(back)} stamps are earlier than the one before, the first in sample {back[0]}", borders.of(back)
        )
    if judgement.thresholds is None or judgement.contents.schema is None:
        return
    period_ns = judgement.contents.schema.period_s * 1e9
    steps = np.diff(time_ns.astype(np.float64))
    rows_of = dict(zip(judgement.spans.episodes.tolist(), judgement.spans.starts.tolist()))
    spans = Spans(borders)
    for number, first, end, good in _steps_of(spans, steps, within):
        if number not in rows_of or not good.any():
            continue
        own_ns = max(float(np.median(steps[first:end][good])), period_ns)
        row = rows_of[number]
        _judge_gaps(judgement, path, number, first, np.where(good, steps[first:end], 0), own_ns, row, time_ns)
    _judge_drift(judgement, name, path, spans, time_ns, known, steps)


def _steps_of(spans: Spans, steps: np.ndarray, within: np.ndarray) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """(episode, its first entry, the entry after its last step, which of its steps are between readable stamps)."""
    for number, first, end in zip(spans.episodes.tolist(), spans.starts.tolist(), spans.ends.tolist()):
        if end - first > 1:
            yield number, first, end - 1, within[first : end - 1]


def _judge_gaps(
    judgement: Judgement,
    path: str,
    number: int,
    first: int,
    steps: np.ndarray,
    period_ns: float,
    first_row: int | None = None,
    time_ns: np.ndarray | None = None,
) -> None:
    """Judge the steps between the stamps of an episode's entries, (n,) ns, 0 where they are not known.

    Of samples the episode's first row and the stamps of all samples are given.
    """
    assert judgement.thresholds is not None
    many = judgement.thresholds.gap_periods
    gaps = np.flatnonzero(steps > many * period_ns)
    if not len(gaps):
        return
    worst = int(gaps[np.argmax(steps[gaps])])
    of_rows = first_row is None or time_ns is None
    second = None
    if first_row is not None and time_ns is not None and (start := judgement.stamp(first_row)) is not None:
        second = (int(time_ns[first + worst + 1]) - start) / 1e9
    judgement.suspect(
        "gap",
        path,
        f"{len(gaps)} {'rows' if of_rows else 'samples'} came more than {many:g} periods after the one before, the "
        f"worst {steps[worst] / 1e9:.3f} s, in {'row' if of_rows else 'sample'} {first + worst + 1}",
        episode=number,
        row=first + worst + 1 if first_row is None else first_row,
        second=second,
    )


def _judge_drift(
    judgement: Judgement,
    name: str,
    path: str,
    spans: Spans,
    time_ns: np.ndarray,
    known: np.ndarray,
    steps: np.ndarray,
) -> None:
    """Judge where the samples of a stream begin and end beside the rows of their episode.

    A stream may begin earlier and go on longer, as a recorder keeps what it has; it may not begin later or end
    earlier, and what it lasts longer than the rows may not grow from the start to the end of the episode.
    """
    limits, contents = judgement.thresholds, judgement.contents
    assert limits is not None and contents.schema is not None
    row_path, period_s = layout.row_path(TIME.name), contents.schema.period_s
    if row_path not in contents.stored:
        return
    row_ns, row_known = readable_integers(contents, row_path, contents.rows)
    samples = {number: (first, end) for number, first, end in zip(spans.episodes, spans.starts, spans.ends)}
    rows = judgement.spans
    for number, start, stop in zip(rows.episodes.tolist(), rows.starts.tolist(), rows.ends.tolist()):
        if number not in samples:
            judgement.suspect("drift", path, f"'{name}' has no samples", episode=number, row=start)
            continue
        first, end = samples[number]
        if not (known[first] and known[end - 1] and row_known[start] and row_known[stop - 1]):
            continue
        own_s = float(np.median(steps[first : end - 1])) / 1e9 if end - first > 1 else period_s
        most = limits.drift_periods * max(period_s, own_s)
        late = (float(time_ns[first]) - float(row_ns[start])) / 1e9
        over = (float(time_ns[end - 1]) - float(row_ns[stop - 1])) / 1e9
        if late > most or over < -most or over + min(late, 0.0) > most:
            lasts = (float(time_ns[end - 1]) - float(time_ns[first])) / 1e9
            judgement.suspect(
                "drift",
                path,
                f"its {end - first} samples last {lasts:.3f} s and the rows "
                f"{(float(row_ns[stop - 1]) - float(row_ns[start])) / 1e9:.3f} s: they begin {_beside(late)} the first "
                f"row and end {_beside(over)} the last one",
                episode=number,
                row=start if late > most else stop - 1,
            )


def _beside(seconds: float) -> str:
    return f"{abs(seconds):.3f} s {'after' if seconds > 0 else 'before'}"
