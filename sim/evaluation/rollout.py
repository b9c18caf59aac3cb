"""Evaluation: environments step in worker processes, one policy plans for all of them in fixed batches.

The result is a function of the policy, the task, the seeds and the size of the batch, and of nothing else:

- Episode i always is in row i % batch of an inference call. Rows without a request are filled with a copy of one
  that has one, so that every call has the same shape: only equal shapes give sums equal bit for bit.
- The noise of a plan comes from `query_seed(episode seed, number of the plan)`.
- Environment l of L runs the episodes l, l + L, l + 2 L, ..., and L divides the batch, so that two episodes that run at
  the same time never need the same row.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from robot.control.ensembling import TemporalEnsemble
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Policy
from robot.errors import InputError, TillerError
from robot.files import unwritten
from robot.monitoring.monitor import HOLD, RECORD, Monitor
from sim.evaluation.env_runner import EnvConfig
from sim.evaluation.order import orders
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from sim.evaluation.versions import versions
from sim.statistics.records import (
    FILE_NAME,
    PARTIAL_NAME,
    EpisodeRecord,
    Evaluation,
    Latency,
    check_target,
    write_evaluation,
)

__all__ = ["BATCH", "EvaluationFailed", "EvaluationInterrupted", "EvaluationUnwritten", "evaluate_policy", "query_seed"]

BATCH = 32
"""Default rows of an inference call, if there are as many episodes."""

SMALLEST_BATCH = 4
"""Below it, sums depend on where in memory the rows are (measured: MKL's float32 products of 2 and 3 rows)."""

HEAVY = {"robosuite": 4}
"""Suite -> environments per worker by default, where one takes 0.4 s to build and 120 MB to keep."""


class EvaluationFailed(TillerError):
    """An evaluation ended early; `evaluation` holds the episodes that were finished."""

    def __init__(self, message: str, evaluation: Evaluation, exit_code: int = TillerError.exit_code):
        super().__init__(message)
        self.evaluation, self.exit_code = evaluation, exit_code


class EvaluationUnwritten(EvaluationFailed):
    """All episodes were run, and `evaluation` holds them, but `evaluation.json` could not be written."""


class EvaluationInterrupted(KeyboardInterrupt):
    """Ctrl-C during an evaluation; `evaluation` holds the episodes that were finished."""

    def __init__(self, message: str, evaluation: Evaluation):
        super().__init__(message)
        self.evaluation = evaluation


def evaluate_policy(
    policy: Policy,
    task_id: str,
    *,
    episodes: int,
    seed: int,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    n_action_steps: int | None = None,
    ensemble: TemporalEnsemble | None = None,
    delay_steps: int = 0,
    batch: int | None = None,
    environments: int | None = None,
    video_episodes: Sequence[int] = (),
    on_episode: Callable[[EpisodeRecord], None] | None = None,
    description: Mapping[str, Any] | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
    monitor: Monitor | None = None,
    hold: bool = False,
) -> Evaluation:
    """Run a policy on the seeds `seed .. seed + episodes - 1` of a task.

    Args:
        policy: plans; choose its sampler with `policy.with_sampler` before.
        task_id: as `sim.make` takes it.
        episodes, seed: how many, from which.
        workers: processes that step environments.
        options: of the task.
        n_action_steps: rows executed per plan; the policy's own number when None.
        ensemble: weigh overlapping plans instead of executing one after the other.
        delay_steps: rows between the request for a plan and its arrival (real-time chunking): it is requested that
            many rows early, and continues the rows that are executed meanwhile.
        batch: rows of every inference call, a part of what decides the result; when None the power of two, from 4 to
            32, that holds all episodes.
        environments: how many run at once over all workers, rounded down to a divisor of `batch`; when None as many as
            the batch has rows, but few where they are heavy.
        video_episodes: numbers (0 .. episodes - 1) of the episodes to film; needs `output`.
        on_episode: called with each record when its episode ends, in order of ending.
        description: of the policy, for the record: checkpoint, hash, sampler, steps.
        output: folder for `evaluation.json` and `videos/`; nothing is written when None.
        overwrite: replace an `evaluation.json` that is there.
        monitor: watches every decision; what it said is in the records.
        hold: end an episode at its first alarm: it is a failure then.

    Returns:
        The evaluation, its records in the order of their seeds.

    Raises:
        InputError: the policy does not fit the task (both are shown), or an argument is wrong.
        EvaluationFailed: a worker died, an environment raised, or none of its episodes reports on success. What
            was finished is in the exception, and in `evaluation.partial.json` when `output` is given.
        EvaluationUnwritten: all episodes were run, but the disk is full or the output cannot be written.
        EvaluationInterrupted: the same as EvaluationFailed for Ctrl-C.
    """
    if hold and monitor is None:
        raise InputError("hold", expected="a monitor, whose alarms hold", got="none")
    for name, value in {"episodes": episodes, "workers": workers, "batch": batch, "environments": environments}.items():
        if value is not None and value < 1:
            raise InputError(name, expected="at least 1", got=str(value))
    if seed < 0:
        raise InputError("seed", expected="0 or more", got=str(seed))
    folder = None if output is None else Path(output)
    if folder is not None:
        check_target(folder / FILE_NAME, overwrite)
    batch = batch or max(SMALLEST_BATCH, min(BATCH, 1 << (episodes - 1).bit_length()))
    count = environments_of(task_id, workers, batch, environments)
    runners = [
        ChunkRunner(policy.spec, n_action_steps=n_action_steps, ensemble=ensemble, delay_steps=delay_steps)
        for _ in range(min(count, episodes))
    ]
    if monitor is not None:
        monitor.require(runners[0].n_action_steps)
        policy = monitor.prepared(policy)
    rollout = Rollout(
        policy,
        env_config(policy, task_id, options, videos=_video_folder(video_episodes, episodes, folder)),
        [
            EnvSession(
                env,
                runner,
                orders(seed, env, count, episodes),
                watch=None if monitor is None else monitor.watch(),
                holds=hold,
            )
            for env, runner in enumerate(runners)
        ],
        batch=batch,
        filmed=frozenset(video_episodes),
        on_episode=lambda order, record: on_episode(record) if on_episode is not None else None,
    )

    def result(ended: str = "") -> Evaluation:
        return Evaluation(
            task=task_id,
            options=dict(options or {}),
            policy=dict(description or {}),
            seed=seed,
            episodes=episodes,
            n_action_steps=runners[0].n_action_steps,
            batch=batch,
            workers=workers,
            records=tuple(sorted(rollout.records, key=lambda record: record.seed)),
            latency=Latency.of(rollout.latencies),
            seconds=rollout.seconds,
            inference_seconds=sum(rollout.latencies),
            ensemble=asdict(runners[0].ensemble) if runners[0].ensemble else {},
            delay_steps=delay_steps,
            ended=ended,
            command=shlex.join([_program(), *sys.argv[1:]]),
            versions=versions(),
            instructions=dict(sorted(rollout.instructions.items())) if len(rollout.instructions) > 1 else {},
            monitor={} if monitor is None else {**monitor.about, "action": HOLD if hold else RECORD},
        )

    try:
        rollout.run(workers)
    except (TillerError, KeyboardInterrupt) as error:
        if isinstance(error, InputError) and not rollout.records:
            raise
        raise _stopped(error, result(str(error) or "interrupted"), folder) from error
    evaluation = result()
    if folder is not None:
        try:
            write_evaluation(evaluation, folder / FILE_NAME, overwrite=overwrite)
        except TillerError as error:
            raise EvaluationUnwritten(str(error), evaluation, error.exit_code) from error
        (folder / PARTIAL_NAME).unlink(missing_ok=True)
    return evaluation


def _program() -> str:
    """The name of this program as one types it."""
    name = Path(sys.argv[0]).name
    return "tiller" if name == "__main__.py" and Path(sys.argv[0]).parent.name == "tiller" else name


def _stopped(
    error: BaseException, evaluation: Evaluation, folder: Path | None
) -> EvaluationFailed | EvaluationInterrupted:
    """The error to raise, with the finished episodes; they are written too."""
    kept = f"{len(evaluation.records)} of {evaluation.episodes} episodes were finished"
    if folder is not None and evaluation.records:
        try:
            kept += f" and are kept in {write_evaluation(evaluation, folder / PARTIAL_NAME, overwrite=True)}"
        except TillerError as loss:
            kept += f" and are lost: {loss}"
    message = f"evaluation of {evaluation.task}: {evaluation.ended.rstrip('.')}. {kept}"
    if isinstance(error, TillerError):
        return EvaluationFailed(message, evaluation, error.exit_code)
    return EvaluationInterrupted(message, evaluation)


def env_config(
    policy: Policy, task_id: str, options: Mapping[str, Any] | None, *, videos: Path | None = None, traced: bool = False
) -> EnvConfig:
    """The parameters of the workers' environments for a policy; the arguments are those of `EnvConfig`."""
    span = max(field.history.span for field in policy.spec.observation)
    return EnvConfig(task_id, dict(options or {}), policy.spec.observation.names, span, videos, traced)


def environments_of(task_id: str, workers: int, batch: int, environments: int | None = None) -> int:
    """How many environments run at once: a divisor of the batch, all of its rows, or few where they are heavy."""
    return _divisor(batch, environments or workers * HEAVY.get(task_id.partition("/")[0], batch))


def _divisor(batch: int, most: int) -> int:
    """The largest divisor of the batch that is not above `most`."""
    return max(number for number in range(1, min(batch, most) + 1) if batch % number == 0)


def _video_folder(video_episodes: Sequence[int], episodes: int, folder: Path | None) -> Path | None:
    """The folder of the videos, made, when there are any to make."""
    wrong = [number for number in video_episodes if not 0 <= number < episodes]
    if wrong:
        raise InputError("video_episodes", expected=f"numbers from 0 to {episodes - 1}", got=str(wrong[0]))
    if not video_episodes:
        return None
    if folder is None:
        raise InputError("video_episodes", expected="an output folder to write the videos to", got="none")
    try:
        (folder / "videos").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(folder / "videos", error) from error
    return folder / "videos"
