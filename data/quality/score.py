"""One number an episode, which a training draws its windows by.

    score = 1 / copies  *  (0.1 + 0.9 TQ)  *  sigmoid(-2 mean_m z_m)

z_m says by how many deviations an episode is worse than the usual one of its task in measure m, by median and median
absolute deviation, from -2 to 4; a measure that is not known counts 0. Where nothing stands out each factor is the same
for all: a score is a share of what is drawn, not a grade, and 0.5 is a usual episode.

Measures are action divergence, standing still, jerk, actions at their limits, the path's distance where it is beyond
two deviations, and the length: by theorem 4.1 of Belkhale et al. errors add up over the horizon H, and their slowest
demonstrations, which disagreed least, were learnt worst. Transition diversity, SACo and starts are no part of it: they
are of the system and of the whole set, and more of them is not always better.
"""

from __future__ import annotations

from typing import Mapping

import numpy as np

from data.quality.paths import NORMAL

LEAST = {"action_divergence": 0.02, "idle": 0.02, "jerk": 0.02, "clipping": 0.02, "length": 0.1}
"""The smallest deviation of a measure that is a difference; a tenth of its median, where that is more."""
MEASURES = (*LEAST, "outlier")
BOUNDS = (-2.0, 4.0)
OUTLIER_FROM = 2.0
GAIN = 2.0
FAILED = 0.1
"""Of a success is what a failure counts."""
LEAST_IN_A_TASK = 5
"""Episodes of a task that have a usual value of their own; those of smaller tasks are measured by all."""


def penalties(measures: Mapping[str, np.ndarray], task: np.ndarray, unique: np.ndarray) -> dict[str, np.ndarray]:
    """z_m of each episode, name -> (episodes,).

    Args:
        measures: name -> (episodes,) of `MEASURES`; length in rows.
        task: (episodes,).
        unique: (n,) the episodes that usual values are of: no copies.
    """
    result = {}
    for name in LEAST:
        values = measures[name]
        result[name] = np.zeros(len(values))
        for number in np.unique(task):
            members = task == number
            own = unique[members[unique]]
            usual = values[own if len(own) >= LEAST_IN_A_TASK else unique]
            result[name][members] = _deviations(values[members], usual[np.isfinite(usual)], name)
    outlier = np.nan_to_num(measures["outlier"]) - OUTLIER_FROM
    result["outlier"] = np.clip(outlier, 0, BOUNDS[1])
    return result


def scores(penalty: Mapping[str, np.ndarray], quality: np.ndarray | None, copies: np.ndarray) -> np.ndarray:
    """The scores (episodes,), each above 0 and below 1.

    Args:
        penalty: of `penalties`.
        quality: (episodes,) TQ, or None where no outcome is recorded.
        copies: (episodes,) how many episodes have the same content.
    """
    mean = np.mean([penalty[name] for name in MEASURES], axis=0)
    done = 1.0 if quality is None else FAILED + (1 - FAILED) * quality
    score: np.ndarray = done / (copies * (1 + np.exp(GAIN * mean)))
    return score


def _deviations(values: np.ndarray, usual: np.ndarray, name: str) -> np.ndarray:
    if not len(usual):
        return np.zeros(len(values))
    median = float(np.median(usual))
    spread = max(NORMAL * float(np.median(np.abs(usual - median))), LEAST[name], 0.1 * median)
    return np.clip(np.nan_to_num((values - median) / spread), *BOUNDS)
