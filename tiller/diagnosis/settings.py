"""Success over noise scale and sampler steps, all on the same starts."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

import numpy as np

from robot.errors import InputError
from robot.files import write_file
from sim.statistics.intervals import Interval, bootstrap, paired_difference, wilson
from tiller.diagnosis.figures import FailuresFigures, Setting, SettingsFigures
from tiller.diagnosis.subject import NOISE, Subject

if TYPE_CHECKING:
    from robot.description import Policy

BASE = "base"
SCALES = (0.0, 0.25, 0.5, 0.75)
STEPS = (3, 10)
FIRST, MOST, UNIT = 32, 256, 16
"""Starts of the first round, at most in all, and that a number of starts is a multiple of."""


@dataclass(frozen=True)
class Choice:
    """A setting to try.

    Args:
        name: of it.
        noise_scale: 1 for the policy's own noise.
        steps: of the sampler; None for those of the base.
    """

    name: str
    noise_scale: float = 1.0
    steps: int | None = None


@dataclass(eq=False)
class Runs:
    """What episodes of each setting came to, kept in a file after each call.

    Args:
        file: JSON of what is there.
        successes, lengths, limits: setting -> of each start, from the first on; whether the time limit ended it.
        seconds: that all of it took.
    """

    file: Path
    successes: dict[str, list[int]]
    lengths: dict[str, list[int]]
    limits: dict[str, list[int]]
    seconds: float = 0.0

    @classmethod
    def read(cls, file: Path) -> Runs:
        """What an earlier run left, or nothing."""
        if not file.exists():
            return cls(file, {}, {}, {})
        kept = json.loads(file.read_text(encoding="utf-8"))
        return cls(file, kept["successes"], kept["lengths"], kept["limits"], kept["seconds"])

    def write(self) -> None:
        parts = ("successes", "lengths", "limits", "seconds")
        write_file(self.file, json.dumps({name: getattr(self, name) for name in parts}))

    def done(self, name: str) -> int:
        return len(self.successes.get(name, ()))


def choices(subject: Subject) -> list[Choice]:
    """The settings that are tried first: the base, its noise scaled, its sampler in other steps."""
    listed = [Choice(BASE)]
    if NOISE not in subject.lacking:
        listed += [Choice(f"noise_scale {scale:g}", scale) for scale in SCALES]
    own = subject.policy.spec.sampler.steps
    listed += [Choice(f"steps {steps}", 1.0, steps) for steps in STEPS if steps != own]
    return listed


def crossed(subject: Subject, runs: Runs, listed: Sequence[Choice]) -> list[Choice]:
    """The best scale below 1 so far, under the other numbers of steps."""
    scaled = [each for each in listed if each.noise_scale != 1 and each.steps is None and runs.done(each.name)]
    others = [each for each in listed if each.steps is not None and runs.done(each.name)]
    if not scaled:
        return []
    best = max(scaled, key=lambda each: sum(runs.successes[each.name]))
    return [Choice(f"{best.name}, {each.name}", best.noise_scale, each.steps) for each in others]


def possible(subject: Subject, listed: Sequence[Choice]) -> Iterator[tuple[Choice, Policy]]:
    """The settings that the policy can be run under, each with it."""
    for choice in listed:
        try:
            policy = subject.under(choice.noise_scale, choice.steps)
        except InputError:
            if choice.name == BASE:
                raise
            continue
        if choice.steps is None or policy.spec.sampler.steps == choice.steps:
            yield choice, policy


def measure(subject: Subject, budget_s: float, folder: Path) -> tuple[SettingsFigures, FailuresFigures]:
    """Run every setting on a first row of starts, and on as many more as the time allows.

    Raises:
        InputError: the task never says what a success is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = Runs.read(folder / "settings.json")
    listed = list(possible(subject, choices(subject)))
    for choice, policy in listed:
        run(subject, runs, choice.name, policy, FIRST)
    more = list(possible(subject, crossed(subject, runs, [choice for choice, _ in listed])))
    for choice, policy in more:
        run(subject, runs, choice.name, policy, FIRST)
    listed += more
    done = min(runs.done(choice.name) for choice, _ in listed)
    spare = max(budget_s - runs.seconds, 0.0) / (runs.seconds / sum(runs.done(choice.name) for choice, _ in listed))
    starts = max(
        min(done + int(spare / len(listed)) // UNIT * UNIT, MOST), *(runs.done(choice.name) for choice, _ in listed)
    )
    for choice, policy in listed:
        run(subject, runs, choice.name, policy, starts)
    return figures_of([choice for choice, _ in listed], runs, subject)


def run(subject: Subject, runs: Runs, name: str, policy: Policy, starts: int) -> None:
    """Run what is missing of the starts of a setting."""
    from sim.evaluation.rollout import BATCH, evaluate_policy
    from tiller.runs.progress import Counter

    done = runs.done(name)
    if done >= starts:
        return
    began = time.monotonic()
    with Counter(f"{name} on {subject.task}", starts) as counter:
        ended = [done]

        def on_episode(record: Any) -> None:
            ended[0] += 1
            counter.show(ended[0])

        evaluation = evaluate_policy(
            policy,
            subject.task,
            episodes=starts - done,
            seed=subject.options.seed + done,
            workers=subject.options.workers,
            options=subject.task_options,
            batch=BATCH,
            on_episode=on_episode,
        )
    records = evaluation.records
    runs.successes.setdefault(name, []).extend(int(each.success) for each in records)
    runs.lengths.setdefault(name, []).extend(each.length for each in records)
    runs.limits.setdefault(name, []).extend(int(each.truncated) for each in records)
    runs.seconds += time.monotonic() - began
    runs.write()


def figures_of(listed: Sequence[Choice], runs: Runs, subject: Subject) -> tuple[SettingsFigures, FailuresFigures]:
    """The figures of what was run."""
    outcomes = {each.name: np.array(runs.successes[each.name]) for each in listed}
    starts = len(outcomes[BASE])
    own = subject.policy.spec.sampler.steps if subject.policy.noise_shape is not None else 0
    settings = tuple(
        Setting(
            each.name,
            each.noise_scale,
            each.steps or own,
            wilson(int(outcomes[each.name].sum()), starts),
            paired_difference(outcomes[BASE], outcomes[each.name]),
        )
        for each in listed
    )
    best = max(settings, key=lambda each: each.success.estimate)  # the first of equal ones
    return (
        SettingsFigures(
            settings[0].success,
            settings,
            best.name,
            best_gain(outcomes),
            starts,
            sum(map(sum, runs.lengths.values())),
            subject.options.seed,
            {name: tuple(each.tolist()) for name, each in outcomes.items()},
        ),
        failures_of(outcomes, np.array(runs.lengths[BASE]), np.array(runs.limits[BASE])),
    )


def best_gain(outcomes: Mapping[str, np.ndarray]) -> Interval:
    """What choosing the best of several settings gives over the first one, without the luck of the choice: on starts of
    even numbers by what came of odd ones, and the other way, with the bootstrap over starts.

    Args:
        outcomes: name -> (starts,) 0 or 1, the base first.
    """
    table = np.stack(list(outcomes.values()))
    even = np.arange(table.shape[1]) % 2 == 0
    gains = np.zeros(table.shape[1])
    for half in (even, ~even):
        chosen = table[:, ~half].sum(axis=1).argmax()  # the base stands first among equal ones
        gains[half] = table[chosen, half] - table[0, half]
    return bootstrap(gains)


def failures_of(outcomes: Mapping[str, np.ndarray], lengths: np.ndarray, limits: np.ndarray) -> FailuresFigures:
    """When the base's episodes end.

    Args:
        outcomes: name -> (starts,) 0 or 1.
        lengths, limits: (starts,) of the base's episodes; whether the time limit ended them.
    """
    success = outcomes[BASE].astype(bool)
    table = np.stack(list(outcomes.values()))
    alike = (table == table[0]).all(axis=0)
    return FailuresFigures(
        wilson(int((~success).sum()), len(success)),
        float(limits[~success].mean()) if (~success).any() else None,
        float(np.median(lengths[~success])) if (~success).any() else None,
        float(np.median(lengths[success])) if success.any() else None,
        float(alike.mean()) if len(table) > 1 else None,
    )
