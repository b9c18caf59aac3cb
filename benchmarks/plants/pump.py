"""A pump found by search: the cross-entropy method over set-points and stiffnesses, for the most that comes out.

Rubinstein and Kroese, "The cross-entropy method", 2004: draw policies from a normal distribution, keep the best tenth,
fit the distribution to them, again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from benchmarks.plants.adversaries import REACH_M, SOFTEST, STIFFEST, Played
from benchmarks.plants.loop import ClosedLoop, Outcome
from benchmarks.plants.policy import POLICY_S

Score = Callable[[Outcome], float]


@dataclass(frozen=True, eq=False)
class Pump:
    """What a search found.

    Args:
        policy: the worst one, to be played again.
        outcome: what it does.
        score: that it reached.
        history: the best score of each round.
        rollouts: that were run.
    """

    policy: Callable[[], Played]
    outcome: Outcome
    score: float
    history: tuple[float, ...]
    rollouts: int


def worst_pump(
    make: Callable[[], ClosedLoop],
    score: Score,
    *,
    centre: np.ndarray,
    seconds: float = 2.0,
    commands: int = 10,
    rounds: int = 8,
    population: int = 40,
    seed: int = 0,
) -> Pump:
    """Search for a policy with the highest score.

    Args:
        make: a loop at its start.
        score: of a rollout.
        centre: (m,) m around which set-points lie.
        seconds: of a rollout.
        commands: that are played over and over.
        rounds, population: rounds and policies in each.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    middle, spread = np.zeros((2, commands)), np.ones((2, commands))
    elite = max(population // 10, 3)
    best: tuple[float, Callable[[], Played], Outcome] | None = None
    history = []
    for _ in range(rounds):
        drawn = middle + spread * random.normal(size=(population, 2, commands))
        scores = []
        for each in drawn:
            policy = _policy(centre, each)
            outcome = make().run(policy(), round(seconds / POLICY_S) * POLICY_S)
            scores.append(score(outcome))
            if best is None or scores[-1] > best[0]:
                best = scores[-1], policy, outcome
        chosen = drawn[np.argsort(scores)[-elite:]]
        middle, spread = chosen.mean(axis=0), chosen.std(axis=0) + 0.05
        history.append(max(scores))
    assert best is not None, "no round was run"
    return Pump(best[1], best[2], best[0], tuple(history), rounds * population)


def _policy(centre: np.ndarray, drawn: np.ndarray) -> Callable[[], Played]:
    """Of unbounded numbers (2, commands): the tangent keeps set-points and stiffnesses within what a policy can say."""
    offsets = REACH_M * np.tanh(drawn[0])
    stiffnesses = SOFTEST * (STIFFEST / SOFTEST) ** (0.5 * (1 + np.tanh(drawn[1])))
    return lambda: Played(centre, offsets, stiffnesses)
