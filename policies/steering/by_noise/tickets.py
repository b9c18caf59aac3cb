"""The search for a ticket: one noise for every decision, found by rollouts alone.

Successive halving (Karnin, Koren and Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", 2013): all candidates
run from the same few starts, the better half goes on to twice as many, until one is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Callable, Sequence

import numpy as np

from robot.description.ranges import MANY, Range
from robot.errors import InputError

SCALES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Candidate:
    """The two numbers of a `Ticket`."""

    seed: int
    scale: float


ZERO = Candidate(0, 0.0)
"""Zero noise."""

Evaluate = Callable[[Sequence[Candidate], Sequence[int]], np.ndarray]
"""`evaluate(candidates, starts)` -> (candidates, starts) bool: who succeeds from the start of which seed."""


@dataclass(frozen=True)
class Round:
    """One round of halving.

    Args:
        candidates: that ran, the better first.
        success: share of the starts so far from which each succeeded.
        starts: how many those are.
    """

    candidates: tuple[Candidate, ...]
    success: tuple[float, ...]
    starts: int


@dataclass(frozen=True, eq=False)
class Search:
    """What a search has found.

    Args:
        winner: the candidate that was left.
        rounds: how it came about.
        fresh: (starts,) bool, who succeeded of the winner's fresh starts: an unbiased measure.
        zero: (starts,) bool, zero noise on the same ones.
        episodes: that were run in all.
    """

    winner: Candidate
    rounds: tuple[Round, ...]
    fresh: np.ndarray
    zero: np.ndarray
    episodes: int

    @property
    def picked(self) -> tuple[float, int]:
        """The success at which the winner was picked, and of how many starts: the best of many, and so too high."""
        return self.rounds[-1].success[0], self.rounds[-1].starts


def draw_candidates(count: int, seed: int) -> list[Candidate]:
    """Zero noise, and noises at the `SCALES` in turn.

    Args:
        count: of all, zero noise among them.
        seed: of the first; the others count up.

    Raises:
        InputError: fewer than 2, or a seed that is none.
    """
    count = Range(2, MANY).read(int, count, "candidates of a search")
    seed = Range(0, 2**31 - count).read(int, seed, "seed of the candidates")
    return [ZERO, *(Candidate(seed + number, SCALES[number % len(SCALES)]) for number in range(count - 1))]


def search(
    evaluate: Evaluate,
    candidates: Sequence[Candidate],
    starts: Sequence[int],
    fresh: Sequence[int],
    first: int = 8,
    on_round: Callable[[Round], None] = lambda round: None,
) -> Search:
    """Halve the candidates until one is left, and measure that one on fresh starts.

    Candidates are compared on the same starts, and those that they ran from before count on; of equal ones the first in
    the list is kept.

    Args:
        evaluate: runs episodes.
        candidates: zero noise among them.
        starts: seeds of starts to choose on, as many as the last round needs: first * 2^(rounds - 1).
        fresh: seeds of starts to measure on, none of which was chosen on.
        first: starts of the first round.
        on_round: called with each round when it is done.

    Raises:
        InputError: candidates without zero noise or twice the same, too few starts, one of them twice, fresh ones that
            are not, or an `evaluate` that returns anything but 0 or 1 for each candidate and start.
    """
    first = Range(1, MANY).read(int, first, "starts of the first round")
    most = first * 2 ** (max(len(candidates) - 1, 1).bit_length() - 1)
    if ZERO not in candidates or len(set(candidates)) != len(candidates) or len(candidates) < 2:
        raise InputError("candidates of a search", expected="two or more, zero noise among them, each once")
    if len(starts) < most:
        raise InputError("starts of a search", expected=f"{most} or more", got=str(len(starts)))
    for name, given in (("starts of a search", starts), ("fresh starts", fresh)):
        if len(set(given)) < len(given):
            raise InputError(name, expected="each once", got=f"{len(given)}, of which {len(set(given))} differ")
    if shared := set(starts) & set(fresh):
        raise InputError("fresh starts", expected="starts that nothing is chosen on", got=f"{min(shared)} among both")
    alive, results = list(candidates), {each: np.zeros(0, bool) for each in candidates}
    rounds: list[Round] = []
    episodes = done = 0
    while len(alive) > 1:
        until = first * 2 ** len(rounds)
        for each, row in zip(alive, _success(evaluate, alive, starts[done:until])):
            results[each] = np.concatenate([results[each], row])
        episodes, done = episodes + len(alive) * (until - done), until
        alive.sort(key=lambda each: -results[each].mean())
        rounds.append(Round(tuple(alive), tuple(float(results[each].mean()) for each in alive), until))
        on_round(rounds[-1])
        alive = alive[: (len(alive) + 1) // 2]
    finalists = list(dict.fromkeys([alive[0], ZERO]))
    measured = _success(evaluate, finalists, fresh)
    return Search(alive[0], tuple(rounds), measured[0], measured[-1], episodes + measured.size)


def _success(evaluate: Evaluate, candidates: Sequence[Candidate], starts: Sequence[int]) -> np.ndarray:
    """Who succeeds from which start, (candidates, starts) bool.

    Raises:
        InputError: `evaluate` says anything else.
    """
    returned, shape = evaluate(candidates, starts), (len(candidates), len(starts))
    what = "what `evaluate` returns"
    try:
        success = np.asarray(returned)
    except ValueError:
        raise InputError(what, expected=f"0 or 1, of shape {shape}", got="rows of different lengths") from None
    if success.shape != shape:
        raise InputError(what, expected=f"0 or 1, of shape {shape}", got=f"shape {success.shape}")
    for value in success.flat:
        if not isinstance(value, (bool, np.bool_, Real)) or value not in (0, 1):
            raise InputError(what, expected="0 or 1 for each candidate and start", got=repr(value))
    return success.astype(bool)
