"""The variance of success between the chunks of one state, and what a perfect choice of one would give."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator

from robot.errors import TillerError
from robot.files import write_file
from sim.evaluation.continuations import Acting, Size, State, outcomes_of, reached, read_lines, state_of
from sim.evaluation.continuations import measure as continue_states
from sim.statistics.intervals import Interval
from sim.statistics.nested import mended, nested_variance
from tiller.diagnosis.figures import ChunksFigures
from tiller.diagnosis.subject import BATCH, CHUNK_SEEDS, Subject

FOLDER, STATES, PLAN = "chunks", "states.jsonl", "starts.json"
SIZE = Size(starts=6, decisions=(0, 1), chunks=6, continuations=6)
"""Of the first call; the second one has as many starts as the time allows."""
MOST = 96
"""Starts."""
NORMAL_BEST = 1.766
"""The mean of the largest of 16 standard normal numbers."""


def acting_of(subject: Subject) -> Acting:
    """As the continuations take it."""
    return Acting(subject.policy, subject.task, subject.task_options, batch=BATCH)


def size_of(subject: Subject, starts: int) -> Size:
    """The size of so many starts."""
    return replace(SIZE, starts=starts, first_seed=subject.options.seed + CHUNK_SEEDS)


def measure(subject: Subject, budget_s: float, folder: Path) -> ChunksFigures:
    """Continue the states of a few starts, and of as many more as the time allows. How many is settled by the time that
    the first ones took, and then kept to: were it cut off, states that end early would count more than those that end
    late.

    Raises:
        TillerError: hardly an episode lasts until a decision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / PLAN
    if not plan.exists():
        began = time.monotonic()
        _continue(subject, SIZE.starts, folder)
        spare = budget_s / (time.monotonic() - began) - 1
        write_file(plan, json.dumps(min(SIZE.starts + max(int(spare * SIZE.starts), 0), MOST)))
    starts = json.loads(plan.read_text())
    if starts > SIZE.starts:
        _continue(subject, starts, folder)
    lines = read_lines(folder / STATES)
    if len({line["start"] for line in lines}) < 2:
        raise TillerError("episodes end before their first decision has passed")
    return figures_of(lines)


def _continue(subject: Subject, starts: int, folder: Path) -> None:
    from policies.steering.by_noise.medoid import medoids
    from tiller.runs.progress import Counter

    total = starts * len(SIZE.decisions)
    with Counter(f"states on {subject.task} continued", total) as counter:
        size, file = size_of(subject, starts), folder / STATES
        continue_states(acting_of(subject), size, file, medoids, lambda line, left: counter.show(total - left))


def states_of(subject: Subject, folder: Path) -> Iterator[tuple[State, dict[str, Any]]]:
    """Every state again, with its chunks, and its line.

    Args:
        folder: of this measure.
    """
    from policies.steering.by_noise.medoid import medoids

    lines = {(line["start"], line["decision"]): line for line in read_lines(folder / STATES)}
    acting, size = acting_of(subject), size_of(subject, json.loads((folder / PLAN).read_text()))
    for record in reached(acting, size)[0]:
        line = lines.get((record.order.seed, record.request.number))
        if line is not None:
            yield state_of(acting, size, record, medoids), line


def figures_of(lines: list[dict[str, Any]]) -> ChunksFigures:
    """The figures of the lines of all states."""
    outcomes = outcomes_of(lines, SIZE.continuations)
    all_states = nested_variance(outcomes)
    by_decision: dict[str, Interval] = {}
    for decision in SIZE.decisions:
        some = [line for line in lines if line["decision"] == decision]
        if len({line["start"] for line in some}) > 1:
            by_decision[str(decision)] = nested_variance(outcomes_of(some, SIZE.continuations)).between_chunks
    between = all_states.between_chunks
    best = (NORMAL_BEST * max(value, 0.0) ** 0.5 for value in (between.estimate, between.low, between.high))
    return ChunksFigures(
        all_states.mean,
        between,
        all_states.within,
        all_states.between_states,
        all_states.share,
        all_states.gain,
        all_states.zero,
        all_states.chosen_over_zero,
        Interval(*best),
        mended(outcomes),
        by_decision,
        len({line["start"] for line in lines}),
        len(lines),
        sum(line["steps"] for line in lines),
    )
