"""How good a critic is on episodes that it never saw: does it rank, does it rank within one state, is it calibrated?

AUC is the chance that a chunk of a success has a larger value than one of a failure. Over all chunks it is high where
the start alone decides; within one state, from which the members of a group go on with other chunks, only the chunk
can tell them apart: that is what choosing among a policy's chunks needs. The share of these pairs that a critic ranks
rightly is its concordance; it may choose where the lower end of its interval is above the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Hashable, Sequence

import numpy as np

from data.learning.later import success_outcomes
from data.learning.split import starts_of
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.names import BRANCHED_AT, GROUP, INSTRUCTION, SUCCESS, has_fact
from policies.critics.base import BaseChunks
from policies.critics.bootstrapped import Bootstrapped
from policies.critics.names import ENOUGH_STATES, PLAN
from policies.critics.ranking import auc, auc_of_episodes, concordant_pairs, share_of_pairs
from robot.description import Critic, PromptSpec, TaskPrompt
from robot.description.prompt import IGNORED
from robot.errors import InputError, TillerError

BINS = 10
AT_ONCE, IMAGES_AT_ONCE = 4096, 64  # windows
CONCORDANCE = "auc_within_state"
GATE = 0.55
"""What the lower end of the concordance must exceed for a critic to choose among a policy's chunks."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """How a critic's values stand to what came of the episodes.

    Args:
        chunks, episodes: that were judged.
        auc: over all chunks, and its 95 % interval by a bootstrap over episodes; NaN where all ended alike.
        first_auc: of the first chunk of each episode.
        states: from which successes and failures go on.
        pairs: of a success and a failure that go on from one of them.
        within: share of them that the critic ranks rightly, ties by half, and its interval by a bootstrap over starts.
        brier: mean squared difference of value and return; NaN of values outside [0, 1], which are no chances.
        calibration_error: mean over chunks of the difference of value and return in their bin (ECE); NaN so too.
        value_less_return: mean over chunks. The return is what the values are of: success, or discounted success.
        bound_rate: share of the chunks whose value is below their return, of discounted values; NaN of others.
        bins: per bin its mean value, its mean return and its chunks, (bins, 3).
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
    value_less_return: float
    bound_rate: float
    bins: np.ndarray

    @property
    def passed(self) -> bool:
        """Whether the critic may choose: its concordance is above the gate, with its interval, on enough states."""
        return self.states >= ENOUGH_STATES and self.within[1] > GATE

    @property
    def figures(self) -> dict[str, float]:
        """The headline figures, those that are numbers."""
        return {name: value for name, value in self._values.items() if np.isfinite(value)}

    @property
    def record(self) -> dict[str, Any]:
        """The headline figures as plain values, null where they are no numbers, and whether the gate is passed."""
        values = {name: value if np.isfinite(value) else None for name, value in self._values.items()}
        return {"chunks": self.chunks, "episodes": self.episodes, **values, "gate": GATE, "passed": self.passed}

    @property
    def _values(self) -> dict[str, float]:
        return {
            "auc": self.auc[0],
            "auc_low": self.auc[1],
            "auc_high": self.auc[2],
            "auc_first": self.first_auc,
            CONCORDANCE: self.within[0],
            "auc_within_state_low": self.within[1],
            "auc_within_state_high": self.within[2],
            "states": float(self.states),
            "pairs_within_state": float(self.pairs),
            "brier": self.brier,
            "calibration_error": self.calibration_error,
            "value_less_return": self.value_less_return,
            "bound_rate": self.bound_rate,
        }


def judge(
    critic: Critic,
    datasets: Sequence[Dataset],
    episodes: Sequence[np.ndarray],
    seed: int = 0,
    chunks: BaseChunks | None = None,
) -> Judgement:
    """Judge a critic of success on some episodes.

    Args:
        critic: whose values are chances.
        datasets: of the episodes.
        episodes: indices in each dataset; none of them was trained on.
        seed: of the bootstrap.
        chunks: of the critic's base, where it has one.

    Raises:
        InputError: no episodes, a dataset that does not say what came of them, an unknown instruction, or no base for a
            critic that has one.
        TillerError: a value that is no number.
    """
    parts = [_scored(critic, data, chosen, chunks) for data, chosen in zip(datasets, episodes) if len(chosen)]
    if not parts:
        raise InputError("critic: episodes to judge it on", expected="at least one", got="none")
    value, success, first, returned = (np.concatenate([getattr(part, name) for part in parts]) for name in _Scored.ROWS)
    offset = np.cumsum([0, *(part.episode.max() + 1 for part in parts)])
    episode = np.concatenate([part.episode + start for part, start in zip(parts, offset)])
    generator, bins = np.random.default_rng(seed), _binned(value, returned)
    states = [state for part in parts for state in part.states]
    concordant, pairs = np.array([state[:2] for state in states]).reshape(-1, 2).T
    numbers: dict[Hashable, int] = {}
    start = np.array([numbers.setdefault(state[2], len(numbers)) for state in states], int)
    return Judgement(
        len(value),
        len(np.unique(episode)),
        auc_of_episodes(value, success, episode, generator),
        auc(value[first], success[first]),
        len(pairs),
        int(pairs.sum()) if len(pairs) else 0,
        share_of_pairs(concordant, pairs, start, generator),
        float(np.square(value - returned).mean()) if len(bins) else float("nan"),
        float((np.abs(bins[:, 0] - bins[:, 1]) * bins[:, 2]).sum() / bins[:, 2].sum()) if len(bins) else float("nan"),
        float((value - returned).mean()),
        float((value < returned).mean()) if _is_discounted(critic) else float("nan"),
        bins,
    )


