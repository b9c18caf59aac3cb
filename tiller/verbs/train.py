"""`tiller train`: a policy or a critic from recorded episodes, with checkpoints, curves and, when asked, evaluation in
the loop.
"""

from __future__ import annotations

import math
import os
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Mapping, Sequence

from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from robot.description import to_json
from robot.description.ranges import Count, Range, Seed, Workers
from robot.errors import InputError
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.output import Output, open_output

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from policies.critics.base import Base
    from policies.training.demonstrations import Demonstrations
    from policies.training.trainer import Evaluate, TrainingResult
    from tiller.sheets.fit import TaskFacts


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
        data: dataset to train on: a folder, a zip or a URL; or several as [A,B], in the shares of training.weights.
        task: that the policy or the critic is for; it is checked against the dataset. null trains on the dataset alone.
        output: folder to write to; null makes outputs/train/<date>.
        resume: go on from the last checkpoint in the output folder, exactly; a new run where there is none.
        overwrite: replace what an earlier run left in the output folder.
        device: auto, cpu, cuda or cuda:N.
        options: of the task, for example options.initial_states=paper.
        critic: train a critic instead of a policy, for example critic=success.
        judge: further episodes to judge a critic on, or several as [A,B]; null judges it on those that the validation
            holds out. With training.evaluate_every half of their starts choose the checkpoint, the others report on it.
        base: checkpoint of the policy whose chunks a critic is to tell apart; it sees them beside the zero-noise plan.
        base_sampler: of the base, null for its default.
        base_steps: of that sampler, null for its default.
    """

    data: str | tuple[str, ...]
    task: str | None = None
    output: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluation: LoopEvaluation = LoopEvaluation()
    policy: PolicyRecipe = PolicyRecipe()
    critic: CriticRecipe | None = None
    judge: str | tuple[str, ...] | None = None
    base: str | None = None
    base_sampler: str | None = None
    base_steps: Annotated[int, Range(1, 100_000)] | None = None
    training: TrainingConfig = TrainingConfig()


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    both = [word for word in words if word.startswith(("policy=", "policy."))]
    if both and any(word.startswith(("critic=", "critic.")) for word in words):
        raise InputError(
            f"'{both[0]}'",
            expected="options of a policy, or of a critic",
            got="both",
            way_out="Train one after the other; a critic has its own observation, critic.observation",
        )
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
    for name in ("judge", "base", "base_sampler", "base_steps"):
        if getattr(options, name) is not None and options.critic is None:
            way_out = "Add critic=, or use tiller evaluate" if name == "judge" else "Add critic="
            raise InputError(f"'{name}'", expected="a critic to train", got="a policy", way_out=way_out)
    if options.options and not options.task:
        raise InputError(
            "'options'",
            expected="a task that they are of",
            got=f"{', '.join(options.options)} without a task",
            way_out="Add task=, or leave them out",
        )
    from tiller.runs.threads import limit_threads

    limit_threads(options.training.threads)
    train_it = train_policy if options.critic is None else train_judged_critic
    output, result, more = train_it(configuration)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt(
            f"Stopped before the end; add output={output.path if output else options.output} and resume=true to go on"
        )
    if output is not None and result.stopped != "stop_after":
        output.finish({**figures(result), **more})
    return 0


Trained = tuple[Output | None, "TrainingResult", Mapping[str, float]]


def train_policy(configuration: Configuration[TrainOptions]) -> Trained:
    """Check that everything fits, open the output and train. Processes of torchrun but the first have no output."""
    from policies.training.train import train
    from tiller.sheets.fit import fit_recipe

    options = configuration.options
    datasets, task = opened(options)
    given = configuration.values.get("policy", {})
    recipe = fit_recipe(options.policy, datasets[0], task, own_action_steps="n_action_steps" in given)
    contract = datasets[0].attributes.get("contract", {})
    output, folder = open_run(configuration, replace(options, policy=recipe), datasets, recipe.observation)
    with output.kept_if_used() if output is not None else nullcontext():
        result = train(
            datasets,
            recipe,
            options.training,
            folder,
            evaluate=evaluation_in_the_loop(options),
            resume=options.resume and (folder / "checkpoints" / "last").is_dir(),
            device=options.device,
            semantic_hash=contract.get("semantic_hash"),
            operational_hash=contract.get("operational_hash"),
        )
    return output, result, {}


def train_judged_critic(configuration: Configuration[TrainOptions]) -> Trained:
    """Train a critic, choose its checkpoint where that was asked for, and judge it on episodes that it never saw."""
    from policies.critics.base import BaseChunks
    from policies.critics.checkpoint import load_critic
    from policies.critics.judgement import judge
    from policies.critics.train import BASE, train_critic
    from policies.training.demonstrations import Demonstrations
    from tiller.runs.critic import judges, load_base, planning, write_judgement
    from tiller.sheets.critic import summary, write_calibration
    from tiller.sheets.fit import fit_critic

    options = configuration.options
    datasets, task = opened(options)
    assert options.critic is not None
    base = load_base(options.base, options.device, options.base_sampler, options.base_steps)
    given = configuration.values.get("critic") or {}
    recipe = fit_critic(
        options.critic,
        datasets[0],
        task,
        own_steps="steps" in given,
        base=None if base is None else base.policy.spec,
    )
    data = Demonstrations.open(datasets, options.training, recipe.observation, by_start=True)
    held_out = judges(data, listed(options.judge), recipe, options.training)
    output, folder = open_run(configuration, replace(options, critic=recipe), datasets, recipe.observation, base)
    progress = planning() if output is not None else None
    chunks = None if base is None else BaseChunks(base, recipe.steps, folder / BASE, progress)

    def evaluate(critic: Any, updates: int) -> Mapping[str, float]:
        return judge(critic, held_out.datasets, held_out.selection, chunks=chunks).figures

    with output.kept_if_used() if output is not None else nullcontext():
        result = train_critic(
            datasets,
            recipe,
            options.training,
            folder,
            evaluate=evaluate if held_out.chooses else None,
            resume=options.resume and (folder / "checkpoints" / "last").is_dir(),
            device=options.device,
            base=base,
            progress=progress,
        )
    if output is None or not held_out.reports or result.stopped in ("interrupted", "stop_after"):
        return output, result, {}
    judgement = judge(load_critic(result.checkpoint), held_out.datasets, held_out.report, chunks=chunks)
    write_judgement(judgement, result.checkpoint)
    print(summary(judgement))
    if len(judgement.bins):
        print(f"Calibration: {write_calibration(judgement, folder)}")
    return output, result, judgement.figures


def opened(options: TrainOptions) -> tuple[list[Dataset], TaskFacts | None]:
    """The datasets to train on, and what is known of the task."""
    from data.store.dataset import Dataset
    from policies.model.device import choose_device
    from tiller.sheets.fit import task_facts

    choose_device(options.device)
    datasets = [Dataset.open(path) for path in listed(options.data)]
    if not datasets:
        raise InputError("'data'", expected="a dataset, or several", got="an empty list")
    return datasets, task_facts(options.task, options.options) if options.task else None


def listed(given: str | Sequence[str] | None) -> list[str]:
    """One path, several or none, as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def open_run(
    configuration: Configuration[TrainOptions],
    settled: TrainOptions,
    datasets: Sequence[Dataset],
    observation: Sequence[str],
    base: Base | None = None,
) -> tuple[Output | None, Path]:
    """Open the output and say what is trained; the output is the first process's alone.

    Args:
        configuration: as it was given.
        settled: the options with what was chosen by data and task.
        datasets: to train on.
        observation: keys that are seen.
        base: of a critic.
    """
    from policies.training.demonstrations import Demonstrations
    from tiller.sheets.training import announcement

    options = configuration.options
    # What does not fit is refused before an earlier run is replaced.
    data = Demonstrations.open(datasets, options.training, observation)
    data.weights()
    scored = _built(settled, data, base)
    output, folder = None, Path(options.output or "")
    if os.environ.get("RANK", "0") == "0":
        reads = [*listed(options.data), *listed(options.judge), *listed(options.base)]
        values = {"choices": dict(configuration.choices), **to_json(settled)}
        output = open_output(
            "train", values, options.output, resume=options.resume, overwrite=options.overwrite, reads=reads
        )
        folder = output.path
        name = str(configuration.choices.get("policy"))
        if options.critic is not None:
            name = f"critic {configuration.choices.get('critic') or options.critic.objective['name']}"
        print(announcement(name, listed(options.data), datasets, options.task, options.training, observation, scored))
    elif not options.output:
        raise InputError(
            "'output'", expected="a folder that all processes of torchrun share", got="nothing", way_out="Add output="
        )
    return output, folder


def _built(settled: TrainOptions, data: Demonstrations, base: Base | None) -> int | None:
    """Build what is to be trained once, for the errors that this may have; returns the rows that a critic scores."""
    if settled.critic is None:
        from policies.model.build import build_policy, policy_spec

        build_policy(settled.policy, policy_spec(settled.policy, data.observation, data.action))
        return None
    from policies.critics.build import build_critic, critic_spec
    from policies.critics.train import require_base

    spec = critic_spec(settled.critic, data.observation, data.action, None if base is None else base.record)
    critic = build_critic(settled.critic, spec)
    require_base(spec, critic.model.objective, base)
    data.facts(critic.model.objective.facts)
    return settled.critic.steps


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
