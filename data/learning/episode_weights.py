"""Weights of episodes by what came of them.

Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory Weighting" (ICLR 2023): with the
return G of an episode, and V(s_0) what is to be expected from its start,

    return-weighted     w = exp(G / T)
    advantage-weighted  w = exp((G - V(s_0)) / T)
    top                 w = 1 for the best share of episodes, 0 for the others

G and G - V are scaled to a range of 1 first. Every window has the weight of its episode, so a long one counts more.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

import numpy as np

from data.store.dataset import Dataset
from data.store.names import GROUP, REWARD, SUCCESS, has_column
from robot.errors import InputError, nearest

RIDGE = 1e-3
"""Of the regression of returns on starts, whose inputs have unit deviation."""


def episode_returns(dataset: Dataset) -> np.ndarray:
    """The return G of every episode, (episodes,) float64: the sum of its recorded rewards, else 1 of a success.

    Raises:
        InputError: neither is recorded, or a reward is not finite.
    """
    if has_column(dataset.schema, REWARD):
        reward = np.asarray(dataset.read(REWARD.name, 0, dataset.rows), np.float64)
        if not np.isfinite(reward).all():
            raise InputError(f"'{dataset.path}': rewards", expected="finite numbers", got="NaN or infinity")
        until = np.concatenate([[0.0], np.cumsum(reward)])
        ends = np.asarray(dataset.episode_ends)
        return until[ends] - until[np.concatenate([[0], ends[:-1]])]
    if SUCCESS.name in dataset.meta_keys:
        return np.asarray(dataset.meta(SUCCESS.name), np.float64)
    raise InputError(
        f"'{dataset.path}': returns",
        expected=f"a column '{REWARD.name}', or a fact '{SUCCESS.name}' of each episode",
        got="neither",
        way_out="Convert the demonstrations with one of them, or leave training.order out",
    )


def expected_returns(returns: np.ndarray, groups: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """V(s_0), (episodes,): what each episode was to earn, judged by the others alone.

    Of a group, which has one start, it is the mean of the other members. Of an episode alone it is a ridge regression
    on what was seen first, without the episode itself: y - r / (1 - h) with its residual r and leverage h (Allen 1974).

    Args:
        returns: (episodes,).
        groups: (episodes,) number of the group; -1 for none.
        starts: (episodes, numbers) what was seen first.
    """
    expected = np.empty(len(returns))
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero(groups == group)
        others = len(members) - 1
        expected[members] = (returns[members].sum() - returns[members]) / others if others else returns[members]
    alone = np.flatnonzero(groups < 0)
    if len(alone):
        inputs, gain = starts[alone], returns[alone]
        moved = inputs - inputs.mean(axis=0)
        deviation = moved.std(axis=0)
        scaled = moved[:, deviation > 1e-9] / deviation[deviation > 1e-9]
        design = np.concatenate([np.ones((len(alone), 1)), scaled], axis=1)
        penalty = RIDGE * len(alone) * np.eye(design.shape[1])
        penalty[0, 0] = 1e-9 * len(alone)  # the mean is not pulled to 0
        hat = design @ np.linalg.solve(design.T @ design + penalty, design.T)
        leverage = np.minimum(np.diag(hat), 1 - 1e-6)
        expected[alone] = gain - (gain - hat @ gain) / (1 - leverage)
    return expected


def return_weighted(dataset: Dataset, *, temperature: float = 0.1) -> np.ndarray:
    """exp(G / T)."""
    return _boltzmann(episode_returns(dataset), temperature)


def advantage_weighted(dataset: Dataset, *, temperature: float = 0.1) -> np.ndarray:
    """exp((G - V(s_0)) / T)."""
    returns = episode_returns(dataset)
    groups = np.asarray(dataset.meta(GROUP.name)) if GROUP.name in dataset.meta_keys else np.full(len(returns), -1)
    return _boltzmann(returns - expected_returns(returns, groups, _starts(dataset)), temperature)


def top(dataset: Dataset, *, share: float = 0.1) -> np.ndarray:
    """1 for the best share of episodes and all that are as good as the last of them, 0 for the others."""
    if not 0 < share <= 1:
        raise InputError("training.order: share", expected="above 0, at most 1", got=str(share))
    returns = episode_returns(dataset)
    best = np.sort(returns)[::-1][max(1, round(share * len(returns))) - 1]
    return (returns >= best).astype(np.float64)


def by_fact(dataset: Dataset, *, key: str) -> np.ndarray:
    """A fact of each episode that is its weight."""
    if key not in dataset.meta_keys:
        raise InputError(
            f"'{dataset.path}': fact '{key}'",
            expected=f"one of {', '.join(dataset.meta_keys) or 'none'}",
            way_out=nearest(key, dataset.meta_keys),
        )
    values = np.asarray(dataset.meta(key))
    if values.dtype.kind not in "biuf":
        raise InputError(f"'{dataset.path}': fact '{key}'", expected="numbers", got="words")
    return values.astype(np.float64)


UNIFORM = "uniform"
ORDERS: Mapping[str, Callable[..., np.ndarray] | None] = {
    UNIFORM: None,
    "return_weighted": return_weighted,
    "advantage_weighted": advantage_weighted,
    "top": top,
    "fact": by_fact,
}
"""Name in a configuration -> weights of a dataset's episodes; None weighs all alike."""


def weights_of(dataset: Dataset, order: Mapping[str, Any]) -> np.ndarray | None:
    """The weights (episodes,) of a dataset; None where all windows count alike.

    Args:
        dataset: with what the order looks at.
        order: `name` and its options.

    Raises:
        InputError: no such order or option, or the dataset lacks what it needs.
    """
    options = {key: value for key, value in order.items() if key != "name"}
    name = order.get("name", UNIFORM)
    weigh = ORDERS[name]
    return None if weigh is None else weigh(dataset, **options)


def _boltzmann(gain: np.ndarray, temperature: float) -> np.ndarray:
    if not temperature > 0:
        raise InputError("training.order: temperature", expected="above 0", got=str(temperature))
    spread = float(np.ptp(gain))
    weights: np.ndarray = np.exp((gain - gain.max()) / (spread * temperature)) if spread > 1e-12 else np.ones(len(gain))
    return weights


def _starts(dataset: Dataset) -> np.ndarray:
    """What each episode saw first, (episodes, numbers): its keys that are no images, side by side."""
    assert dataset.schema is not None
    keys = [key.name for key in dataset.schema.observation if not key.is_image]
    starts = np.concatenate([[0], np.asarray(dataset.episode_ends)[:-1]]).tolist()
    rows = [[np.ravel(dataset.read(name, start, start + 1)) for name in keys] for start in starts]
    return np.array([np.concatenate(row) if row else np.zeros(0) for row in rows], np.float64)
