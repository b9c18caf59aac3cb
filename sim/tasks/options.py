"""The options of a task as a typed, frozen dataclass, read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Mapping, TypeVar

from robot.description import from_json
from robot.errors import InputError, nearest
from sim.perturbations import Asked

REWARDS = ("sparse", "native")


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

    max_steps: int | None = None
    render: bool = False
    render_size: int = 256
    perturbation: str | None = None
    severity: int | None = None
    perturbations: Mapping[str, int] = field(default_factory=dict)
    randomise: bool = False

    def __post_init__(self) -> None:
        if self.max_steps is not None and self.max_steps < 1:
            raise InputError("option max_steps", expected="at least 1", got=str(self.max_steps))
        if self.render_size < 16:
            raise InputError("option render_size", expected="at least 16 pixels", got=str(self.render_size))
        _ = self.asked  # refuses what cannot be asked for

    @property
    def asked(self) -> Asked:
        """The perturbations, however they were named."""
        return Asked.of(self.perturbation, self.severity, self.perturbations, self.randomise)


@dataclass(frozen=True, kw_only=True)
class CameraOptions(TaskOptions):
    """What tasks with cameras take besides.

    Args:
        cameras: whose images join the observation.
        image_size: height and width of those images in pixels.
        render_camera: from where `env.render()` looks.
    """

    cameras: tuple[str, ...] = ()
    image_size: int = 84
    render_camera: str = "front"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < 16:
            raise InputError("option image_size", expected="at least 16 pixels", got=str(self.image_size))


Options = TypeVar("Options", bound=TaskOptions)


def read_options(kind: type[Options], options: Mapping[str, Any], task_id: str) -> Options:
    """Build the options of a task; an unknown one is an error that offers the nearest."""
    known = [each.name for each in fields(kind)]
    for name in options:
        if name not in known:
            raise InputError(f"option '{name}' of {task_id}", expected=f"one of reward, {', '.join(known)}",
                             way_out=nearest(name, [*known, "reward"]))
    return from_json(kind, options, where=task_id)


def one_of(thing: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, or an error that offers the nearest choice."""
    if value not in choices:
        raise InputError(thing, expected=f"one of {', '.join(choices)}", got=f"'{value}'",
                         way_out=nearest(str(value), choices))
    return value
