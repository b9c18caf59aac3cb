"""Train on from the base's weights, with the settings that it was trained with."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from tiller.runs.output import CONFIG, finished_figures, written_by

if TYPE_CHECKING:
    from policies.recipe.recipe import TrainingConfig
    from tiller.configuration.compose import Configuration
    from tiller.steering.climb import Climb
    from tiller.training.opening import Trained
    from tiller.training.options import TrainOptions

WARMUP = 200


def learnt(climb: Climb) -> Path:
    """The checkpoint with the base's weights, below all that steers it."""
    from policies.loading.folder import chain

    return chain(climb.checkpoint)[-1]


def trained(
    climb: Climb, run: Path, data: Sequence[str], shares: tuple[float, ...], prompt: Mapping[str, Any] | None = None
) -> None:
    """Train on from the base's weights, or go on where that was left.

    Args:
        climb: of the base.
        run: folder of the training.
        data: paths of what it learns from.
        shares: weights of these.
        prompt: a condition on the advantage that the base goes on with; None leaves its prompt as it is.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    from policies.recipe.recipe import PolicyRecipe
    from tiller.training.options import TrainOptions
    from tiller.training.policy import train_policy

    options = TrainOptions(
        tuple(data),
        task=climb.task,
        output=str(run),
        resume=True,
        device=climb.options.device,
        options=task_options(climb),
        policy=PolicyRecipe() if prompt is None else PolicyRecipe(prompt=prompt),
        initial=str(learnt(climb)),
        training=replace(_training(climb), weights=shares),
    )
    completed(climb, run, options, train_policy, trained_with(climb).get("choices"))


def completed(
    climb: Climb,
    run: Path,
    options: TrainOptions,
    train: Callable[[Configuration[TrainOptions]], Trained],
    choices: Mapping[str, Any] | None = None,
) -> None:
    """Bring a training to its end, or take it as it is where it is there, and count its time.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    from robot.description import to_json
    from tiller.configuration.compose import Configuration

    done = finished_figures(run)
    if done is not None:
        climb.bench.charge(0, float(done["seconds"]), before=True)
        return
    climb.deadline.check()
    started = time.perf_counter()
    output, result, _ = train(Configuration(options, to_json(options), choices or {}))
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    assert output is not None
    output.mark({"updates": result.updates, "seconds": seconds, "loss": result.loss})
    climb.bench.charge(0, seconds)


def shares_of(shown: Sequence[str], own: Sequence[str], share: float | None) -> tuple[float, ...]:
    """The weights of the datasets in a batch; empty where every window counts alike.

    Args:
        shown: the demonstrations, which share their part by their rows.
        own: the successes, and perhaps the failures after them. These count for as many rows as the successes have at
            most: their actions are far from all others, and most of the loss would be theirs.
        share: of the demonstrations; None leaves it to the rows.
    """
    from data.store.dataset import Dataset

    if share is None and len(own) == 1:
        return ()
    before, after = ([float(Dataset.open(path).rows) for path in paths] for paths in (shown, own))
    after = [min(each, after[0]) for each in after]
    if share is None:
        return (*before, *after)
    return (*(share * each / sum(before) for each in before), *((1 - share) * (each / sum(after)) for each in after))


def _training(climb: Climb) -> TrainingConfig:
    """How the base was trained, for as many updates as were chosen."""
    from policies.recipe.recipe import TrainingConfig
    from robot.description import from_json

    given, values = climb.options.cloning, dict(trained_with(climb).get("training") or {})
    config = from_json(TrainingConfig, values, where="training")
    return replace(
        config,
        steps=given.updates,
        warmup=min(WARMUP, given.updates // 10),
        learning_rate=given.learning_rate or config.learning_rate,
        seed=given.seed,
        minutes=None,
        stop_after=None,
        demonstrations=None,
        order={"name": "uniform"},
        evaluate_every=0,
        keep_every=0,
        wandb="",
        checkpoint_every=min(config.checkpoint_every, max(given.updates // 10, 1)),
    )


def trained_with(climb: Climb) -> Mapping[str, Any]:
    """The configuration of the base's training run; empty where it is not there."""
    import yaml

    folder = learnt(climb).resolve()
    for each in (folder, *list(folder.parents)[:3]):
        if written_by(each) == "train":
            values = yaml.safe_load((each / CONFIG).read_text(encoding="utf-8"))
            return values if isinstance(values, dict) else {}
    return {}


def task_options(climb: Climb) -> Mapping[str, Any]:
    """The task's options as they are without a perturbation, which later evaluations set themselves."""
    names = ("perturbation", "severity", "perturbations", "randomise")
    return {name: value for name, value in climb.bench.options.items() if name not in names}
