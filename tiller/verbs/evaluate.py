"""`tiller evaluate`: a checkpoint on a task, over a row of fixed seeds, with intervals, videos and a report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import Count, NonNegative, Range, Seed, Workers
from robot.errors import InputError
from sim.perturbations.sizes import Severity
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.origin import trained_task
from tiller.runs.output import Output, open_output
from tiller.runs.steering import keep_steered, parts_named, with_steering
from tiller.runs.watching import MonitorChoice, chosen_monitor, spelt_out
from tiller.sheets.evaluation import figures, prompt_note, show, show_comparison

if TYPE_CHECKING:
    from robot.description import Policy
    from robot.monitoring.monitor import Monitor
    from sim.statistics.records import EpisodeRecord, Evaluation


@dataclass(frozen=True)
class EvaluateOptions:
    """What `tiller evaluate` takes.

    Args:
        checkpoint: folder of a training run, or a checkpoint within it.
        task: to measure on; null takes the one that the policy was trained for.
        episodes: how many, on the seeds from `seed` on.
        seed: of the first episode; the next one has the next number.
        workers: processes that step environments; the records do not depend on it.
        output: folder to write to; null makes outputs/evaluate/<date>.
        sampler: how actions are drawn, null for the policy's default.
        steps: of the sampler, null for its default.
        embodiment: that a policy of several acts as; null for the one of the task's name.
        steering: what steers the policy: noise_scale (steering.noise_scale=0.25), ticket (steering.seed=,
            steering.scale=), medoid (steering.candidates=16), random_choice (steering.samples=16), value
            (steering.critic=RUN, steering.samples=16), guidance (steering.critic=RUN, steering.beta=1), sampler
            (steering.sampler=, steering.steps=), execution (steering.n_action_steps=, steering.ensemble=) or prompt
            (steering.instruction=, steering.guidance=). What is measured is kept as a checkpoint, OUTPUT/steered. null
            for the policy itself.
        n_action_steps: rows of a chunk that are executed before the next plan; null for the policy's default.
        ensemble: rate of temporal ensembling over overlapping plans (0.01 is usual); null for none.
        delay_steps: rows that pass from asking for a plan to its arrival, as on a robot that does not wait for it.
        batch: rows of every inference call, part of what decides the result; null for the power of two, from 4 to 32,
            that holds all episodes.
        videos: how many of the first episodes are filmed; where that does not work the page says why.
        monitor: run of tiller train monitor=... that watches every decision: evaluation.json has its scores and alarms,
            and with monitor.action=hold an alarm ends the episode. null for none.
        compare: evaluation.json of another policy on the same seeds, for a paired comparison.
        options: of the task, for example options.initial_states=paper; those of training hold where none are given.
        perturbation: of the task, such as friction; docs/perturbations.md lists them.
        severity: of the perturbation, 0 (the task as it is) to 5.
        perturbations: several at once, such as perturbations.friction=3 perturbations.lighting=2.
        randomise: draw each severity anew every episode, from 0 up to the one given.
        device: auto, cpu, cuda or cuda:N.
        threads: a process; null for one, or what OMP_NUM_THREADS says.
        resume: write into a folder that holds an evaluation that did not finish.
        overwrite: replace what an earlier run left in the output folder.
    """

    checkpoint: str
    task: str | None = None
    episodes: Count = 50
    seed: Seed = 100_000
    workers: Workers = 1
    output: str | None = None
    sampler: str | None = None
    steps: Annotated[int, Range(1, 100_000)] | None = None
    embodiment: str | None = None
    steering: Mapping[str, Any] | None = None
    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    ensemble: Annotated[float, Range(-10, 10)] | None = None
    delay_steps: Annotated[int, Range(0, 10_000)] = 0
    batch: Annotated[int, Range(1, 100_000)] | None = None
    videos: NonNegative = 4
    monitor: MonitorChoice | None = None
    compare: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    perturbation: str | None = None
    severity: Severity | None = None
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False
    device: str = "auto"
    threads: Workers | None = None
    resume: bool = False
    overwrite: bool = False


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    from tiller.sweep.evaluations import require_disjoint_seeds, show_evaluations

    return run_configured(
        "evaluate",
        EvaluateOptions,
        run,
        [spelt_out(word) for word in words],
        check=require_disjoint_seeds,
        conclude=show_evaluations,
    )


def run(configuration: Configuration[EvaluateOptions]) -> int:
    """Evaluate, write evaluation.json, report.html and videos, and show the result."""
    options = configuration.options
    from tiller.runs.threads import limit_threads

    limit_threads(options.threads)
    from policies.loading.folder import parts
    from sim.evaluation.rollout import EvaluationUnwritten
    from sim.perturbations import perturbed
    from sim.report import write_report
    from sim.statistics.records import read_evaluation

    trained, trained_options = trained_task(options.checkpoint)
    task = options.task or trained
    policy, description = load_described(options, task)
    if not task:
        raise InputError(
            "'task'",
            expected="a task to measure on",
            got="none, and the checkpoint was trained without one",
            way_out="Add task=, for example task=pusht/state",
        )
    if task == trained:
        options = replace(options, options={**trained_options, **options.options})
    options = replace(
        options,
        options=perturbed(
            options.options,
            perturbation=options.perturbation,
            severity=options.severity,
            perturbations=options.perturbations,
            randomise=options.randomise,
        ),
    )
    monitor = chosen_monitor(
        options.monitor, policy, options.checkpoint, options.device, options.n_action_steps, options.ensemble
    )
    other = read_evaluation(options.compare) if options.compare else None
    if other is not None:
        require_comparable(other, task, options)
    output = open_output(
        "evaluate",
        to_json(replace(options, task=task)),
        options.output,
        resume=options.resume,
        overwrite=options.overwrite,
        reads=[
            options.checkpoint,
            *parts(options.checkpoint),
            *parts_named(options.steering),
            *([options.compare] if options.compare else []),
            *([options.monitor.path] if options.monitor else []),
        ],
    )
    unwritten: EvaluationUnwritten | None = None
    try:
        with output.kept_if_used():
            evaluation = measure(policy, task, options, description, output, monitor)
            keep_steered(policy, options.checkpoint, output.path, kept=options.steering is not None)
    except EvaluationUnwritten as error:
        evaluation, unwritten = error.evaluation, error
    show(evaluation)
    if note := prompt_note(evaluation, policy):
        print(note)
    try:
        if other is not None:
            show_comparison(evaluation, other, str(options.compare))
    finally:
        if unwritten is not None:
            raise unwritten  # a report needs the file
        print(f"Report: {write_report(output.path)}")
        output.finish(figures(evaluation))
    return 0


def load_described(options: EvaluateOptions, task: str | None) -> tuple[Policy, dict[str, Any]]:
    """The policy with the requested sampler, and its description for the record."""
    from policies.loading.load import describe, load
    from policies.model.checkpoint_folder import find
    from tiller.runs.embodiment import embodiment_for

    if not options.checkpoint.strip():
        raise InputError(
            "'checkpoint'",
            expected="the folder of a training run or of a checkpoint",
            got=repr(options.checkpoint),
            way_out="'checkpoint=.' is the current folder",
        )
    folder = find(options.checkpoint)
    policy = with_steering(
        load(folder, options.device, embodiment_for(task, options.embodiment)),
        options.steering,
        sampler=options.sampler,
        steps=options.steps,
        n_action_steps=options.n_action_steps,
        ensemble=options.ensemble,
    )
    return policy, describe(folder, policy)


def require_comparable(other: Evaluation, task: str, options: EvaluateOptions) -> None:
    """Refuse before long work an evaluation that this one cannot be paired with."""
    theirs, ours = (
        dict(zip(("task", "options", "first seed", "episodes"), each))
        for each in (
            (other.task, to_json(other.options), other.seed, len(other.records)),
            (task, to_json(options.options), options.seed, options.episodes),
        )
    )
    for what, value in ours.items():
        if theirs[what] != value:
            raise InputError(
                f"compare: {what}",
                expected=f"{value}, as in this evaluation",
                got=str(theirs[what]),
                way_out=f"Evaluate both with the same {what}",
            )
    for place, (record, seed) in enumerate(zip(other.records, range(options.seed, options.seed + options.episodes))):
        if record.seed != seed:
            raise InputError(
                f"compare: seed of episode {place}",
                expected=f"{seed}, as in this evaluation",
                got=str(record.seed),
                way_out="Episodes are paired by their seeds, in order: evaluate the other policy again",
            )


def measure(
    policy: Policy,
    task: str,
    options: EvaluateOptions,
    description: Mapping[str, Any],
    output: Output,
    monitor: Monitor | None = None,
) -> Evaluation:
    """Run the episodes and write evaluation.json and the videos into the output folder."""
    from robot.control.ensembling import TemporalEnsemble
    from robot.monitoring.monitor import HOLD
    from sim.evaluation.rollout import evaluate_policy
    from tiller.runs.progress import Counter

    records: list[EpisodeRecord] = []
    with Counter(f"evaluating {task}", options.episodes) as counter:

        def on_episode(record: EpisodeRecord) -> None:
            records.append(record)
            mean = sum(each.score for each in records) / len(records)
            successes = sum(each.success for each in records)
            counter.show(len(records), f"success {successes}/{len(records)}, mean score {mean:.3f}")

        evaluation = evaluate_policy(
            policy,
            task,
            episodes=options.episodes,
            seed=options.seed,
            workers=options.workers,
            options=options.options,
            n_action_steps=options.n_action_steps,
            ensemble=None if options.ensemble is None else TemporalEnsemble(options.ensemble),
            delay_steps=options.delay_steps,
            batch=options.batch,
            video_episodes=range(min(options.videos, options.episodes)),
            on_episode=on_episode,
            description=description,
            output=output.path,
            overwrite=True,
            monitor=monitor,
            hold=options.monitor is not None and options.monitor.action == HOLD,
        )
    return evaluation
