"""What the parts of a contract demand of their values: each refusal is one message."""

from __future__ import annotations

import re
from typing import Iterable

from robot.errors import InputError, nearest

_TOPIC = re.compile(r"~?/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*")


def require_one_of(thing: str, value: str, choices: Iterable[str]) -> None:
    """A value is one of some choices; the message offers the nearest."""
    choices = tuple(choices)
    if value not in choices:
        raise InputError(
            thing, expected=f"one of {', '.join(choices)}", got=f"'{value}'", way_out=nearest(value, choices)
        )


def require_once(thing: str, names: list[str]) -> None:
    """No name comes twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(thing, expected="each once", got=f"{', '.join(twice)} more than once")


def require_positive(thing: str, owner: object, names: tuple[str, ...]) -> None:
    """Attributes are finite and above 0, or None."""
    for name in names:
        value = getattr(owner, name)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{thing}: {name}", expected="a number above 0", got=f"{value:g}")


def require_topic(topic: str) -> None:
    """A name of a topic, as ROS has them."""
    if not _TOPIC.fullmatch(topic):
        raise InputError("topic", expected="a ROS name such as 'arm/joint_states'", got=f"'{topic}'")
