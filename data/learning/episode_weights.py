"""Weights of episodes by what came of them.

Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory Weighting" (ICLR 2023): with the
return G of an episode, and V(s_0) what is to be expected from its start,

    return-weighted     w = exp(G / T)
    advantage-weighted  w = exp((G - V(s_0)) / T)
    top                 w = 1 for the best share of episodes, 0 for the others

G and G - V are scaled to a range of 1 first. Every window has the weight of its episode, so a long one counts more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Mapping, Protocol

import numpy as np

from data.learning.episode_scores import scores_of
from data.store.dataset import Dataset
from data.store.names import GROUP, REWARD, SUCCESS, has_column, has_fact
from robot.description import from_json
from robot.description.ranges import Range
from robot.errors import InputError, nearest

Temperature = Annotated[float, Range(0, 1e6, above=True)]
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
        ends = np.asarray(dataset.episode_ends)
        return np.add.reduceat(reward, np.concatenate([[0], ends[:-1]]))
    if has_fact(dataset.schema, SUCCESS):
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
        if len(members) > 1:
            expected[members] = (returns[members].sum() - returns[members]) / (len(members) - 1)
    sizes = np.bincount(np.maximum(groups, 0), minlength=1)
    alone = np.flatnonzero((groups < 0) | (sizes[groups] == 1))
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


class Order(Protocol):
    """How often the windows of an episode come; its fields are its options."""

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        """The weights (episodes,) of some episodes, by what came of them alone; None where all count alike."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every window once an epoch."""

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        return None


@dataclass(frozen=True)
class ReturnWeighted:
    """exp(G / T)."""

    temperature: Temperature = 0.1

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        return _boltzmann(episode_returns(dataset)[episodes], self.temperature)


@dataclass(frozen=True)
class AdvantageWeighted:
    """exp((G - V(s_0)) / T)."""

    temperature: Temperature = 0.1

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        returns = episode_returns(dataset)[episodes]
        grouped = has_fact(dataset.schema, GROUP)
        groups = np.asarray(dataset.meta(GROUP.name))[episodes] if grouped else np.full(len(returns), -1)
        return _boltzmann(returns - expected_returns(returns, groups, _starts(dataset, episodes)), self.temperature)


@dataclass(frozen=True)
class Top:
    """1 for the best share of episodes and all that are as good as the last of them, 0 for the others."""

    share: Annotated[float, Range(0, 1, above=True)] = 0.1

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        returns = episode_returns(dataset)[episodes]
        best = np.sort(returns)[::-1][max(1, round(self.share * len(returns))) - 1]
        return (returns >= best).astype(np.float64)


@dataclass(frozen=True)
class ByFact:
    """A fact of each episode that is its weight."""

    key: str

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        if self.key not in dataset.meta_keys:
            raise InputError(
                f"'{dataset.path}': fact '{self.key}'",
                expected=f"one of {', '.join(dataset.meta_keys) or 'none'}",
                way_out=nearest(self.key, dataset.meta_keys),
            )
        values = np.asarray(dataset.meta(self.key))
        if values.dtype.kind not in "biuf":
            raise InputError(f"'{dataset.path}': fact '{self.key}'", expected="numbers", got="words")
        return values.astype(np.float64)[episodes]


@dataclass(frozen=True)
class ByScore:
    """The score of each episode in a file that `tiller data quality` wrote; of several datasets, in several files."""

    file: str | tuple[str, ...]

    def weights(self, dataset: Dataset, episodes: np.ndarray) -> np.ndarray | None:
        files = (self.file,) if isinstance(self.file, str) else tuple(self.file)
        return scores_of(files, dataset.path, dataset.fingerprint, len(dataset))[episodes]


ORDERS: Mapping[str, type[Any]] = {
    "uniform": Uniform,
    "return_weighted": ReturnWeighted,
    "advantage_weighted": AdvantageWeighted,
    "top": Top,
    "fact": ByFact,
    "score": ByScore,
}
"""Name in a configuration -> order."""


def make_order(settings: Mapping[str, Any], where: str = "training.order") -> Order:
    """An order from its name and options.

    Args:
        settings: `name` and its options.
        where: how to name it in an error.

    Raises:
        InputError: no such order or option, one that is missing, or one outside its range.
    """
    name = settings.get("name", "uniform")
    if name not in ORDERS:
        raise InputError(where, expected=f"one of {', '.join(ORDERS)}", got=f"'{name}'", way_out=nearest(name, ORDERS))
    options = {key: value for key, value in settings.items() if key != "name"}
    order: Order = from_json(ORDERS[name], options, where=where)
    return order


def weights_of(dataset: Dataset, order: Order, episodes: np.ndarray | None = None) -> np.ndarray | None:
    """The weights (all episodes,) of a dataset; None where all windows count alike.

    Args:
        dataset: with what the order looks at.
        order: from `make_order`.
        episodes: that are trained on: no other has a say in the weights, and theirs are 0. None takes all.

    Raises:
        InputError: the dataset lacks what the order needs.
    """
    chosen = np.arange(len(dataset)) if episodes is None else episodes
    own = order.weights(dataset, chosen)
    if own is None:
        return None
    weights = np.zeros(len(dataset))
    weights[chosen] = own
    return weights


def _boltzmann(gain: np.ndarray, temperature: float) -> np.ndarray:
    spread = float(np.ptp(gain))
    weights: np.ndarray = np.exp((gain - gain.max()) / (spread * temperature)) if spread > 1e-12 else np.ones(len(gain))
    return weights


def _starts(dataset: Dataset, episodes: np.ndarray) -> np.ndarray:
    """What each episode saw first, (episodes, numbers): its keys that are no images, side by side."""
    assert dataset.schema is not None
    keys = [key.name for key in dataset.schema.observation if not key.is_image]
    starts = np.concatenate([[0], np.asarray(dataset.episode_ends)[:-1]])[episodes].tolist()
    rows = [[np.ravel(dataset.read(name, start, start + 1)) for name in keys] for start in starts]
    return np.array([np.concatenate(row) if row else np.zeros(0) for row in rows], np.float64)
