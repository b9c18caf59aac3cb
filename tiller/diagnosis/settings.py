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
from tiller.diagnosis.subject import BATCH, NOISE, Subject
from tiller.runs.output import read_kept
from tiller.steering import free

if TYPE_CHECKING:
    from robot.description import Policy

STEPS = (3, 10)
FIRST, MOST, UNIT = 32, 256, 16
"""Starts of the first round, at most in all, and that a number of starts is a multiple of."""


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
        kept = read_kept(file)
        try:
            return cls(file, kept["successes"], kept["lengths"], kept["limits"], kept["seconds"])
        except KeyError as error:
            raise InputError(
                f"{file}", expected=f"a value '{error.args[0]}'", got="none", way_out="Remove it: it is made again then"
            ) from None

    def write(self) -> None:
        parts = ("successes", "lengths", "limits", "seconds")
        write_file(self.file, json.dumps({name: getattr(self, name) for name in parts}))

    def done(self, name: str) -> int:
        return len(self.successes.get(name, ()))


def first_settings(subject: Subject) -> list[free.Setting]:
    """The settings that are tried first: the base, its noise scaled, its sampler in other steps."""
    scaled = [free.Setting(free.BASE)] if NOISE in subject.lacking else free.scale_settings()
    own = subject.policy.spec.sampler.steps
    return [*scaled, *(free.Setting(f"steps {steps}", steps=steps) for steps in STEPS if steps != own)]


def crossed(runs: Runs, listed: Sequence[free.Setting]) -> list[free.Setting]:
    """The best scale below 1 so far, under the other numbers of steps."""
    scaled = [each for each in listed if each.steering is not None]
    others = [each for each in listed if each.steps is not None]
    if not scaled:
        return []
    best = max(scaled, key=lambda each: sum(runs.successes[each.name][:FIRST]))
    return [free.Setting(f"{best.name}, {each.name}", best.steering, steps=each.steps) for each in others]


def possible(subject: Subject, listed: Sequence[free.Setting]) -> Iterator[tuple[free.Setting, Policy]]:
    """The settings that the policy can be run under, each with it."""
    for setting in listed:
        try:
            policy = setting.around(subject.loaded, subject.execution)
        except InputError:
            if setting.name == free.BASE:
                raise
            continue
        if setting.steps is None or policy.spec.sampler.steps == setting.steps:
            yield setting, policy


def measure(subject: Subject, budget_s: float, folder: Path) -> tuple[SettingsFigures, FailuresFigures]:
    """Run every setting on a first row of starts, and on as many more as the time allows.

    Raises:
        InputError: the task never says what a success is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = Runs.read(folder / "settings.json")
    tried = list(possible(subject, first_settings(subject)))
    for setting, policy in tried:
        run(subject, runs, setting.name, policy, FIRST)
    tried += possible(subject, crossed(runs, [setting for setting, _ in tried]))
    for setting, policy in tried:
        run(subject, runs, setting.name, policy, FIRST)
    starts = max(runs.done(setting.name) for setting, _ in tried)
    if starts == FIRST:  # else an earlier run has chosen
        spare = max(budget_s - runs.seconds, 0.0) / (runs.seconds / FIRST)
        starts = min(FIRST + int(spare) // UNIT * UNIT, MOST)
    for setting, policy in tried:
        run(subject, runs, setting.name, policy, starts)
    return figures_of([setting for setting, _ in tried], runs, subject)


def run(subject: Subject, runs: Runs, name: str, policy: Policy, starts: int) -> None:
    """Run what is missing of the starts of a setting."""
    from sim.evaluation.rollout import evaluate_policy
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


def figures_of(listed: Sequence[free.Setting], runs: Runs, subject: Subject) -> tuple[SettingsFigures, FailuresFigures]:
    """The figures of what was run."""
    outcomes = {each.name: np.array(runs.successes[each.name]) for each in listed}
    starts = len(outcomes[free.BASE])
    own = subject.policy.spec.sampler.steps if subject.policy.noise_shape is not None else 0
    settings = tuple(
        Setting(
            each.name,
            scale_of(each),
            each.steps or own,
            wilson(int(outcomes[each.name].sum()), starts),
            paired_difference(outcomes[free.BASE], outcomes[each.name]),
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
        failures_of(outcomes, np.array(runs.lengths[free.BASE]), np.array(runs.limits[free.BASE])),
    )


def scale_of(setting: free.Setting) -> float:
    """The scale of the noise under a setting."""
    return 1.0 if setting.steering is None else float(setting.steering["noise_scale"])


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
    success = outcomes[free.BASE].astype(bool)
    table = np.stack(list(outcomes.values()))
    alike = (table == table[0]).all(axis=0)
    return FailuresFigures(
        wilson(int((~success).sum()), len(success)),
        float(limits[~success].mean()) if (~success).any() else None,
        float(np.median(lengths[~success])) if (~success).any() else None,
        float(np.median(lengths[success])) if success.any() else None,
        float(alike.mean()) if len(table) > 1 else None,
    )
