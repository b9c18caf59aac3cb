"""What costs no training: the scale of the noise, the medoid, the sampler's steps, the executed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from robot.errors import InputError
from tiller.runs.steering import with_steering
from tiller.steering.bench import Bench, Cost, successes
from tiller.steering.options import FreeOptions
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from pathlib import Path

    from robot.description import Policy

BASE = "base"
SCALES = (0.0, 0.25, 0.5, 0.75)
"""Of the noise, beside 1, which is the policy itself."""


@dataclass(frozen=True)
class Execution:
    """How chunks are drawn and executed.

    Args:
        sampler, steps: that draw; None for the policy's own.
        n_action_steps: rows executed; None for the policy's own.
    """

    sampler: str | None = None
    steps: int | None = None
    n_action_steps: int | None = None


@dataclass(frozen=True)
class Setting:
    """One way to run a policy without a change to it.

    Args:
        name: of it.
        steering: name and options of what steers; None for nothing.
        steps, n_action_steps: in place of those of the execution; None keeps them.
    """

    name: str
    steering: Mapping[str, Any] | None = None
    steps: int | None = None
    n_action_steps: int | None = None

    @property
    def scale(self) -> float | None:
        """The scale of the noise where that alone is set."""
        if self.name == BASE:
            return 1.0
        steering = self.steering or {}
        return float(steering["noise_scale"]) if steering.get("name") == "noise_scale" else None

    def around(self, policy: Policy, execution: Execution) -> Policy:
        """The policy, as it was loaded, under this setting.

        Raises:
            InputError: it cannot be run so.
        """
        return with_steering(
            policy,
            self.steering,
            sampler=execution.sampler,
            steps=self.steps or execution.steps,
            n_action_steps=self.n_action_steps or execution.n_action_steps,
            always=True,
        )


def scale_settings() -> list[Setting]:
    """The policy itself, and its noise scaled down."""
    scaled = [Setting(f"noise_scale {scale:g}", {"name": "noise_scale", "noise_scale": scale}) for scale in SCALES]
    return [Setting(BASE), *scaled]


def free_settings(
    steps: int, rows: int, *, medoid: int = 16, others: Sequence[int] = (3, 10), other_rows: Sequence[int] = ()
) -> list[Setting]:
    """All settings, the policy itself first.

    Args:
        steps, rows: of the policy itself, which are not tried again.
        medoid: chunks to take the one in the middle of.
        others: numbers of the sampler's steps.
        other_rows: numbers of executed rows.
    """
    return [
        *scale_settings(),
        Setting(f"medoid of {medoid}", {"name": "medoid", "candidates": medoid}),
        *(Setting(f"steps {each}", steps=each) for each in others if each != steps),
        *(Setting(f"rows {each}", n_action_steps=each) for each in other_rows if each != rows),
    ]


@dataclass(frozen=True, eq=False)
class Measured:
    """A setting as it did on selection seeds.

    Args:
        setting: which.
        rung: that it is.
        successes: episodes that succeeded.
        episodes: that were run.
        cost: of them.
    """

    setting: Setting
    rung: Rung
    successes: int
    episodes: int
    cost: Cost


def possible(
    policy: Policy, checkpoint: Path, execution: Execution, settings: Sequence[Setting], called: str = "{}"
) -> Iterator[tuple[Setting, Rung | None, str]]:
    """Each setting with its rung, or with the reason why the policy cannot be run so.

    Args:
        policy: as it was loaded.
        checkpoint: of it.
        execution: of the policy itself.
        settings: to try.
        called: name of a rung, with the setting's for the braces.
    """
    for setting in settings:
        try:
            yield setting, Rung(called.format(setting.name), setting.around(policy, execution), checkpoint), ""
        except InputError as error:
            if setting.name == BASE:
                raise
            yield setting, None, str(error)


def measure(bench: Bench, where: str, rungs: Sequence[tuple[Setting, Rung]], episodes: int) -> list[Measured]:
    """Run rungs on the selection seeds: the first one, and the others as long as there is time.

    Args:
        bench: to run them on.
        where: name of their evaluations' folder.
        rungs: with their settings.
        episodes: of each.
    """
    measured: list[Measured] = []
    for setting, rung in rungs:
        name = f"{where}/{setting.name}"
        if measured and bench.deadline.over and not bench.is_done(name):
            break
        if measured:
            best = max(measured, key=lambda each: each.successes)
            bench.standing = f"best so far {best.rung.name} {best.successes / best.episodes:.3f}"
        before = bench.cost
        evaluation = bench.evaluate(rung, bench.selection_seed, episodes, name)
        measured.append(Measured(setting, rung, successes(evaluation), episodes, bench.cost - before))
        print(f"{rung.name}: {measured[-1].successes} of {episodes}", flush=True)
    bench.standing = ""
    return measured


def picked(measured: Sequence[Measured]) -> Measured:
    """The one of most successes, of equal ones the first."""
    return max(measured, key=lambda each: each.successes)


def best_scale(measured: Sequence[Measured]) -> tuple[float, bool]:
    """The scale above 0 of most successes, and whether zero noise had more than that."""
    scaled = [each for each in measured if each.setting.scale is not None]
    above = picked([each for each in scaled if each.setting.scale])
    zero = [each for each in scaled if each.setting.scale == 0]
    return above.setting.scale or 1.0, bool(zero) and zero[0].successes > above.successes


def of_options(policy: Policy, options: FreeOptions) -> list[Setting]:
    """The settings to try on a policy as it is executed."""
    spec = policy.spec
    return free_settings(
        spec.sampler.steps, spec.n_action_steps, medoid=options.medoid, others=options.steps, other_rows=options.rows
    )
