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
from data.store.names import BRANCHED_AT, GROUP, INSTRUCTION, SUCCESS, has_fact
from robot.description import Critic, PromptSpec, TaskPrompt
from robot.description.prompt import IGNORED
from robot.errors import InputError, TillerError

BINS, RESAMPLES = 10, 2000
AT_ONCE, IMAGES_AT_ONCE = 4096, 64  # windows


@dataclass(frozen=True, eq=False)
class Judgement:
    """How a critic's values stand to what came of the episodes.

    Args:
        chunks, episodes: that were judged.
        auc: over all chunks, and its 95 % interval by a bootstrap over episodes; NaN where all ended alike.
        first_auc: of the first chunk of each episode.
        states: from which successes and failures go on.
        pairs: of a success and a failure that go on from one of them.
        within: share of them that the critic ranks rightly, ties by half, and its interval by a bootstrap over states.
        brier: mean squared difference of value and outcome; NaN of values outside [0, 1], which are no chances.
        calibration_error: mean over chunks of the difference of value and success rate in their bin (ECE); NaN so too.
        bins: per bin its mean value, its success rate and its chunks, (bins, 3).
    """

    chunks: int
    episodes: int
    auc: tuple[float, float, float]
    first_auc: float
    states: int
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
            "states": float(self.states),
            "pairs_within_state": float(self.pairs),
            "brier": self.brier,
            "calibration_error": self.calibration_error,
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}


def judge(critic: Critic, datasets: Sequence[Dataset], episodes: Sequence[np.ndarray], seed: int = 0) -> Judgement:
    """Judge a critic of success on some episodes.

    Args:
        critic: whose values are chances.
        datasets: of the episodes.
        episodes: indices in each dataset; none of them was trained on.
        seed: of the bootstrap.

    Raises:
        InputError: no episodes, a dataset that does not say what came of them, or an unknown instruction.
        TillerError: a value that is no number.
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
        len(pairs),
        int(pairs.sum()) if len(pairs) else 0,
        _interval(_share(concordant, pairs), _shares(concordant, pairs, generator)),
        float(np.square(value - success).mean()) if len(bins) else float("nan"),
        float((np.abs(bins[:, 0] - bins[:, 1]) * bins[:, 2]).sum() / bins[:, 2].sum()) if len(bins) else float("nan"),
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


def _scored(critic: Critic, data: Dataset, chosen: np.ndarray) -> _Scored:
    require_outcomes(data, critic.spec.prompt)
    windows = Windows(data, critic.spec, chosen)
    outcome = np.asarray(data.meta(SUCCESS.name), bool)
    words: Any = data.meta(INSTRUCTION.name) if has_fact(data.schema, INSTRUCTION) else None
    values, of = np.zeros(len(windows)), windows.episode_of
    size = IMAGES_AT_ONCE if any(key.is_image for key in critic.spec.observation) else AT_ONCE
    for start in range(0, len(windows), size):
        rows = np.arange(start, min(start + size, len(windows)))
        batch = windows.gather(rows)
        task = None if words is None else [TaskPrompt(str(words[number])) for number in batch.episode]
        values[rows] = critic.value(batch.observation, batch.action[:, None], task)[:, 0]
    if not np.isfinite(values).all():
        raise TillerError(f"critic: {int((~np.isfinite(values)).sum())} of {len(values)} values are no numbers")
    first = np.r_[True, of[1:] != of[:-1]]
    return _Scored(values, outcome[of], first, of, _states(data, windows, values, outcome))


def require_outcomes(data: Dataset, prompt: PromptSpec) -> None:
    """Refuse episodes that a critic cannot be judged on.

    Raises:
        InputError: they do not say whether they succeeded, or have an instruction that the critic does not know.
    """
    if not has_fact(data.schema, SUCCESS):
        raise InputError(
            f"'{data.path}': fact '{SUCCESS.name}'",
            expected="true or false of every episode",
            got=f"only {', '.join(data.meta_keys) or 'none'}",
        )
    if prompt.use != IGNORED and has_fact(data.schema, INSTRUCTION):
        for word in sorted({str(word) for word in data.meta(INSTRUCTION.name)}):
            prompt.require(TaskPrompt(word))


def _states(data: Dataset, windows: Windows, values: np.ndarray, outcome: np.ndarray) -> list[tuple[float, int]]:
    """Of each state from which successes and failures go on: pairs in order, ties by half, and all pairs."""
    if not has_fact(data.schema, GROUP) or not has_fact(data.schema, BRANCHED_AT):
        return []
    groups, branched = np.asarray(data.meta(GROUP.name)), np.asarray(data.meta(BRANCHED_AT.name))
    # A window each, of the row where an episode leaves the others; one whose row was taken back has none.
    of = windows.episode_of
    there = np.flatnonzero((groups[of] >= 0) & (windows.row_of == branched[of]))
    states = []
    for group in np.unique(groups[of[there]]).tolist():
        members = there[groups[of[there]] == group]
        good, bad = (values[members[outcome[of[members]] == success]] for success in (True, False))
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
    """Mean value, success rate and chunks of each bin of values that has some, (bins, 3); none of values that are no
    chances.
    """
    if value.min() < 0 or value.max() > 1:
        return np.zeros((0, 3))
    of = np.minimum((value * BINS).astype(int), BINS - 1)
    return np.array(
        [[value[of == bin_].mean(), success[of == bin_].mean(), (of == bin_).sum()] for bin_ in np.unique(of)]
    )
