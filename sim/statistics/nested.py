"""Where the variance of success lies: between states, between chunks at one state, or within what follows a chunk.

The design is nested: states are reached from starts, at each state K chunks are drawn, each is executed R times and
followed by R continuations with noise of their own. With X_skr the success (0 or 1) of a continuation, P_sk the
probability of success of a chunk and all means over equal numbers, the estimates are those of the nested analysis of
variance by the method of moments (Searle, Casella and McCulloch, "Variance Components", 1992, section 3.6):

    within          = mean_sk  R / (R - 1) p_sk (1 - p_sk)               E = mean P (1 - P)
    between chunks  = mean_s var_k p_sk - within / R                     E = mean_s Var_k P_sk
    between states  = var_s p_s - mean_s var_k p_sk / K                  E = Var_s mean_k P_sk

`var` is the unbiased one; over states it takes pairs from different starts alone, as those of one start are no
independent draws. The three estimates are unbiased whatever the distribution of P, and so may fall below 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Iterator

import numpy as np

from robot.errors import InputError
from sim.statistics.intervals import RESAMPLES, Interval, bootstrap


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Successes of continuations, state by state.

    Args:
        start: (states,) int, the start that each state was reached from.
        successes: (states, K) of the R continuations of each chunk that was drawn.
        zero: (states,) of the R continuations of the chunk that zero noise gives.
        medoid: (states,) the number of the medoid among the chunks that were drawn.
        continuations: R.

    Raises:
        InputError: fewer than two starts, chunks or continuations, or counts that cannot be.
    """

    start: np.ndarray
    successes: np.ndarray
    zero: np.ndarray
    medoid: np.ndarray
    continuations: int

    def __post_init__(self) -> None:
        chunks = self.successes.shape[1] if self.successes.ndim == 2 else 0
        sizes = {"starts": len(np.unique(self.start)), "chunks": chunks, "continuations": self.continuations}
        for name, size in sizes.items():
            if size < 2:
                raise InputError(f"variance between chunks: {name}", expected="at least 2", got=str(size))
        for name in ("successes", "zero"):
            counts = getattr(self, name)
            if len(counts) != len(self.start) or counts.min() < 0 or counts.max() > self.continuations:
                raise InputError(
                    f"variance between chunks: {name}",
                    expected=f"0 to {self.continuations} at each of {len(self.start)} states",
                    got=f"{counts.min()} to {counts.max()} at {len(counts)}",
                )

    def at(self, chosen: np.ndarray) -> Outcomes:
        """The same of some states alone, chosen (states,) bool."""
        start, successes, zero, medoid = (each[chosen] for each in (self.start, self.successes, self.zero, self.medoid))
        return Outcomes(start, successes, zero, medoid, self.continuations)


@dataclass(frozen=True)
class NestedVariance:
    """Estimates with intervals that draw starts, each with all of its states.

    Args:
        mean: success of the chunks that were drawn.
        between_chunks, within, between_states: parts of its variance.
        share: of the variance at one state, what lies between chunks: between_chunks / (between_chunks + within).
        gain: success of the chunk that is best on half of the continuations, counted on the other half, above `mean`;
            over all ways to halve them.
        zero, medoid: success of the chunk of zero noise, of the medoid, above `mean`.
        chosen_over_zero: `gain` less `zero`.
    """

    mean: Interval
    between_chunks: Interval
    within: Interval
    between_states: Interval
    share: Interval
    gain: Interval
    zero: Interval
    medoid: Interval
    chosen_over_zero: Interval


def nested_variance(outcomes: Outcomes, *, resamples: int = RESAMPLES) -> NestedVariance:
    """The parts of the variance of success, and what choosing would give.

    Args:
        outcomes: of at least two starts.
        resamples: of the bootstrap over starts.
    """
    _, index = np.unique(outcomes.start, return_inverse=True)
    states = _state_features(outcomes)
    starts = {name: np.bincount(index, values) for name, values in states.items()}
    starts["states"] = np.bincount(index).astype(np.float64)
    # Of a start, whose pairs of states are left out:
    starts["paired_states"] = starts["states"] ** 2
    starts["paired_mean"] = starts["mean"] ** 2
    starts["paired_square"] = starts["states"] * starts["square"]
    chunks = outcomes.successes.shape[1]

    def interval(name: str) -> Interval:
        def statistic(drawn: np.ndarray) -> np.ndarray:
            sums = {key: values[drawn.astype(np.int64)].sum(axis=-1) for key, values in starts.items()}
            return _estimates(sums, chunks, outcomes.continuations)[name]

        return bootstrap(np.arange(len(starts["states"])), statistic, resamples=resamples)

    return NestedVariance(**{name: interval(name) for name in NestedVariance.__dataclass_fields__})


