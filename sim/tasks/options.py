"""The options of a task as a typed, frozen dataclass, read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Mapping, TypeVar

from robot.description import from_json
from robot.description.ranges import Count, Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest
from sim.perturbations import PerturbationSelection
from sim.perturbations.sizes import Severity

Pixels = Annotated[int, Range(16, 8192, note="pixels")]
REWARDS = ("sparse", "native")
ACTIONS = ("absolute", "delta")


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What every task takes.

    Args:
        max_steps: time limit in steps; None keeps the task's own.
        render: allow `env.render()`.
        render_size: height and width of what `env.render()` returns, in pixels.
        perturbation: name of one; see docs/perturbations.md.
        severity: of it, 0 (the task as it is) to 5.
        perturbations: name -> severity, of several at once.
        randomise: draw each severity anew every episode, from 0 up to the one given.
    """

    max_steps: Count | None = None
    render: bool = False
    render_size: Pixels = 256
    perturbation: str | None = None
    severity: Severity | None = None
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "options")
        _ = self.selection  # raises InputError for invalid perturbations

    @property
    def selection(self) -> PerturbationSelection:
        """The perturbations, however they were named."""
        return PerturbationSelection.of(self.perturbation, self.severity, self.perturbations, self.randomise)


@dataclass(frozen=True, kw_only=True)
class CameraOptions(TaskOptions):
    """What tasks with cameras take besides.

    Args:
        cameras: whose images join the observation.
        image_size: height and width of those images in pixels.
        render_camera: from where `env.render()` looks.
    """

    cameras: tuple[str, ...] = ()
    image_size: Pixels = 84
    render_camera: str = "front"


Options = TypeVar("Options", bound=TaskOptions)


def read_options(kind: type[Options], options: Mapping[str, Any], task_id: str) -> Options:
    """Build the options of a task; an unknown one is an error that offers the nearest."""
    known = [each.name for each in fields(kind)]
    for name in options:
        if name not in known:
            raise InputError(
                f"option '{name}' of {task_id}",
                expected=f"one of reward, {', '.join(known)}",
                way_out=nearest(name, [*known, "reward"]),
            )
    return from_json(kind, options, where=task_id)


def one_of(thing: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, or an error that offers the nearest choice."""
    if value not in choices:
        raise InputError(
            thing, expected=f"one of {', '.join(choices)}", got=f"'{value}'", way_out=nearest(str(value), choices)
        )
    return value
