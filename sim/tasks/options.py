"""The options of a task as a typed, frozen dataclass, read strictly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping, TypeVar

from robot.description import from_json
from robot.errors import InputError, nearest

REWARDS = ("sparse", "native")


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What every task takes.

    Args:
        max_steps: time limit in steps; None keeps the task's own.
        render: allow `env.render()`.
        render_size: height and width of what `env.render()` returns, in pixels.
    """

    max_steps: int | None = None
    render: bool = False
    render_size: int = 256

    def __post_init__(self) -> None:
        if self.max_steps is not None and self.max_steps < 1:
            raise InputError("option max_steps", expected="at least 1", got=str(self.max_steps))
        if self.render_size < 16:
            raise InputError("option render_size", expected="at least 16 pixels", got=str(self.render_size))


Options = TypeVar("Options", bound=TaskOptions)


def read_options(kind: type[Options], options: Mapping[str, Any], task_id: str) -> Options:
    """Build the options of a task; an unknown one is an error that offers the nearest."""
    known = [field.name for field in fields(kind)]
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