def mended(outcomes: Outcomes, *, resamples: int = RESAMPLES) -> Interval:
    """Of failures, the share that another try from the same state would turn into a success:

        mended = E[P (1 - P)] / E[1 - P],    P the chance of success from a state,

    both by moments: a failure and a success are counted over pairs of continuations of different chunks, which are
    independent at one state. 0 where the state decides, 1 - P where luck does; 0 where nothing fails.

    Args:
        outcomes: of at least two starts.
        resamples: of the bootstrap over starts.
    """
    counts, repeats = outcomes.successes, outcomes.continuations
    chunks = counts.shape[1]
    good, bad = counts.sum(axis=1), (repeats - counts).sum(axis=1)
    pairs = (good * bad - (counts * (repeats - counts)).sum(axis=1)) / (chunks * (chunks - 1) * repeats**2)
    _, index = np.unique(outcomes.start, return_inverse=True)
    lucky, failing = np.bincount(index, pairs), np.bincount(index, bad / (chunks * repeats))

    def share(drawn: np.ndarray) -> np.ndarray:
        chosen = drawn.astype(np.int64)
        total = failing[chosen].sum(axis=-1)
        return np.divide(lucky[chosen].sum(axis=-1), total, out=np.zeros_like(total), where=total > 0)

    return bootstrap(np.arange(len(failing)), share, resamples=resamples)


def _state_features(outcomes: Outcomes) -> dict[str, np.ndarray]:
    """What each state adds to the sums that the estimates are made of, name -> (states,)."""
    repeats = outcomes.continuations
    rate = outcomes.successes / repeats
    mean = rate.mean(axis=1)
    return {
        "mean": mean,
        "square": mean**2,
        "spread": rate.var(axis=1, ddof=1),
        "within": (rate * (1 - rate)).mean(axis=1) * repeats / (repeats - 1),
        "chosen": np.array([chosen_success(counts, repeats) for counts in outcomes.successes]),
        "zero": outcomes.zero / repeats,
        "medoid": rate[np.arange(len(rate)), outcomes.medoid],
    }


def _estimates(sums: dict[str, np.ndarray], chunks: int, continuations: int) -> dict[str, np.ndarray]:
    """The estimates from sums over starts, name -> (...,)."""
    states = sums["states"]
    mean, spread, within = (sums[name] / states for name in ("mean", "spread", "within"))
    between = spread - within / continuations
    # Half of the mean square of the difference over pairs of states from different starts.
    pairs = np.maximum(states**2 - sums["paired_states"], 1.0)
    squares = states * sums["square"] - sums["paired_square"]
    products = sums["mean"] ** 2 - sums["paired_mean"]
    at_state = between + within
    return {
        "mean": mean,
        "between_chunks": between,
        "within": within,
        "between_states": (squares - products) / pairs - spread / chunks,
        "share": np.divide(between, at_state, out=np.zeros_like(between), where=at_state > 0),
        "gain": sums["chosen"] / states - mean,
        "zero": sums["zero"] / states - mean,
        "medoid": sums["medoid"] / states - mean,
        "chosen_over_zero": (sums["chosen"] - sums["zero"]) / states,
    }


def chosen_success(successes: np.ndarray, continuations: int) -> float:
    """Success, on the one half of the continuations, of the chunk that is best on the other half: the mean over all
    ways to halve those of each chunk, equal ones as likely each.

    A half has A_k ~ Hypergeometric(R, S_k, h) of the S_k successes of chunk k. That no chunk has more than m, and that
    k is taken of those that have m, is the integral over u in (0, 1) of prod_{j != k} (P(A_j < m) + u P(A_j = m)), as
    1 / (1 + t) is that of u^t: a polynomial, which Gauss and Legendre's rule integrates exactly.

    Args:
        successes: (K,) of each chunk, 0 to `continuations`.
        continuations: R; h = R // 2 of them choose, the others count.
    """
    half = continuations // 2
    equal = np.array([list(_hypergeometric(continuations, int(count), half)) for count in successes])  # (K, half + 1)
    below = np.cumsum(equal, axis=1) - equal
    nodes, weights = np.polynomial.legendre.leggauss(len(successes) // 2 + 1)
    others = below[..., None] + equal[..., None] * (nodes + 1) / 2  # (K, half + 1, nodes)
    total = 0.0
    for chunk, count in enumerate(successes):
        taken = equal[chunk] * (np.delete(others, chunk, axis=0).prod(axis=0) @ (weights / 2))
        total += float(taken @ (count - np.arange(half + 1)))
    return total / (continuations - half)


def _hypergeometric(total: int, good: int, drawn: int) -> Iterator[float]:
    """P(k of the `good` ones are among `drawn` of `total`) for k = 0 .. drawn."""
    for number in range(drawn + 1):
        possible = number <= good and drawn - number <= total - good
        yield comb(good, number) * comb(total - good, drawn - number) / comb(total, drawn) if possible else 0.0
