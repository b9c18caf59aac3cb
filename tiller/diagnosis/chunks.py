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
from tiller.diagnosis.subject import CHUNK_SEEDS, Subject

FOLDER = "chunks"
BLOCK = Size(starts=4, decisions=(0, 1), chunks=6, continuations=6, first_seed=0)
"""Measured at once: whole blocks alone are counted, so that what ends early counts no more than what ends late."""
MOST = 24
"""Blocks."""
NORMAL_BEST = 1.766
"""The mean of the largest of 16 standard normal numbers."""


def acting_of(subject: Subject) -> Acting:
    """As the continuations take it."""
    return Acting(subject.policy, subject.task, subject.task_options)


def block(subject: Subject, number: int) -> Size:
    """The starts of one block."""
    return replace(BLOCK, first_seed=subject.options.seed + CHUNK_SEEDS + number * BLOCK.starts)


def measure(subject: Subject, budget_s: float, folder: Path) -> ChunksFigures:
    """Continue blocks of states while there is time for another.

    Raises:
        TillerError: hardly an episode lasts until a decision.
    """
    from policies.steering.medoid import medoids
    from tiller.runs.progress import Counter

    folder.mkdir(parents=True, exist_ok=True)
    file, log = folder / "states.jsonl", folder / "blocks.json"
    blocks: list[float] = json.loads(log.read_text()) if log.exists() else []
    acting = acting_of(subject)
    with Counter(f"continuations on {subject.task}") as counter:
        while not blocks or (sum(blocks) * (1 + 1 / len(blocks)) <= budget_s and len(blocks) < MOST):
            began, number = time.monotonic(), len(blocks)

            def on_state(line: Any, left: int, number: int = number) -> None:
                counter.show(number * BLOCK.starts * 2 + 8 - left, f"block {number + 1}")

            continue_states(acting, block(subject, number), file, medoids, on_state)
            blocks.append(time.monotonic() - began)
            write_file(log, json.dumps(blocks))
    lines = read_lines(file)
    if len({line["start"] for line in lines}) < 2:
        raise TillerError("episodes end before their first decision has passed")
    return figures_of(lines)


def states_of(subject: Subject, folder: Path) -> Iterator[tuple[State, dict[str, Any]]]:
    """Every state again, with its chunks, and its line.

    Args:
        folder: of this measure.
    """
    from policies.steering.medoid import medoids

    lines = {(line["start"], line["decision"]): line for line in read_lines(folder / "states.jsonl")}
    acting, numbers = acting_of(subject), len(json.loads((folder / "blocks.json").read_text()))
    size = replace(block(subject, 0), starts=numbers * BLOCK.starts)
    for record in reached(acting, size)[0]:
        line = lines.get((record.order.seed, record.request.number))
        if line is not None:
            yield state_of(acting, size, record, medoids), line


def figures_of(lines: list[dict[str, Any]]) -> ChunksFigures:
    """The figures of the lines of all states."""
    outcomes = outcomes_of(lines, BLOCK.continuations)
    all_states = nested_variance(outcomes)
    by_decision: dict[str, Interval] = {}
    for decision in BLOCK.decisions:
        some = [line for line in lines if line["decision"] == decision]
        if len({line["start"] for line in some}) > 1:
            by_decision[str(decision)] = nested_variance(outcomes_of(some, BLOCK.continuations)).between_chunks
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
