"""Evaluations sorted by what was measured: which policy, on which task, in which setting; disjoint seeds are joined."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from robot.errors import InputError
from sim.statistics.records import EpisodeRecord, Evaluation

Named = tuple[str, Evaluation]
"""The name of an evaluation, for example its folder, and the evaluation."""

STEERING = "steering"
"""Key of a policy's description: the settings of what steers it, from the inside out."""

PERTURBATION, SEVERITY, PERTURBATIONS = "perturbation", "severity", "perturbations"
"""Options of a task; see `sim.tasks.options.TaskOptions`."""


@dataclass(frozen=True)
class PolicyEntry:
    """A policy as it was evaluated: two samplers of one checkpoint are two policies.

    Args:
        name: a short one that is unique among the policies of a summary.
        description: of the evaluation: checkpoint, hash, sampler, steps and so on.
        n_action_steps: rows executed per plan.
        ensemble: of overlapping plans, if any.
    """

    name: str
    description: Mapping[str, Any]
    n_action_steps: int
    ensemble: Mapping[str, float]


@dataclass(frozen=True)
class Group:
    """All episodes of one policy on one task in one setting.

    Args:
        policy: its name.
        task: id of the task.
        setting: the task's options that differ within the summary, as text; empty where none do.
        options: the same as values, and the perturbations.
        cells: the evaluations that the episodes come from.
        records: in the order of their seeds, each seed once.
    """

    policy: str
    task: str
    setting: str
    options: Mapping[str, Any]
    cells: tuple[str, ...]
    records: tuple[EpisodeRecord, ...]

    @property
    def perturbation(self) -> str:
        """Names of the perturbations, joined by `+`; empty for none."""
        return "+".join(self._severities)

    @property
    def severity(self) -> float | None:
        """Severity of the perturbations; 0 for none, None where several differ."""
        several = set(self._severities.values())
        return several.pop() if len(several) == 1 else None if several else 0.0

    @property
    def _severities(self) -> dict[str, float]:
        return severities_of(self.options)

    @property
    def unperturbed_setting(self) -> str:
        """The setting without perturbations and severities."""
        return _text(self.options, [key for key in self.options if key not in (PERTURBATION, SEVERITY, PERTURBATIONS)])


def group(named: Sequence[Named]) -> tuple[list[PolicyEntry], list[Group]]:
    """Sort evaluations into policies and groups, both in the order of their first appearance.

    Raises:
        InputError: two evaluations of a group share seeds, so that joining them would count episodes twice.
    """
    entries: dict[str, Evaluation] = {}
    for _, evaluation in named:
        entries.setdefault(_policy_key(evaluation), evaluation)
    names = dict(zip(entries, policy_names(list(entries.values()))))
    varying = _varying([evaluation for _, evaluation in named])
    members: dict[tuple[str, str, str], list[Named]] = {}
    for name, evaluation in named:
        key = (names[_policy_key(evaluation)], evaluation.task, _canonical(evaluation.options))
        members.setdefault(key, []).append((name, evaluation))
    groups = []
    for (policy, task, _), some in members.items():
        given = some[0][1].options
        # Besides the options that differ, perturbations are kept wherever they were given.
        shown = {
            key: given.get(key)
            for key in dict.fromkeys([*varying, PERTURBATION, SEVERITY, PERTURBATIONS])
            if key in varying or key in given
        }
        groups.append(Group(policy, task, _text(shown, varying), shown, tuple(name for name, _ in some), _joined(some)))
    policies = [PolicyEntry(names[key], one.policy, one.n_action_steps, one.ensemble) for key, one in entries.items()]
    return policies, groups


def policy_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """Short names: the parts in which the checkpoints' paths differ, and the sampler and so on where a checkpoint is
    there more than once.
    """
    paths = [str(one.policy.get("checkpoint") or "policy") for one in evaluations]
    short = dict(zip(dict.fromkeys(paths), _told_apart(list(dict.fromkeys(paths)))))
    traits = [
        {
            **{key: value for key, value in one.policy.items() if key not in ("checkpoint", STEERING)},
            **({STEERING: steering_text(one.policy)} if STEERING in one.policy else {}),
            "n_action_steps": one.n_action_steps,
            "delay_steps": one.delay_steps,
            **{f"ensemble {key}": value for key, value in one.ensemble.items()},
        }
        for one in evaluations
    ]
    names = []
    for path, trait in zip(paths, traits):
        rivals = [other for other_path, other in zip(paths, traits) if other_path == path]
        differing = [
            key
            for key in dict.fromkeys(key for other in rivals for key in other)
            if len({_canonical(other.get(key)) for other in rivals}) > 1
        ]
        names.append(" ".join([short[path], *(f"{key}={_shown(trait.get(key))}" for key in differing)]))
    return names


