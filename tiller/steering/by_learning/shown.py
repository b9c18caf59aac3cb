"""Recorded episodes in a replay, before all others: each row a decision, with what the policy draws there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np

from data.learning.replay.demonstrations import add_episodes
from data.learning.replay.replay import Replay
from data.learning.replay.schema import DEMONSTRATION
from data.store.dataset import Dataset
from robot.description import Policy, Query, decide


@dataclass(frozen=True)
class Shown:
    """How much of a replay was shown by others.

    Args:
        decisions, episodes: the first ones of it.
    """

    decisions: int
    episodes: int


def add_shown(replay: Replay, paths: Sequence[str], acting: Policy) -> None:
    """Add the episodes of datasets to a replay that is empty, and commit them.

    Args:
        replay: of the decisions of a policy.
        paths: of the datasets.
        acting: the policy, whose first candidate is what it draws.
    """

    def draw(window: Mapping[str, np.ndarray], seeds: np.ndarray) -> np.ndarray:
        candidates = decide(acting, Query(window, seeds=seeds.tolist())).candidates
        assert candidates is not None
        return candidates[:, 0]

    for path in paths:
        with Dataset.open(path) as dataset:
            add_episodes(replay, dataset, acting.spec, draw=draw, of_success=True)
    replay.commit()


def shown_in(replay: Replay) -> Shown:
    """How much of a replay was shown."""
    shown = replay.column("version") == DEMONSTRATION
    episodes = int(replay.column("episode")[shown].max()) + 1 if shown.any() else 0
    return Shown(int(shown.sum()), episodes)
