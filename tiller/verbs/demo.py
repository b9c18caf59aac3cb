"""`tiller demo`: scripted demonstrations, training, evaluation and a report, with what the packages carry."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Iterator, Mapping, Sequence

from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from robot.description import to_json
from robot.description.ranges import Count, NonNegative, Seed, Workers
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.output import Output, open_output

STAGES = 4


@dataclass(frozen=True)
class DemoOptions:
    """What `tiller demo` takes.

    Args:
        task: one that has a scripted expert; the twin's by their bare names too.
        robot: of the twin that does it, a file of configs/robot; null takes the task's own.
        demonstrations: to collect and train on.
        collection_seed: of the first demonstration.
        episodes: of the evaluation.
        seed: of the evaluation's first episode; apart from the demonstrations' seeds.
        workers: processes that simulate.
        videos: how many episodes of the evaluation are filmed.
        output: folder to write to; null makes outputs/demo/<date>.
        options: of the task.
        device: auto, cpu, cuda or cuda:N.
        resume: go on where an earlier demo in the output folder stopped.
        overwrite: replace what an earlier run left in the output folder.
    """

    task: str
    robot: str | None = None
    demonstrations: Count = 50
    collection_seed: Seed = 0
    episodes: Count = 50
    seed: Seed = 100_000
    workers: Workers = 2
    videos: NonNegative = 4
    output: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    resume: bool = False
    overwrite: bool = False
    policy: PolicyRecipe = PolicyRecipe()
    training: TrainingConfig = TrainingConfig()


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("demo", DemoOptions, run, words)


def run(configuration: Configuration[DemoOptions]) -> int:
    """Four stages in one output folder, each done by the functions of the verb of its name."""
    if configuration.options.robot is not None:
        chosen = {**configuration.options.options, "robot": configuration.options.robot}
        configuration = replace(configuration, options=replace(configuration.options, options=chosen))
    options = configuration.options
    from tiller.runs.threads import limit_threads

    limit_threads(options.training.threads)
    from policies.model.device import choose_device
    from sim.report import write_report

    choose_device(options.device)
    values = {"choices": dict(configuration.choices), **to_json(options)}
    output = open_output("demo", values, options.output, resume=options.resume, overwrite=options.overwrite)
    started = time.monotonic()
    try:
        with stage(1, f"Collecting {options.demonstrations} demonstrations of {options.task} from a scripted expert"):
            collect(options, output)
        with stage(2, "Training a policy on them"):
            train(configuration, output)
        last = options.seed + options.episodes - 1
        with stage(3, f"Evaluating it on {options.episodes} starts it has not seen, seeds {options.seed} to {last}"):
            result = evaluate(options, output)
        with stage(4, "Writing the report"):
            page = write_report(output.path / "evaluation")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped; go on with `tiller demo output={output.path} resume=true`") from None
    output.mark(result)
    print(f"Done in {(time.monotonic() - started) / 60:.1f} minutes. Everything is in {output.path}\nReport: {page}")
    return 0


def collect(options: DemoOptions, output: Output) -> None:
    """Stage 1, or what of it is missing."""
    from tiller.runs.collecting import CollectOptions
    from tiller.runs.collection import add_missing, figures, load_sources, open_collection

    settings = CollectOptions(
        options.task,
        options.demonstrations,
        seed=options.collection_seed,
        workers=options.workers,
        output=str(output.path / "demonstrations"),
        options=options.options,
        resume=options.resume,
    )
    sources, facts = load_sources(settings)
    dataset, folder = open_collection(settings, facts)
    with dataset:
        result = figures(dataset, *add_missing(dataset, settings, sources))
        folder.mark(result)
    print(f"{result['episodes']} demonstrations, {result['rows']} rows of {dataset.period_s:g} s")


def train(configuration: Configuration[DemoOptions], output: Output) -> None:
    """Stage 2, or what of it is missing.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    from tiller.verbs.train import TrainOptions, figures, train_policy

    options = configuration.options
    settings = TrainOptions(
        data=str(output.path / "demonstrations"),
        task=options.task,
        output=str(output.path / "policy"),
        resume=options.resume,
        device=options.device,
        options=options.options,
        policy=options.policy,
        training=options.training,
    )
    values = {**to_json(settings), "policy": configuration.values.get("policy", {})}
    folder, result, _ = train_policy(Configuration(settings, values, configuration.choices))
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    if folder is not None:
        folder.mark(figures(result))


def evaluate(options: DemoOptions, output: Output) -> dict[str, Any]:
    """Stage 3; returns the figures."""
    from tiller.verbs.evaluate import EvaluateOptions, figures, load_described, measure, show

    settings = EvaluateOptions(
        checkpoint=str(output.path / "policy"),
        task=options.task,
        episodes=options.episodes,
        seed=options.seed,
        workers=options.workers,
        output=str(output.path / "evaluation"),
        videos=options.videos,
        options=options.options,
        device=options.device,
    )
    folder = open_output("evaluate", to_json(settings), settings.output, resume=options.resume)
    policy, description = load_described(settings, options.task)
    evaluation = measure(policy, options.task, settings, description, folder)
    show(evaluation)
    result = figures(evaluation)
    folder.mark(result)
    return result


@contextmanager
def stage(number: int, what: str) -> Iterator[None]:
    """Print what begins, and how long it took."""
    print(f"[{number}/{STAGES}] {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.0f} s\n", flush=True)
