"""Which rollouts a monitor learns from and which calibrate it, start by start."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.names import SEED, SUCCESS
from policies.recipe.monitor import DISAGREEMENT, FEATURES_SCORE, MonitorRecipe
from robot.errors import InputError
from robot.monitoring.band import require_enough

Place = tuple[int, int]
"""Number of a dataset, and of an episode in it."""


def split_starts(data: Sequence[Dataset], recipe: MonitorRecipe) -> tuple[Mapping[Place, int], Mapping[Place, bool]]:
    """The start of each episode, and whether it calibrates: all episodes of a start do the same.

    Returns:
        (dataset, episode) -> number of its start: the task and the seed of its reset; and -> whether it calibrates.
    """
    keys = {
        (number, episode): (str(each.attributes.get("task", number)), int(seed))
        for number, each in enumerate(data)
        for episode, seed in enumerate(np.asarray(each.meta(SEED.name)))
    }
    known = {key: place for place, key in enumerate(sorted(set(keys.values())))}
    order = np.random.default_rng(recipe.seed).permutation(len(known))
    chosen = set(order[: round(recipe.calibration * len(known))].tolist())
    starts = {place: known[key] for place, key in keys.items()}
    return starts, {place: start in chosen for place, start in starts.items()}


def require_outcomes(data: Sequence[Dataset], calibrates: Mapping[Place, bool], recipe: MonitorRecipe) -> None:
    """Refuse episodes that a monitor cannot be made from, before they are decided again.

    Raises:
        InputError: too few successes to calibrate on, or successes or failures alone to learn from.
    """
    success = {
        (number, episode): bool(good)
        for number, each in enumerate(data)
        for episode, good in enumerate(np.asarray(each.meta(SUCCESS.name)))
    }
    require_enough(sum(good and calibrates[place] for place, good in success.items()), recipe.alpha)
    learnt = {good for place, good in success.items() if not calibrates[place]}
    if FEATURES_SCORE in recipe.scores and len(learnt) < 2:
        raise InputError(
            "episodes to learn the odds of failure from",
            expected="successes and failures",
            got="none" if not learnt else "successes alone" if True in learnt else "failures alone",
            way_out="Collect under a perturbation or with fewer steps, so that some fail, or take the score "
            f"{DISAGREEMENT}, which learns from none",
        )
