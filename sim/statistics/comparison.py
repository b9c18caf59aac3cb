"""Two policies on the same seeds, episode by episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from robot.errors import InputError
from sim.statistics.intervals import Interval, mcnemar, paired_difference
from sim.statistics.records import EpisodeRecord, Evaluation


@dataclass(frozen=True)
class Comparison:
    """Comparison of a second policy with a first one. Differences are second minus first.

    Args:
        pairs: episodes compared.
        success, score: mean difference with its paired bootstrap interval.
        both, only_first, only_second, neither: pairs by who succeeded.
        p_value: exact McNemar test that both succeed equally often.
    """

    pairs: int
    success: Interval
    score: Interval
    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two evaluations pair by pair.

    Raises:
        InputError: they are not of the same task, options and seeds; what differs is shown.
    """
    for what in ("task", "options"):
        ours, theirs = getattr(first, what), getattr(second, what)
        if ours != theirs:
            raise InputError(f"comparison: {what}", expected="the same on both sides", got=f"{ours} and {theirs}")
    seeds, others = ([record.seed for record in side.records] for side in (first, second))
    if seeds != others:
        raise InputError(
            "comparison: seeds",
            expected="the same on both sides",
            got=_unshared(seeds, others),
            way_out="Evaluate both with the same seed and episodes",
        )
    return compare_records(first.records, second.records)


def compare_records(first: Sequence[EpisodeRecord], second: Sequence[EpisodeRecord]) -> Comparison:
    """Compare as many episodes of the same seeds, in the same order."""
    wins = [(one.success, two.success) for one, two in zip(first, second)]
    only_first, only_second = wins.count((True, False)), wins.count((False, True))
    return Comparison(
        pairs=len(wins),
        success=paired_difference([one for one, _ in wins], [two for _, two in wins]),
        score=paired_difference([one.score for one in first], [two.score for two in second]),
        both=wins.count((True, True)),
        only_first=only_first,
        only_second=only_second,
        neither=wins.count((False, False)),
        p_value=mcnemar(only_first, only_second),
    )


def _unshared(first: list[int], second: list[int]) -> str:
    left, right = sorted(set(first) - set(second)), sorted(set(second) - set(first))
    parts = [
        f"{len(seeds)} only in the {name} ({seeds[0]} .. {seeds[-1]})"
        for name, seeds in (("first", left), ("second", right))
        if seeds
    ]
    return "; ".join(parts) or "another order"
