"""How much of the world demonstrations show, and how well they do: SACo and TQ.

Schweighofer et al., "A Dataset Perspective on Offline Reinforcement Learning" (CoLLAs 2022):

    SACo(D) = u(D) / u(D_ref)                              u the number of different pairs (s, a)
    TQ(D)   = (g(D) - g(D_min)) / (g(D_max) - g(D_min))    g the mean return of an episode

What is changed. Pairs are continuous: two are one where they are within a radius of each other, a tenth of the root
mean square distance of any two, so that a row with c - 1 others around it counts 1 / c and u is their sum. In place of
a replay buffer of the same task, which nobody has for demonstrations, the reference is as many pairs as there are rows:
1 says that no row is like another one. A copy of an episode adds rows and no pairs. The returns of a random policy and
of an expert are not known either: the least and the most are 0 and 1 where all returns are, else those of the store,
or what the user gives.
"""

from __future__ import annotations

import numpy as np

from data.quality.neighbours import counts_within
from robot.errors import InputError

RADIUS = 0.1


def different_pairs(pairs: np.ndarray, share: np.ndarray, episode: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """1 / c of each row, (n,): c the rows within the radius, itself among them.

    Of a sample each row stands for several: those of other rows within the radius count whole, those around the row
    itself by how far the next row of the sample is.

    Args:
        pairs: (n, D) states and actions side by side.
        share: (n,) rows that each stands for.
        episode: (n,) of each row; rows of one episode follow one another in time.
        reference: (m,) rows that are counted.
    """
    mean = np.average(pairs, axis=0, weights=share)
    radius = RADIUS * float(np.sqrt(2 * np.average(np.square(pairs - mean).sum(axis=1), weights=share)))
    weights = share[reference] * (share.sum() / share[reference].sum())
    around = counts_within(pairs, pairs[reference], weights, radius)
    counted = np.zeros(len(pairs))
    counted[reference] = weights
    steps = np.sqrt(np.square(np.diff(pairs, axis=0)).sum(axis=1))
    steps = np.concatenate([[np.inf], np.where(episode[1:] == episode[:-1], steps, np.inf), [np.inf]])
    next_row = np.minimum(steps[:-1], steps[1:])
    own = 1 + (share - 1) * np.minimum(1, radius / np.maximum(next_row, max(radius, 1e-12)))
    different: np.ndarray = 1 / (own + np.maximum(around - counted, 0))
    return different


def trajectory_quality(
    returns: np.ndarray, least: float | None = None, most: float | None = None
) -> tuple[np.ndarray, tuple[float, float]]:
    """TQ of each episode, (episodes,), whose mean is that of the store; and the returns that are 0 and 1.

    Args:
        returns: (episodes,).
        least, most: returns of the worst and of the best behaviour; None takes 0 and 1 where all returns are, else
            those of the store.

    Raises:
        InputError: the least is not below the most.
    """
    binary = bool(np.isin(returns, (0.0, 1.0)).all())
    low = least if least is not None else 0.0 if binary else float(returns.min())
    high = most if most is not None else 1.0 if binary else float(returns.max())
    if low == high and least is None and most is None:
        return np.ones(len(returns)), (low, high)  # all alike: none is worse than another
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(
            "return_min and return_max",
            expected="finite numbers, the first below the second",
            got=f"{low:g} and {high:g}",
            way_out="The one that is not given is that of the store",
        )
    return np.clip((returns - low) / (high - low), 0, 1), (low, high)
