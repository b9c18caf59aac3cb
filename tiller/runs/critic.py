"""What a critic is trained beside: its base, and the episodes that choose it and report on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Sequence

import numpy as np

from policies.critics.names import JUDGEMENT
from robot.errors import InputError
from robot.files import write_file

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from policies.critics.base import Base
    from policies.critics.judgement import Judgement
    from policies.recipe.critic import CriticRecipe
    from policies.recipe.recipe import TrainingConfig
    from policies.training.demonstrations import Demonstrations


@dataclass(frozen=True, eq=False)
class Judges:
    """Episodes that a critic is judged on, indices in each dataset.

    Args:
        datasets: of the episodes.
        report: on which it is reported.
        selection: by which its checkpoint is chosen; none where the final one is taken.
    """

    datasets: Sequence[Dataset]
    report: Sequence[np.ndarray]
    selection: Sequence[np.ndarray] = ()

    @property
    def chooses(self) -> bool:
        return any(map(len, self.selection))

    @property
    def reports(self) -> bool:
        return any(map(len, self.report))


def load_base(
    path: str | None, device: str, sampler: str | None, steps: int | None, task: str | None = None
) -> Base | None:
    """The policy whose chunks a critic is to tell apart, under its sampler; one of several embodiments acts as that of
    the task's name.

    Raises:
        InputError: a sampler without a base, no checkpoint there, or a policy whose noise does not decide its chunks.
    """
    if path is None:
        if sampler is not None or steps is not None:
            raise InputError(
                "base_sampler" if sampler is not None else "base_steps",
                expected="a base that it is of",
                got="none",
                way_out="Add base=CHECKPOINT",
            )
        return None
    from policies.critics.base import Base
    from policies.loading.load import load
    from tiller.runs.embodiment import embodiment_for

    policy = load(path, device, embodiment_for(task)).with_sampler(sampler, steps)
    return Base(policy, str(policy.fingerprint))  # type: ignore[attr-defined]


def judges(data: Demonstrations, further: Sequence[str], recipe: CriticRecipe, training: TrainingConfig) -> Judges:
    """The episodes that a critic is judged on, checked before it is trained: those of further datasets, or those that
    are held out. Half of their starts choose the checkpoint where there is evaluation while training.

    Args:
        data: that it is trained on.
        further: paths of datasets; empty judges it on what is held out.
        recipe, training: of the critic.

    Raises:
        InputError: they are of starts that it is trained on, do not fit, or do not say what came of them.
    """
    from data.learning.split import require_different
    from data.store.dataset import Dataset
    from policies.critics.judgement import halves

    datasets: Sequence[Dataset] = data.datasets
    episodes: Sequence[np.ndarray] = data.held_out
    if further:
        opened = [Dataset.open(path) for path in further]
        require_different(opened, "judge= counts every episode once", "Leave one of them out of judge=")
        datasets = [_unseen(data, path, recipe, training) for path in further]
        episodes = [np.arange(len(each)) for each in datasets]
    if not training.evaluate_every or not any(map(len, episodes)):
        return Judges(datasets, episodes)
    selection, report = halves(datasets, episodes, training.seed)
    return Judges(datasets, report, selection)


def _unseen(data: Demonstrations, path: str, recipe: CriticRecipe, training: TrainingConfig) -> Dataset:
    from data.learning.split import starts_of
    from policies.critics.judgement import require_outcomes
    from policies.recipe.recipe import ValidationConfig
    from policies.training.demonstrations import Demonstrations
    from policies.training.prompts import with_instructions
    from robot.description import PromptSpec

    plain = replace(
        training, weights=(), demonstrations=None, order={"name": "uniform"}, validation=ValidationConfig(0.0)
    )
    unseen = Demonstrations.open([data.datasets[0], path], plain, recipe.observation).datasets[1]
    if unseen.fingerprint in {each.fingerprint for each in data.datasets}:
        raise InputError("'judge'", expected="episodes that the critic is not trained on", got="those of data=")
    trained = {
        start
        for each, chosen in zip(data.datasets, data.training)
        for start, own in zip(starts_of(each), np.isin(np.arange(len(each)), chosen))
        if own
    }
    shared = sum(start in trained for start in starts_of(unseen))
    if shared:
        raise InputError(
            f"'judge' {path}",
            expected="episodes of starts that the critic is not trained on",
            got=f"{shared} of {len(unseen)} whose task and seed are those of training episodes",
            way_out="Collect some with other seeds, such as seed=1000000",
        )
    prompt = with_instructions(recipe, data.datasets).prompt
    require_outcomes(unseen, PromptSpec(str(prompt["name"]), tuple(prompt.get("instructions", ()))))
    return unseen


def planning() -> Callable[[int, int], None]:
    """What shows how far the plans of a base are."""
    from tiller.runs.progress import Counter

    counters: list[Counter] = []

    def show(done: int, count: int) -> None:
        if not counters:
            counters.append(Counter("windows planned by the base", count).__enter__())
        counters[0].show(done)
        if done >= count:
            counters.pop().__exit__(None, None, None)

    return show


def write_judgement(judgement: Judgement, checkpoint: Path) -> Path:
    """Write a judgement into the checkpoint that it is of."""
    return write_file(checkpoint / JUDGEMENT, json.dumps(judgement.record, indent=2, allow_nan=False) + "\n")