def steering_text(description: Mapping[str, Any]) -> str:
    """What steers a policy, from the inside out, as `noise_scale 0.25 + medoid candidates=16`; empty for nothing."""
    parts = []
    for settings in description.get(STEERING) or ():
        options = [
            _shown(value) if key == settings["name"] else f"{key}={_shown(value)}"
            for key, value in settings.items()
            if key != "name" and value is not None
        ]
        parts.append(" ".join([str(settings["name"]), *options]))
    return " + ".join(parts)


def perturbation_text(options: Mapping[str, Any]) -> str:
    """The perturbations of a task's options as `object_pose 5 + friction 2`; empty for none."""
    severities = severities_of(options)
    return " + ".join(f"{name} {severity:g}" for name, severity in severities.items())


def severities_of(options: Mapping[str, Any]) -> dict[str, float]:
    """Name -> severity of a task's options, from either form: `perturbation` with `severity`, or `perturbations`."""
    given = dict(options.get(PERTURBATIONS) or {})
    if options.get(PERTURBATION) is not None:
        given[str(options[PERTURBATION])] = options.get(SEVERITY) or 0
    return {str(name): float(severity) for name, severity in sorted(given.items())}


def seed_ranges(records: Sequence[EpisodeRecord]) -> str:
    """Rising seeds as `0-49, 1000-1049`."""
    ranges: list[list[int]] = []
    for record in records:
        if ranges and record.seed == ranges[-1][1] + 1:
            ranges[-1][1] = record.seed
        else:
            ranges.append([record.seed, record.seed])
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in ranges)


def _joined(named: Sequence[Named]) -> tuple[EpisodeRecord, ...]:
    owners: dict[int, str] = {}
    for name, evaluation in named:
        for record in evaluation.records:
            if record.seed in owners:
                raise InputError(
                    f"summary of {evaluation.task}",
                    expected="evaluations of one policy with disjoint seeds",
                    got=f"seed {record.seed} both in {owners[record.seed]} and in {name}",
                    way_out="Take seeds that are further apart than the number of episodes",
                )
            owners[record.seed] = name
    return tuple(sorted((record for _, one in named for record in one.records), key=lambda record: record.seed))


def _policy_key(evaluation: Evaluation) -> str:
    return _canonical([evaluation.policy, evaluation.n_action_steps, evaluation.ensemble, evaluation.delay_steps])


def _varying(evaluations: Sequence[Evaluation]) -> list[str]:
    """Options that are not the same in all evaluations of some task."""
    varying: dict[str, None] = {}
    for task in dict.fromkeys(one.task for one in evaluations):
        options = [one.options for one in evaluations if one.task == task]
        for key in dict.fromkeys(key for each in options for key in each):
            if len({_canonical(each.get(key)) for each in options}) > 1:
                varying[key] = None
    if SEVERITY in varying:  # of what, even where it is the same for all
        varying = {PERTURBATION: None, **varying}
    return list(varying)


def _told_apart(paths: Sequence[str]) -> list[str]:
    """The parts of paths between what all of them begin with and what all of them end with; whole paths where that
    leaves two the same.
    """
    split = [[part for part in path.split(os.sep) if part] for path in paths]
    if len(split) == 1:
        # In runs/pusht/checkpoints/final the third part from the end is the telling one.
        parts = split[0]
        return [parts[-3] if len(parts) > 2 and parts[-2] == "checkpoints" else parts[-1]]
    head = _shared_parts(split)
    tail = _shared_parts([parts[head:][::-1] for parts in split])
    names = ["/".join(parts[head : len(parts) - tail]) or parts[-1] for parts in split]
    return names if len(set(names)) == len(names) else list(paths)


def _shared_parts(split: Sequence[Sequence[str]]) -> int:
    """The number of leading parts that are the same in all."""
    shared = 0
    for parts in zip(*split):
        if len(set(parts)) > 1:
            break
        shared += 1
    return shared


def _text(options: Mapping[str, Any], keys: Sequence[str]) -> str:
    """`friction 3, max_steps=100`."""
    parts = [f"{key}={_shown(options[key])}" for key in keys if key not in (PERTURBATION, SEVERITY)]
    if PERTURBATION in keys:
        name = options[PERTURBATION]
        parts.insert(0, "unperturbed" if name is None else f"{name} {_shown(options.get(SEVERITY))}")
    return ", ".join(parts)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)
