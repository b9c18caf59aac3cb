"""Summary of many evaluations: each with its interval, policies over tasks, policies against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from sim.statistics.aggregates import PerformanceProfile, over_tasks, performance_profile, pooled_mean
from sim.statistics.comparison import Comparison, compare_records
from sim.statistics.groups import Group, Named, PolicyEntry, group, seed_ranges
from sim.statistics.intervals import Interval, bootstrap, interquartile_mean, mean, wilson
from sim.statistics.records import EpisodeRecord
from sim.statistics.robustness import RobustnessCurve, robustness_curve

ALL_PAIRS = 4
"""Up to as many policies each is compared with each; of more, the others with the first."""

THRESHOLDS = tuple(np.linspace(0.0, 1.0, 51))


@dataclass(frozen=True)
class Result:
    """One policy on one task in one setting. Intervals as in `sim.statistics.records.Summary`.

    Args:
        policy, task, setting, options, cells: as in `sim.statistics.groups.Group`.
        perturbation, severity: as in `sim.statistics.groups.Group`.
        seeds: of the episodes, as ranges.
        diverged: episodes that failed as their physics could not go on.
    """

    policy: str
    task: str
    setting: str
    options: Mapping[str, Any]
    perturbation: str
    severity: float | None
    seeds: str
    episodes: int
    successes: int
    success: Interval
    score: Interval
    score_iqm: Interval
    cells: tuple[str, ...]
    diverged: int = 0


@dataclass(frozen=True)
class Aggregate:
    """One policy over the tasks that every policy was measured on in this setting, with stratified bootstrap intervals.

    Args:
        tasks: which ones.
        success_iqm, score_iqm: interquartile mean of the tasks' mean success and score.
        success_mean: mean of the tasks' success.
        profile: of the scores; None where they are 0 or 1 only.
    """

    policy: str
    setting: str
    tasks: tuple[str, ...]
    success_iqm: Interval
    score_iqm: Interval
    success_mean: Interval
    profile: PerformanceProfile | None


@dataclass(frozen=True)
class Versus:
    """Two policies on the seeds that both were measured on; differences are second minus first.

    Args:
        task: None for all tasks together.
        setting: as in `sim.statistics.groups.Group`.
    """

    first: str
    second: str
    task: str | None
    setting: str
    result: Comparison


@dataclass(frozen=True)
class Robustness:
    """Success of a policy against the severity of a perturbation.

    Args:
        task: None for all tasks together.
        setting: the other options that differ, as text.
    """

    policy: str
    task: str | None
    perturbation: str
    setting: str
    curve: RobustnessCurve


@dataclass(frozen=True)
class SweepSummary:
    """The whole summary, each part in the order of the evaluations."""

    policies: tuple[PolicyEntry, ...]
    results: tuple[Result, ...]
    aggregates: tuple[Aggregate, ...]
    comparisons: tuple[Versus, ...]
    robustness: tuple[Robustness, ...]


def summarise(named: Sequence[Named]) -> SweepSummary:
    """Sum up evaluations that hold at least one episode each.

    Raises:
        InputError: episodes would be counted twice.
    """
    policies, groups = group(named)
    names = [policy.name for policy in policies]
    return SweepSummary(
        tuple(policies),
        tuple(map(_result, groups)),
        tuple(_aggregates(names, groups)),
        tuple(_comparisons(names, groups)),
        tuple(_robustness(groups)),
    )


def _result(one: Group) -> Result:
    scores, successes = _scores(one.records), sum(record.success for record in one.records)
    return Result(
        one.policy,
        one.task,
        one.setting,
        one.options,
        one.perturbation,
        one.severity,
        seed_ranges(one.records),
        len(scores),
        successes,
        wilson(successes, len(scores)),
        bootstrap(scores),
        bootstrap(scores, interquartile_mean),
        one.cells,
        sum(bool(record.diverged) for record in one.records),
    )


def _aggregates(policies: Sequence[str], groups: Sequence[Group]) -> Iterator[Aggregate]:
    for setting in dict.fromkeys(one.setting for one in groups):
        table = {(one.policy, one.task): one.records for one in groups if one.setting == setting}
        present = [policy for policy in policies if any(owner == policy for owner, _ in table)]
        tasks = [
            task
            for task in dict.fromkeys(task for _, task in table)
            if all((policy, task) in table for policy in present)
        ]
        graded = any(record.score not in (0.0, 1.0) for records in table.values() for record in records)
        for policy in present if tasks else ():
            scores = [_scores(table[policy, task]) for task in tasks]
            successes = [_successes(table[policy, task]) for task in tasks]
            yield Aggregate(
                policy,
                setting,
                tuple(tasks),
                over_tasks(successes),
                over_tasks(scores),
                over_tasks(successes, mean),
                performance_profile(scores, THRESHOLDS) if graded else None,
            )


def _comparisons(policies: Sequence[str], groups: Sequence[Group]) -> Iterator[Versus]:
    pairs = combinations(policies, 2) if len(policies) <= ALL_PAIRS else ((policies[0], one) for one in policies[1:])
    conditions = list(dict.fromkeys((one.task, one.setting) for one in groups))
    table = {(one.policy, one.task, one.setting): one.records for one in groups}
    for first, second in pairs:
        shared: dict[tuple[str, str], tuple[list[EpisodeRecord], list[EpisodeRecord]]] = {}
        for task, setting in conditions:
            sides = _shared(table.get((first, task, setting), ()), table.get((second, task, setting), ()))
            if sides[0]:
                shared[task, setting] = sides
        # Over tasks only: the same starts in several settings would pass for that many independent pairs.
        for setting in dict.fromkeys(setting for _, setting in shared):
            some = [sides for (_, its), sides in shared.items() if its == setting]
            if len(some) > 1:
                yield Versus(first, second, None, setting, _pooled(some))
        for (task, setting), sides in shared.items():
            yield Versus(first, second, task, setting, compare_records(*sides))


def _pooled(strata: Sequence[tuple[list[EpisodeRecord], list[EpisodeRecord]]]) -> Comparison:
    """All pairs of all tasks as one comparison; its intervals draw pairs within each task."""
    whole = compare_records(*([record for sides in strata for record in sides[side]] for side in (0, 1)))
    success, score = (
        pooled_mean([np.subtract(read(two), read(one)) for one, two in strata]) for read in (_successes, _scores)
    )
    return replace(whole, success=success, score=score)


def _robustness(groups: Sequence[Group]) -> Iterator[Robustness]:
    """A curve for each policy, task and perturbation that was measured at several severities; unperturbed episodes are
    its severity 0 where the perturbation has none of its own.
    """
    curves: dict[tuple[str, str, str], dict[str, dict[float, Group]]] = {}
    clean = {(one.policy, one.task, one.unperturbed_setting): one for one in groups if not one.perturbation}
    for one in groups:
        if one.perturbation and one.severity is not None:
            key = (one.policy, one.perturbation, one.unperturbed_setting)
            curves.setdefault(key, {}).setdefault(one.task, {})[one.severity] = one
    for (policy, perturbation, setting), by_task in curves.items():
        for task, levels in by_task.items():
            unperturbed = clean.get((policy, task, setting))
            if 0.0 not in levels and unperturbed is not None:
                levels[0.0] = unperturbed
        several = {task: levels for task, levels in by_task.items() if len(levels) > 1}
        if len(several) > 1 and len({frozenset(levels) for levels in several.values()}) == 1:
            yield Robustness(policy, None, perturbation, setting, _curve(list(several.values())))
        for task, levels in several.items():
            yield Robustness(policy, task, perturbation, setting, _curve([levels]))


def _curve(tasks: Sequence[Mapping[float, Group]]) -> RobustnessCurve:
    measured = [
        (severity, int(sum(_successes(one.records))), len(one.records))
        for levels in tasks
        for severity, one in levels.items()
    ]
    same_seeds = any(_seeds(one) & _seeds(other) for levels in tasks for one, other in combinations(levels.values(), 2))
    return robustness_curve(measured, same_seeds=same_seeds)


def _shared(
    first: Sequence[EpisodeRecord], second: Sequence[EpisodeRecord]
) -> tuple[list[EpisodeRecord], list[EpisodeRecord]]:
    seeds = {record.seed for record in first} & {record.seed for record in second}
    one, two = ([record for record in side if record.seed in seeds] for side in (first, second))
    return one, two


def _seeds(one: Group) -> set[int]:
    return {record.seed for record in one.records}


def _scores(records: Sequence[EpisodeRecord]) -> list[float]:
    return [record.score for record in records]


def _successes(records: Sequence[EpisodeRecord]) -> list[float]:
    return [float(record.success) for record in records]
