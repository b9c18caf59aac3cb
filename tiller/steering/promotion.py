"""A candidate meets the best rung so far on fresh starts, in pairs, until the sequential test says which is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.statistics.sequential import BETTER, OPEN, PairedTest, Pairs, State
from tiller.steering.bench import Bench
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from sim.statistics.comparison import Comparison
    from sim.statistics.records import EpisodeRecord

LEAST, MOST = 16, 64
"""Pairs of a batch: few while a large gain may show, more as there are more already."""
OUT_OF_TIME = "out of time"


@dataclass(frozen=True, eq=False)
class Promotion:
    """What came of a meeting.

    Args:
        candidate, best: that met.
        state: of the test in the end.
        verdict: of the test, or `OUT_OF_TIME`.
        comparison: of all pairs.
        first_seed: of the starts.
    """

    candidate: Rung
    best: Rung
    state: State
    verdict: str
    comparison: Comparison | None
    first_seed: int

    @property
    def is_preferred(self) -> bool:
        return self.verdict == BETTER

    @property
    def line(self) -> str:
        """For people."""
        pairs, needs = self.state.pairs, self.state.needs
        shown = f"{self.candidate.name} against {self.best.name}: {self.verdict} after {pairs.count} pairs"
        shown += f" ({pairs.only_new} won, {pairs.only_old} lost)"
        return shown if self.is_preferred else f"{shown}; {needs_text(needs)}"


def needs_text(needs: int | None) -> str:
    """How many pairs are missing, in words."""
    return "more pairs at these rates would not decide it" if needs is None else f"needs {needs} more"


def promote(bench: Bench, test: PairedTest, best: Rung, candidate: Rung, where: str) -> Promotion:
    """Let a candidate meet the best rung; every batch of episodes is kept as it ends.

    Args:
        bench: to run them on.
        test: that decides.
        best, candidate: the rungs.
        where: name of the evaluations' folder.
    """
    first, pairs = bench.fresh(test.most), Pairs()
    old: list[EpisodeRecord] = []
    new: list[EpisodeRecord] = []
    state = test.state(pairs)
    while state.verdict == OPEN:
        names = [f"{where}/{side}-{pairs.count}" for side in ("best", "candidate")]
        if bench.deadline.over and not all(map(bench.is_done, names)):
            break
        count = min(batch_of(pairs.count), test.most - pairs.count)
        bench.standing = needs_text(state.needs) if pairs.count else ""
        for rung, name, records in zip((best, candidate), names, (old, new)):
            records += bench.evaluate(rung, first + pairs.count, count, name).records
        pairs = counted(old, new)
        state = test.state(pairs)
    bench.standing = ""
    return Promotion(
        candidate, best, state, OUT_OF_TIME if state.verdict == OPEN else state.verdict, _compare(old, new), first
    )


def batch_of(done: int) -> int:
    """Pairs of the next batch after so many."""
    return max(LEAST, min(MOST, done // 2 // LEAST * LEAST))


def counted(old: list[EpisodeRecord], new: list[EpisodeRecord]) -> Pairs:
    """The pairs of as many episodes of the same seeds, in the same order."""
    won = [(one.success, two.success) for one, two in zip(old, new)]
    return Pairs(*(won.count(each) for each in ((True, True), (True, False), (False, True), (False, False))))


def _compare(old: list[EpisodeRecord], new: list[EpisodeRecord]) -> Comparison | None:
    from sim.statistics.comparison import compare_records

    return compare_records(old, new) if old else None
