"""Which embodiment a policy of several is to act as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from robot.errors import InputError

if TYPE_CHECKING:
    from robot.description import PolicySpec


def embodiment_for(task: str | None, given: str | None = None) -> str | Callable[[PolicySpec], str]:
    """The embodiment that was given, else what chooses the one of a task's name.

    Args:
        task: id of it; None where there is none.
        given: name of an embodiment.

    Returns:
        The name, or from the spec of a policy of several embodiments to the name of one.
    """
    if given:
        return given

    def chosen(spec: PolicySpec) -> str:
        names = [each.name for each in spec.embodiments]
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
