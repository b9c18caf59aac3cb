"""`tiller train`: a policy from a dataset, with checkpoints, curves and, when asked, evaluation in the loop."""

from __future__ import annotations

import math
import os
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from robot.description import to_json
from robot.description.ranges import Count, Seed, Workers
from robot.errors import InputError
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.output import Output, open_output

if TYPE_CHECKING:
    from policies.training.trainer import Evaluate, TrainingResult


@dataclass(frozen=True)
class LoopEvaluation:
    """Evaluation while training, every `training.evaluate_every` updates and at the end.

    Args:
        episodes: a time.
        seed: of the first one; apart from the seeds that results are reported on.
        workers: processes that step environments.
    """

    episodes: Count = 10
    seed: Seed = 200_000
    workers: Workers = 1


@dataclass(frozen=True)
class TrainOptions:
    """What `tiller train` takes.

    Args:
        data: dataset to train on: a folder, a zip or a URL.
        task: that the policy is for; it is checked against the dataset. null trains on the dataset alone.
        output: folder to write to; null makes outputs/train/<date>.
        resume: go on from the last checkpoint in the output folder, exactly; a new run where there is none.
        overwrite: replace what an earlier run left in the output folder.
        device: auto, cpu, cuda or cuda:N.
        options: of the task, for example options.initial_states=paper.
    """

    data: str
    task: str | None = None
    output: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluation: LoopEvaluation = LoopEvaluation()
    policy: PolicyRecipe = PolicyRecipe()
    training: TrainingConfig = TrainingConfig()


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("train", TrainOptions, run, words)


def run(configuration: Configuration[TrainOptions]) -> int:
    """Train, and write checkpoints, metrics.csv and TensorBoard files.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    options = configuration.options
    if options.resume and not options.output:
        raise InputError(
            "'output'",
            expected="the folder of the run to go on with",
            got="nothing",
            way_out="Add output= beside resume=true",
        )
    if options.options and not options.task:
        raise InputError(
            "'options'",
            expected="a task that they are of",
            got=f"{', '.join(options.options)} without a task",
            way_out="Add task=, or leave them out",
        )
    from tiller.runs.threads import limit_threads

    limit_threads(options.training.threads)
    output, result = train_policy(configuration)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt(
            f"Stopped before the end; add output={output.path if output else options.output} and resume=true to go on"
        )
    if output is not None and result.stopped != "stop_after":
        output.finish(figures(result))
    return 0


def train_policy(configuration: Configuration[TrainOptions]) -> tuple[Output | None, TrainingResult]:
    """Check that everything fits, open the output and train. Processes of torchrun but the first have no output."""
    from data.store.dataset import Dataset
    from policies.model.device import choose_device
    from policies.training.train import train
    from tiller.sheets.fit import fit_recipe, task_facts

    options = configuration.options
    choose_device(options.device)
    dataset = Dataset.open(options.data)
    task = task_facts(options.task, options.options) if options.task else None
    given = configuration.values.get("policy", {})
    recipe = fit_recipe(options.policy, dataset, task, own_action_steps="n_action_steps" in given)
    contract = dataset.attributes.get("contract", {})
    output, folder = None, Path(options.output or "")
    if os.environ.get("RANK", "0") == "0":
        values = {"choices": dict(configuration.choices), **to_json(replace(options, policy=recipe))}
        output = open_output(
            "train", values, options.output, resume=options.resume, overwrite=options.overwrite, reads=[options.data]
        )
        folder = output.path
        name = configuration.choices.get("policy")
        print(
            f"Training {name} on {len(dataset)} episodes ({dataset.rows} rows) of {options.data}"
            + (f" for {options.task}" if options.task else "")
            + f", seeing {', '.join(recipe.observation)}"
        )
    elif not options.output:
        raise InputError(
            "'output'", expected="a folder that all processes of torchrun share", got="nothing", way_out="Add output="
        )
    with output.kept_if_used() if output is not None else nullcontext():
        return output, train(
            dataset,
            recipe,
            options.training,
            folder,
            evaluate=evaluation_in_the_loop(options),
            resume=options.resume and (folder / "checkpoints" / "last").is_dir(),
            device=options.device,
            semantic_hash=contract.get("semantic_hash"),
            operational_hash=contract.get("operational_hash"),
        )


def evaluation_in_the_loop(options: TrainOptions) -> Evaluate | None:
    """What the trainer calls to measure the policy on the task, or None where nobody asked for it.

    Raises:
        InputError: it was asked for without a task.
    """
    if not options.training.evaluate_every:
        return None
    if not options.task:
        raise InputError("training.evaluate_every", expected="a task to evaluate on", got="none", way_out="Add task=")
    task, loop = options.task, options.evaluation

    def evaluate(policy: Any, updates: int) -> Mapping[str, float]:
        from sim.evaluation.rollout import evaluate_policy

        summary = evaluate_policy(
            policy, task, episodes=loop.episodes, seed=loop.seed, workers=loop.workers, options=options.options
        ).summary
        assert summary is not None
        return {"success": summary.success.estimate, "score": summary.score.estimate}

    return evaluate


def figures(result: TrainingResult) -> dict[str, Any]:
    """Headline figures of a run."""
    losses = {"loss": result.loss, "validation_loss": result.validation_loss}
    values: dict[str, Any] = {
        "updates": result.updates,
        "minutes": result.elapsed_s / 60,
        **{name: loss for name, loss in losses.items() if math.isfinite(loss)},
    }
    for measured in list(result.evaluations.values())[-1:]:
        values.update(measured)
    return values
