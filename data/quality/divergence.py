"""Whether demonstrations agree: action divergence and transition diversity, from nearest neighbours.

Belkhale, Cui & Sadigh, "Data Quality in Imitation Learning" (NeurIPS 2023), section 4: of an expert pi_E and the policy
pi_A that is learnt from it, the shift between the states that both visit is bounded (theorem 4.1) by the

    action divergence     D_f(pi_A(. | s), pi_E(. | s))

which for a learner that fits its data is set by how much the expert's own actions differ at one state; and it is eased
by some

    transition diversity  the spread of s' ~ rho(s' | s, a) that the system itself has.

What is changed. States are continuous and none is met twice, so that both are estimated at the k nearest rows of
*other* episodes; copies, and members of a group, which share rows, are no others. Both are variances in place of an
f-divergence and an entropy, for which a few neighbours in dozens of dimensions do not do; they are given as shares of
the variance over all rows, which makes them numbers without unit: 0 where the state (or state and action) decides,
about 1 where it says nothing. Most actions here are absolute targets, which follow the robot; so the part of an action
that is linear in the state is taken out first, or the distance to a neighbour would count as disagreement.
"""

from __future__ import annotations

import numpy as np

from data.quality.neighbours import neighbourhood_means

RIDGE = 1e-6
"""Of the regression of actions on states, whose inputs have unit deviation."""
NOTHING = 1e-4
"""Of an action's deviation: where less is left the state decides it, by a line."""


def action_divergence(
    state: np.ndarray, action: np.ndarray, origin: np.ndarray, reference: np.ndarray, k: int
) -> np.ndarray:
    """Per row, k / (k + 1) |r - mean_k r|^2 / mean |r - mean r|^2 with r the action that is not linear in the state.

    The factor takes out that the mean of k draws varies too.

    Args:
        state: (n, D) scaled.
        action: (n, A) scaled.
        origin: (n,).
        reference: (m,) rows that may be neighbours.
        k: neighbours.

    Returns:
        (n,), NaN where no other origin has a row.
    """
    rest = action - _linear(state, action)
    rest = rest[:, rest.std(axis=0) > NOTHING * np.maximum(action.std(axis=0), 1e-12)]
    # Each component counts alike: that of a gripper would be all, as nothing linear says when it closes.
    rest = rest / np.maximum(rest.std(axis=0), 1e-12)
    return _disagreement(state, rest, origin, reference, k)


def transition_diversity(
    state: np.ndarray, action: np.ndarray, moved: np.ndarray, origin: np.ndarray, reference: np.ndarray, k: int
) -> np.ndarray:
    """Per row, k / (k + 1) |d - mean_k d|^2 / mean |d - mean d|^2 with d = s' - s, of neighbours in state and action.

    Args:
        state, action: (n, D), (n, A) scaled.
        moved: (n, D) d of each row; NaN where there is none.
        origin: (n,).
        reference: (m,) rows that may be neighbours.
        k: neighbours.

    Returns:
        (n,), NaN where there is no next row, or no other origin has one.
    """
    known = np.isfinite(moved).all(axis=1)
    spread = np.full(len(state), np.nan)
    index = np.cumsum(known) - 1
    near = index[reference[known[reference]]]
    spread[known] = _disagreement(pairs(state, action)[known], moved[known], origin[known], near, k)
    return spread


def pairs(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """States and actions side by side, (n, D + A), each of mean square 1 together."""
    parts = [part / max(float(np.sqrt(np.square(part).sum(axis=1).mean())), 1e-12) for part in (state, action)]
    return np.concatenate(parts, axis=1)


def _disagreement(
    rows: np.ndarray, values: np.ndarray, origin: np.ndarray, reference: np.ndarray, k: int
) -> np.ndarray:
    """k / (k + 1) |v - mean_k v|^2 / mean |v - mean v|^2, (n,)."""
    variance = float(np.square(values - values.mean(axis=0)).sum(axis=1).mean()) if values.size else 0.0
    means = neighbourhood_means(rows, origin, rows[reference], origin[reference], values[reference], k)
    off = np.square(values - means).sum(axis=1) if values.size else np.zeros(len(rows))
    return off * k / ((k + 1) * variance) if variance > 1e-20 else np.where(np.isfinite(off), 0.0, np.nan)


def _linear(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """What a ridge regression on the state says of the action, (n, A)."""
    inputs = state - state.mean(axis=0)
    deviation = inputs.std(axis=0)
    inputs = inputs[:, deviation > 1e-9] / deviation[deviation > 1e-9]
    mean = action.mean(axis=0)
    if not inputs.shape[1]:
        return np.broadcast_to(mean, action.shape)
    penalty = RIDGE * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (action - mean))
    fitted: np.ndarray = inputs @ weights + mean
    return fitted
