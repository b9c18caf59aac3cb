"""Results of an evaluation: one record per episode, their summary, and `evaluation.json`, which holds both."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite
from pathlib import Path
from typing import Any, Mapping, NoReturn, Sequence

from robot.description import from_json, to_json
from robot.errors import InputError
from robot.files import write_result
from sim.statistics.intervals import Interval, bootstrap, interquartile_mean, percentiles, wilson
from sim.statistics.monitored import Alarms, Monitored

SCHEMA_VERSION = 1
FILE_NAME = "evaluation.json"
PARTIAL_NAME = "evaluation.partial.json"
_RARE = ("no_video", "diverged", "monitor", "alarms")  # fields that are written only where they are not empty


@dataclass(frozen=True)
class Latency:
    """Wall-clock seconds of the policy's inference calls, one per batch."""

    queries: int
    p50_s: float
    p95_s: float
    max_s: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        return cls(len(seconds), *percentiles(seconds, [50, 95, 100]))


@dataclass(frozen=True)
class EpisodeRecord:
    """One episode.

    Args:
        seed: of the environment's reset.
        episode_return: sum of the rewards.
        max_reward: the largest reward of a step.
        score: the largest `info["score"]` of a step.
        success: whether a step reached the goal.
        length: steps.
        terminated, truncated: how the episode ended.
        latency: of the plans of this episode.
        video: path of its video relative to the evaluation's folder.
        no_video: why an episode that was to be filmed has none; empty otherwise.
        diverged: why the physics could not go on, which makes it a failure; empty otherwise.
        energy: values of the task's last `info` whose names begin with `energy_`, without that: joules spent,
            overdrafts and so on; empty where the task counts none.
        monitor: what a monitor said of it; None without one.
    """

    seed: int
    episode_return: float
    max_reward: float
    score: float
    success: bool
    length: int
    terminated: bool
    truncated: bool
    latency: Latency
    video: str | None = None
    no_video: str = ""
    diverged: str = ""
    energy: Mapping[str, float] = field(default_factory=dict)
    monitor: Monitored | None = None

    @property
    def result(self) -> tuple[Any, ...]:
        """All but the times: the values that a repetition must reproduce."""
        return tuple(value for key, value in vars(self).items() if key != "latency")


@dataclass(frozen=True)
class Summary:
    """Statistics of all records. Intervals are at 95%: Wilson's for the success rate, bootstrap for the rest. The
    energy is the mean of each number over the episodes, and `overdrawn` how many episodes had an overdraft. `diverged`
    is how many failed as their physics could not go on. `alarms` are those of a monitor, None without one.
    """

    episodes: int
    successes: int
    success: Interval
    score: Interval
    score_iqm: Interval
    episode_return: float
    length: float
    steps: int
    steps_per_s: float
    inference_share: float
    energy: Mapping[str, float] = field(default_factory=dict)
    overdrawn: int = 0
    diverged: int = 0
    alarms: Alarms | None = None


@dataclass(frozen=True)
class Evaluation:
    """A policy on a task, over a row of seeds.

    Args:
        task: id of the task.
        options: of the task.
        policy: the caller's description of it, for example checkpoint, hash, sampler and steps.
        seed: of the first episode.
        episodes: requested number; `records` holds fewer when the evaluation ended early.
        n_action_steps: rows executed per plan.
        batch: rows of every inference call.
        workers: processes that stepped environments.
        records: in the order of their seeds.
        latency: of all inference calls.
        seconds, inference_seconds: wall clock of the rollouts and the policy's part of it.
        ensemble: rate and interval of temporal ensembling, if any.
        delay_steps: rows between the request for a plan and its arrival.
        ended: why it ended early; empty when it is complete.
        command: that reproduces it.
        versions: of the software.
        instructions: instruction -> episodes that had it, where they had several.
        monitor: what watched it: path, scores, level of false alarms, what an alarm does; empty without one.
    """

    task: str
    options: Mapping[str, Any]
    policy: Mapping[str, Any]
    seed: int
    episodes: int
    n_action_steps: int
    batch: int
    workers: int
    records: tuple[EpisodeRecord, ...]
    latency: Latency
    seconds: float
    inference_seconds: float
    ensemble: Mapping[str, float] = field(default_factory=dict)
    delay_steps: int = 0
    ended: str = ""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    instructions: Mapping[str, int] = field(default_factory=dict)
    monitor: Mapping[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.records) == self.episodes

    @property
    def divergence(self) -> str:
        """A sentence on the episodes whose physics diverged; empty where none did."""
        some = [record for record in self.records if record.diverged]
        if not some:
            return ""
        seeds = f"seed{'s' if len(some) > 1 else ''} {', '.join(str(record.seed) for record in some)}"
        return (
            f"In {len(some)} of {len(self.records)} episodes the physics diverged, which counts as failure "
            f"({seeds}). The first: {some[0].diverged}"
        )

    @property
    def missing_videos(self) -> tuple[str, ...]:
        """A sentence for each reason why episodes that were to be filmed have no video."""
        seeds: dict[str, list[int]] = {}
        for record in self.records:
            if record.no_video:
                seeds.setdefault(record.no_video, []).append(record.seed)
        return tuple(
            f"No video of seed{'s' if len(some) > 1 else ''} {', '.join(map(str, some))}: {why}"
            for why, some in seeds.items()
        )

    @cached_property
    def summary(self) -> Summary | None:
        """None when no episode was finished."""
        if not self.records:
            return None
        scores = [record.score for record in self.records]
        successes = sum(record.success for record in self.records)
        steps = sum(record.length for record in self.records)
        count = len(self.records)
        return Summary(
            episodes=count,
            successes=successes,
            success=wilson(successes, count),
            score=bootstrap(scores),
            score_iqm=bootstrap(scores, interquartile_mean),
            episode_return=sum(record.episode_return for record in self.records) / count,
            length=steps / count,
            steps=steps,
            steps_per_s=steps / self.seconds if self.seconds else 0.0,
            inference_share=self.inference_seconds / self.seconds if self.seconds else 0.0,
            energy={
                name: sum(record.energy.get(name, 0.0) for record in self.records) / count
                for name in self.records[0].energy
            },
            overdrawn=sum(record.energy.get("overdrafts", 0.0) > 0 for record in self.records),
            diverged=sum(bool(record.diverged) for record in self.records),
            alarms=Alarms.of(self.records),
        )


