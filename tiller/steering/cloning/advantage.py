"""Which of a policy's own actions did better than was to be expected: the condition that its clone is trained under.

After RECAP (Physical Intelligence 2025, "pi*0.6: a VLA That Learns From Experience"). Of the chunk from row t on, in an
episode of T rows, with V the chance of success from what is seen, and H the rows of a chunk,

    A_t = V(o_(t+H)) - V(o_t)   where t + H < T,   else   A_t = success - V(o_t)

The largest of these are positive, as many as were chosen. V is a success critic that sees no action, learnt from the
own episodes alone: it is of the policy that ran them. The start of an episode would tell a critic that learnt from it
how it ends; so there are two, and each values the half of the episodes that the other learnt from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from tiller.steering.cloning.stores import copied
from tiller.steering.cloning.training import completed, learnt

if TYPE_CHECKING:
    from policies.recipe.critic import CriticRecipe
    from policies.recipe.recipe import PolicyRecipe
    from tiller.steering.climb import Climb

POSITIVE = 0.4
"""Share of the own actions that are positive, where none is given."""
HOPELESS = 0.05
"""Chance of success up to which nothing is left to lose."""
FOLDS = 2
UPDATES = 1000
"""Of a critic, at most: those of the clone where they are fewer."""
BATCH_SIZE = 256


def labelled(climb: Climb, folder: Path, episodes: Path) -> list[str]:
    """The stores of the own successes and failures, whose rows say how the actions from there on did.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    from data.store.dataset import Dataset
    from data.store.names import ADVANTAGE, SUCCESS
    from policies.model.checkpoint import read_record

    recipe = read_record(learnt(climb)).recipe
    with Dataset.open(episodes) as own:
        succeeded = np.asarray(own.meta(SUCCESS.name), bool)
        kinds = {"successes": np.flatnonzero(succeeded).tolist(), "failures": np.flatnonzero(~succeeded).tolist()}
        targets = {folder / "labelled" / name: numbers for name, numbers in kinds.items() if numbers}
        runs = [_valued(climb, folder / "values" / str(fold), own, fold, recipe) for fold in range(FOLDS)]
        if not all(_holds(target, len(numbers)) for target, numbers in targets.items()):
            gains = [
                advantages(values, done, recipe.horizon)[: rows_kept(values, done, recipe.horizon)]
                for values, done in zip(_values(own, runs), succeeded)
            ]
            best = largest(np.concatenate(gains), climb.options.cloning.positive or POSITIVE)
            positive = np.split(best, np.cumsum([len(each) for each in gains])[:-1])
            for target, numbers in targets.items():
                copied(own, numbers, target, {ADVANTAGE: [positive[number] for number in numbers]})
    return list(map(str, targets))


def _holds(path: Path, episodes: int) -> bool:
    """Whether a store is there, and whole."""
    from data.store.dataset import Dataset

    return (path / "zarr.json").is_file() and len(Dataset.open(path)) == episodes


def advantages(values: np.ndarray, success: bool, rows: int) -> np.ndarray:
    """The advantage of the actions from each row of an episode on, (T,), from the values (T,) of what is seen."""
    ahead = np.concatenate([values[rows:], np.full(min(rows, len(values)), float(success))])
    return ahead - values


def rows_kept(values: np.ndarray, success: bool, rows: int) -> int:
    """How many rows of an episode are learnt from, given its values (T,) and the rows of a chunk.

    All of a success; of a failure those up to a chunk after the last value above `HOPELESS`. Where nothing is left to
    lose an action is neither better nor worse, and an episode that fails goes on like that to its time limit: three
    fifths of all failing rows on the shifted lift, in states that no demonstration has.
    """
    if success:
        return len(values)
    hopeful = np.flatnonzero(values > HOPELESS)
    return min(len(values), rows + (int(hopeful[-1]) + 1 if len(hopeful) else 0))


def largest(values: np.ndarray, share: float) -> np.ndarray:
    """(n,) bool, True for the largest of values (n,), that share of them."""
    chosen = np.zeros(len(values), bool)
    chosen[np.argsort(-values, kind="stable")[: round(share * len(values))]] = True
    return chosen


def _valued(climb: Climb, folder: Path, own: Any, fold: int, recipe: PolicyRecipe) -> Path:
    """The run of the critic that learnt from every second of the own episodes, trained here or before."""
    from policies.recipe.recipe import TrainingConfig, ValidationConfig
    from tiller.training.critic import train_judged_critic
    from tiller.training.options import TrainOptions

    given, data, run = climb.options.cloning, folder / "episodes", folder / "run"
    copied(own, range(fold, len(own), FOLDS), data)
    updates = min(UPDATES, given.updates)
    options = TrainOptions(
        str(data),
        output=str(run),
        resume=True,
        device=climb.options.device,
        critic=_critic(recipe),
        training=TrainingConfig(
            steps=updates,
            batch_size=BATCH_SIZE,
            warmup=updates // 10,
            seed=given.seed,
            validation=ValidationConfig(0.0),
            checkpoint_every=max(updates // 4, 1),
        ),
    )
    completed(climb, run, options, train_judged_critic)
    return run


def _critic(recipe: PolicyRecipe) -> CriticRecipe:
    """A critic that sees what the policy sees, and no action."""
    from policies.recipe.critic import HIDDEN, CriticRecipe

    return CriticRecipe(
        network={"name": "state"},
        encoder=recipe.encoder,
        augmentation=recipe.augmentation,
        observation=recipe.observation,
        n_obs_steps=recipe.n_obs_steps,
        history=recipe.history,
        steps=1,
        plan=HIDDEN,
        transforms=recipe.transforms,
        normalisation=recipe.normalisation,
    )


def _values(own: Any, runs: Sequence[Path]) -> list[np.ndarray]:
    """The values (T,) of the rows of each own episode, by the critic that did not learn from it."""
    from data.learning.windows import Windows, WindowShape
    from policies.critics.checkpoint import load_critic

    critics = [load_critic(run) for run in runs]
    values = []
    for number in range(len(own)):
        critic = critics[(number + 1) % FOLDS]
        windows = Windows(own, WindowShape(critic.spec.observation, 1), np.array([number]))
        batch = windows.gather(np.arange(len(windows)))
        values.append(critic.value(batch.observation, batch.action[:, None])[:, 0])
    return values