@dataclass(frozen=True, eq=False)
class _Scored:
    """Of every chunk of a dataset its value, whether its episode succeeded, whether it is the first of it, its return,
    and the episode; and of every state of a group how many pairs are ranked rightly, of how many, and its start.
    """

    value: np.ndarray
    success: np.ndarray
    first: np.ndarray
    returned: np.ndarray
    episode: np.ndarray
    states: list[tuple[float, int, Hashable]]
    ROWS: ClassVar[tuple[str, ...]] = ("value", "success", "first", "returned")


def _scored(critic: Critic, data: Dataset, chosen: np.ndarray, chunks: BaseChunks | None) -> _Scored:
    require_outcomes(data, critic.spec.prompt)
    windows = Windows(data, critic.spec, chosen, outcomes=success_outcomes(data))
    outcome = np.asarray(data.meta(SUCCESS.name), bool)
    words: Any = data.meta(INSTRUCTION.name) if has_fact(data.schema, INSTRUCTION) else None
    plans = None
    if critic.spec.base is not None:
        if chunks is None or chunks.base.record != critic.spec.base:
            raise InputError(
                "base of the critic to judge",
                expected=f"the policy of hash {critic.spec.base.hash}, under its sampler",
                got="none" if chunks is None else f"one of hash {chunks.base.hash}",
            )
        plans = chunks.of(data, chosen)[PLAN]
    values, of = np.zeros(len(windows)), windows.episode_of
    size = IMAGES_AT_ONCE if any(key.is_image for key in critic.spec.observation) else AT_ONCE
    for start in range(0, len(windows), size):
        rows = np.arange(start, min(start + size, len(windows)))
        batch = windows.gather(rows)
        task = None if words is None else [TaskPrompt(str(words[number])) for number in batch.episode]
        if plans is None:
            values[rows] = critic.value(batch.observation, batch.action[:, None], task)[:, 0]
        else:
            executed = np.where(batch.is_pad[..., None], plans[rows], batch.action)  # as it was trained
            values[rows] = critic.value(batch.observation, executed[:, None], task, plans[rows])[:, 0]
    if not np.isfinite(values).all():
        raise TillerError(f"critic: {int((~np.isfinite(values)).sum())} of {len(values)} values are no numbers")
    first = np.r_[True, of[1:] != of[:-1]]
    returned = outcome[of].astype(np.float64)
    if _is_discounted(critic):
        returned = windows.later(critic.spec.steps, critic.spec.gamma).returned.astype(np.float64)
    return _Scored(values, outcome[of], first, returned, of, _states(data, windows, values, outcome))


def _is_discounted(critic: Critic) -> bool:
    return critic.spec.reward == Bootstrapped.reward


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


def halves(
    datasets: Sequence[Dataset], episodes: Sequence[np.ndarray], seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Episodes to choose a critic by, and episodes to report it on: a start is in one half with all of its episodes.

    The starts from which both successes and failures come are shared out evenly.

    Args:
        datasets: of the episodes.
        episodes: indices in each dataset.
        seed: of the draw.

    Returns:
        Indices in each dataset, twice.
    """
    starts = [starts_of(each) for each in datasets]
    ended: dict[Hashable, set[bool]] = {}
    for data, own, chosen in zip(datasets, starts, episodes):
        success = np.asarray(data.meta(SUCCESS.name), bool)
        for index in chosen.tolist():
            ended.setdefault(own[index], set()).add(bool(success[index]))
    keys = list(ended)
    order = [keys[number] for number in np.random.default_rng([seed, 9]).permutation(len(keys))]
    order.sort(key=lambda start: -len(ended[start]))  # stable: those that ended both ways come first
    selection = set(order[::2])
    inside = [
        np.array([own[index] in selection for index in each.tolist()], bool) for own, each in zip(starts, episodes)
    ]
    return (
        [each[chosen] for each, chosen in zip(episodes, inside)],
        [each[~chosen] for each, chosen in zip(episodes, inside)],
    )


def _states(
    data: Dataset, windows: Windows, values: np.ndarray, outcome: np.ndarray
) -> list[tuple[float, int, Hashable]]:
    """Of each state from which successes and failures go on: pairs in order, ties by half, all pairs, and its start."""
    if not has_fact(data.schema, GROUP) or not has_fact(data.schema, BRANCHED_AT):
        return []
    groups, branched = np.asarray(data.meta(GROUP.name)), np.asarray(data.meta(BRANCHED_AT.name))
    starts = starts_of(data)
    # A window each, of the row where an episode leaves the others; one whose row was taken back has none.
    of = windows.episode_of
    there = np.flatnonzero((groups[of] >= 0) & (windows.row_of == branched[of]))
    states = []
    for group in np.unique(groups[of[there]]).tolist():
        members = there[groups[of[there]] == group]
        good, bad = (values[members[outcome[of[members]] == success]] for success in (True, False))
        if len(good) and len(bad):
            states.append((*concordant_pairs(good, bad), starts[of[members[0]]]))
    return states


def _binned(value: np.ndarray, returned: np.ndarray) -> np.ndarray:
    """Mean value, mean return and chunks of each bin of values that has some, (bins, 3); none of values that are no
    chances.
    """
    if value.min() < 0 or value.max() > 1:
        return np.zeros((0, 3))
    of = np.minimum((value * BINS).astype(int), BINS - 1)
    return np.array(
        [[value[of == bin_].mean(), returned[of == bin_].mean(), (of == bin_).sum()] for bin_ in np.unique(of)]
    )
