"""Which embodiment a policy of several is to act as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from robot.errors import InputError

if TYPE_CHECKING:
    from robot.description import PolicySpec


def embodiment_for(task: str | None, given: str | None = None) -> Callable[[PolicySpec], str]:
    """What chooses the embodiment for a task: the one that was given, else the one of the task's name.

    Args:
        task: id of it; None where there is none.
        given: name of an embodiment.

    Returns:
        From the spec of a policy of several embodiments to the name of one.
    """

    def chosen(spec: PolicySpec) -> str:
        names = [each.name for each in spec.embodiments]
        if given:
            return given
        if task in names:
            return str(task)
        if len(names) == 1:
            return names[0]
        raise InputError(
            "embodiment",
            expected=f"one of {', '.join(names)}",
            got=f"none of the name of task {task}" if task else "none",
            way_out="Add embodiment=",
        )

    return chosen