def write_evaluation(evaluation: Evaluation, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write an evaluation as JSON, whole or not at all.

    Raises:
        InputError: the file exists and `overwrite` is not set, or its folder cannot be written.
        TillerError: the disk is full or fails.
    """
    path = Path(path)
    check_target(path, overwrite)
    document = {"schema": SCHEMA_VERSION, "summary": to_json(evaluation.summary), **to_json(evaluation)}
    for name in ("instructions", "monitor"):
        if not document[name]:
            del document[name]
    for part in (*document["records"], *filter(None, [document["summary"]])):
        for name in _RARE:
            if not part.get(name, True):
                del part[name]
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    return write_result(path, text)


def read_evaluation(path: Path | str) -> Evaluation:
    """Read `evaluation.json`, or the one in a folder. Unknown or missing keys are errors; the summary is recomputed.

    Raises:
        InputError: there is no such file, it is no evaluation, it is of another version, or a record has a number that
            no episode has.
    """
    path = Path(path)
    try:
        path = path / FILE_NAME if path.is_dir() else path
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"evaluation {path}", expected=f"a file {FILE_NAME} that `tiller evaluate` wrote", got=str(error)
        ) from error
    if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA_VERSION:
        raise InputError(
            f"evaluation {path}",
            expected=f"schema {SCHEMA_VERSION}",
            got="another one or none",
            way_out="Evaluate again with this version",
        )
    document.pop("summary", None)
    evaluation = from_json(Evaluation, document, where=str(path))
    _require_sound(evaluation, path)
    return evaluation


def _require_sound(evaluation: Evaluation, path: Path) -> None:
    """Refuse numbers that no evaluation has, which would spoil every statistic of them."""
    _require_numbers(evaluation, str(path), ("episodes", "seconds", "inference_seconds", "latency"))
    numbers: dict[int, int] = {}
    for number, record in enumerate(evaluation.records):
        where = f"{path}: records[{number}]"
        _require_numbers(record, where, ("seed", "length", "latency"))
        for name in ("episode_return", "max_reward", "score"):
            if not isfinite(getattr(record, name)):
                _refuse(f"{where}.{name}", "a finite number", getattr(record, name))
        if record.length < 1 and not (record.monitor is not None and record.monitor.held):
            _refuse(f"{where}.length", "at least 1", record.length)
        if numbers.setdefault(record.seed, number) != number:
            _refuse(f"{where}.seed", f"another one than records[{numbers[record.seed]}]", record.seed)
        for name, value in record.energy.items():
            if not isfinite(value):
                _refuse(f"{where}.energy.{name}", "a finite number", value)
    if len(evaluation.records) > evaluation.episodes:
        _refuse(f"{path}: records", f"at most the {evaluation.episodes} of episodes", len(evaluation.records))


def _require_numbers(part: Any, where: str, names: Sequence[str]) -> None:
    """Refuse a count or a time below 0 or not finite; a latency has several of them."""
    for name in names:
        value = getattr(part, name)
        if isinstance(value, Latency):
            _require_numbers(value, f"{where}.{name}", tuple(vars(value)))
        elif not 0 <= value < inf:
            _refuse(f"{where}.{name}", "a finite number, at least 0", value)


def _refuse(thing: str, expected: str, got: float) -> NoReturn:
    raise InputError(thing, expected=expected, got=str(got), way_out="Evaluate again, or take the file as it was")


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists, unless `overwrite` is set, and make its folder; call it before long work."""
    if path.exists() and not overwrite:
        raise InputError(
            f"output {path}",
            expected="a new file",
            got="one that exists",
            way_out="Give another output, or overwrite=true",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output {path.parent}", expected="a folder that can be made", got=str(error)) from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"output {path.parent}", expected="a folder that can be written", got="no permission to write")
