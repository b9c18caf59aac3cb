"""Which rollouts a monitor learns from and which calibrate it, start by start."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from data.learning.split import require_different
from data.store.dataset import Dataset
from data.store.names import NOISE_SEED, SEED, SUCCESS
from data.store.schema import ACTION
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
        InputError: an episode that is there twice, too few successes to calibrate on, or successes or failures alone to
            learn from.
    """
    _require_each_once(data)
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


def _require_each_once(data: Sequence[Dataset]) -> None:
    """Refuse an episode that is there twice: the quantile would take one draw for two."""
    why = "an episode that calibrates counts once"
    require_different(data, why, "Leave one out, or collect more episodes with another seed")
    by_seeds: dict[tuple[str, int, int], list[Place]] = {}
    for number, each in enumerate(data):
        task, seeds = str(each.attributes.get("task", number)), np.asarray(each.meta(SEED.name)).tolist()
        for episode, own in enumerate(zip(seeds, np.asarray(each.meta(NOISE_SEED.name)).tolist())):
            by_seeds.setdefault((task, *own), []).append((number, episode))
    for (_, seed, _), places in by_seeds.items():
        if len(places) == 1:
            continue
        # Under another perturbation the same seeds make another episode.
        rows = [np.asarray(data[number].episode(episode).data[ACTION]) for number, episode in places]
        for second in range(1, len(rows)):
            for first in range(second):
                if rows[first].shape == rows[second].shape and np.allclose(rows[first], rows[second], atol=1e-5):
                    (one, a), (other, b) = places[first], places[second]
                    raise InputError(
                        "data",
                        expected=f"different episodes: {why}",
                        got=f"seed {seed} twice: episode {a} of '{data[one].path}', {b} of '{data[other].path}'",
                        way_out="Collect more episodes with another seed",
                    )
