"""How good a critic is on episodes that it never saw: does it rank, does it rank within one state, is it calibrated?

AUC is the chance that a chunk of a success has a larger value than one of a failure. Over all chunks it is high where
the start alone decides; within one state, from which the members of a group go on with other chunks, only the chunk
can tell them apart: that is what choosing among a policy's chunks needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Sequence

import numpy as np

from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.names import BRANCHED_AT, GROUP, INSTRUCTION, SUCCESS
from policies.critics.critic import LearntCritic
from robot.description import TaskPrompt
from robot.description.prompt import INSTRUCTION as BY_INSTRUCTION
from robot.errors import InputError

BINS, RESAMPLES, AT_ONCE = 10, 2000, 4096


@dataclass(frozen=True, eq=False)
class Judgement:
    """How a critic's values stand to what came of the episodes.

    Args:
        chunks, episodes: that were judged.
        auc: over all chunks, and its 95 % interval by a bootstrap over episodes; NaN where all ended alike.
        first_auc: of the first chunk of each episode.
        pairs: of a success and a failure that go on from one state.
        within: share of them that the critic ranks rightly, ties by half, and its interval by a bootstrap over states.
        brier: mean squared difference of value and outcome.
        calibration_error: mean over chunks of the difference of value and success rate in their bin (ECE).
        bins: per bin its mean value, its success rate and its chunks, (bins, 3).
    """

    chunks: int
    episodes: int
    auc: tuple[float, float, float]
    first_auc: float
    pairs: int
    within: tuple[float, float, float]
    brier: float
    calibration_error: float
    bins: np.ndarray

    @property
    def figures(self) -> dict[str, float]:
        """The headline figures, those that are numbers."""
        values = {
            "auc": self.auc[0],
            "auc_low": self.auc[1],
            "auc_high": self.auc[2],
            "auc_first": self.first_auc,
            "auc_within_state": self.within[0],
            "auc_within_state_low": self.within[1],
            "auc_within_state_high": self.within[2],
            "pairs_within_state": float(self.pairs),
            "brier": self.brier,
            "calibration_error": self.calibration_error,
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}


def judge(
    critic: LearntCritic, datasets: Sequence[Dataset], episodes: Sequence[np.ndarray], seed: int = 0
) -> Judgement:
    """Judge a critic of success on some episodes.

    Args:
        critic: whose values are chances.
        datasets: of the episodes.
        episodes: indices in each dataset; none of them was trained on.
        seed: of the bootstrap.

    Raises:
        InputError: no episodes, or a dataset that does not say what came of them.
    """
    parts = [_scored(critic, data, chosen) for data, chosen in zip(datasets, episodes) if len(chosen)]
    if not parts:
        raise InputError("critic: episodes to judge it on", expected="at least one", got="none")
    value, success, first = (np.concatenate([getattr(part, name) for part in parts]) for name in _Scored.ROWS)
    offset = np.cumsum([0, *(part.episode.max() + 1 for part in parts)])
    episode = np.concatenate([part.episode + start for part, start in zip(parts, offset)])
    generator, bins = np.random.default_rng(seed), _binned(value, success)
    concordant, pairs = np.array([state for part in parts for state in part.states]).reshape(-1, 2).T
    return Judgement(
        len(value),
        len(np.unique(episode)),
        _interval(auc(value, success), _auc_of_episodes(value, success, episode, generator)),
        auc(value[first], success[first]),
        int(pairs.sum()) if len(pairs) else 0,
        _interval(_share(concordant, pairs), _shares(concordant, pairs, generator)),
        float(np.square(value - success).mean()),
        float((np.abs(bins[:, 0] - bins[:, 1]) * bins[:, 2]).sum() / bins[:, 2].sum()),
        bins,
    )


def auc(value: np.ndarray, success: np.ndarray) -> float:
    """The chance that the value of a success is larger than that of a failure, ties by half (Mann & Whitney 1947).

    Args:
        value, success: (n,).

    Returns:
        NaN where all ended alike.
    """
    good, bad = int(success.sum()), int((~success).sum())
    if not good or not bad:
        return float("nan")
    order = np.argsort(value, kind="stable")
    first = np.r_[True, value[order][1:] != value[order][:-1]]
    starts = np.flatnonzero(first)
    ends = np.r_[starts[1:], len(value)]
    rank = np.empty(len(value))
    rank[order] = ((starts + ends + 1) / 2)[np.cumsum(first) - 1]  # from 1, the mean of those that tie
    return float((rank[success].sum() - good * (good + 1) / 2) / (good * bad))


@dataclass(frozen=True, eq=False)
class _Scored:
    """Of every chunk of a dataset its value, whether its episode succeeded, whether it is the first of it, and the
    episode; and of every state of a group how many pairs are ranked rightly, of how many.
    """

    value: np.ndarray
    success: np.ndarray
    first: np.ndarray
    episode: np.ndarray
    states: list[tuple[float, int]]
    ROWS: ClassVar[tuple[str, ...]] = ("value", "success", "first")


def _scored(critic: LearntCritic, data: Dataset, chosen: np.ndarray) -> _Scored:
    if SUCCESS.name not in data.meta_keys:
        raise InputError(f"'{data.path}': fact '{SUCCESS.name}'", expected="one of every episode", got="none")
    windows = Windows(data, critic.spec, chosen)
    outcome = np.asarray(data.meta(SUCCESS.name), bool)
    words: Any = data.meta(INSTRUCTION.name) if critic.spec.prompt.use == BY_INSTRUCTION else None
    values, of = np.zeros(len(windows)), windows.episode_of
    for start in range(0, len(windows), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(windows)))
        batch = windows.gather(rows)
        task = None if words is None else [TaskPrompt(str(words[number])) for number in batch.episode]
        values[rows] = critic.value(batch.observation, batch.action[:, None], task)[:, 0]
    first = np.r_[True, of[1:] != of[:-1]]
    return _Scored(values, outcome[of], first, of, _states(data, values, of, first, outcome, chosen))


def _states(
    data: Dataset, values: np.ndarray, of: np.ndarray, first: np.ndarray, outcome: np.ndarray, chosen: np.ndarray
) -> list[tuple[float, int]]:
    if GROUP.name not in data.meta_keys:
        return []
    groups, rows = np.asarray(data.meta(GROUP.name)), np.asarray(data.meta(BRANCHED_AT.name))
    start = dict(zip(of[first].tolist(), np.flatnonzero(first).tolist()))
    there = [number for number in np.asarray(chosen).tolist() if groups[number] >= 0 and number in start]
    at = {number: values[start[number] + rows[number]] for number in there}
    states = []
    for group in np.unique(groups[there]).tolist() if there else []:
        members = [number for number in there if groups[number] == group]
        good = np.array([at[number] for number in members if outcome[number]])
        bad = np.array([at[number] for number in members if not outcome[number]])
        if len(good) and len(bad):
            difference = good[:, None] - bad
            states.append((float((difference > 0).sum() + 0.5 * (difference == 0).sum()), difference.size))
    return states


def _auc_of_episodes(
    value: np.ndarray, success: np.ndarray, episode: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    _, counts = np.unique(episode, return_counts=True)
    rows = np.split(np.argsort(episode, kind="stable"), np.cumsum(counts)[:-1])
    drawn = []
    for _ in range(RESAMPLES // 10):
        chosen = np.concatenate([rows[number] for number in generator.integers(len(rows), size=len(rows))])
        drawn.append(auc(value[chosen], success[chosen]))
    return np.array(drawn)


def _shares(concordant: np.ndarray, pairs: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if not len(pairs):
        return np.zeros(0)
    drawn = generator.integers(len(pairs), size=(RESAMPLES, len(pairs)))
    shares: np.ndarray = concordant[drawn].sum(1) / pairs[drawn].sum(1)
    return shares


def _share(concordant: np.ndarray, pairs: np.ndarray) -> float:
    return float(concordant.sum() / pairs.sum()) if len(pairs) else float("nan")


def _interval(estimate: float, drawn: np.ndarray) -> tuple[float, float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return estimate, float("nan"), float("nan")
    low, high = np.quantile(drawn, (0.025, 0.975))
    return estimate, float(low), float(high)


def _binned(value: np.ndarray, success: np.ndarray) -> np.ndarray:
    """Mean value, success rate and chunks of each bin of values that has some, (bins, 3)."""
    of = np.minimum((value * BINS).astype(int), BINS - 1)
    return np.array(
        [[value[of == bin_].mean(), success[of == bin_].mean(), (of == bin_).sum()] for bin_ in np.unique(of)]
    )
