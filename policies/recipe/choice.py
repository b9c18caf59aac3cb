"""Parts of a policy by name, with their options, as configurations and checkpoints write them: values of the types, and
numbers in the ranges, that the part declares.
"""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from typing import Any, Callable, Mapping

from robot.description.record import declared, read_value
from robot.errors import InputError, nearest


def choose(
    thing: str, choices: Mapping[str, Callable[..., Any]], name: str, options: Mapping[str, Any]
) -> Callable[..., Any]:
    """The choice of that name, checked to take these options.

    Raises:
        InputError: there is no such choice, it has no such option, or the option is of another type or range.
    """
    if name not in choices:
        raise InputError(thing, expected=f"one of {', '.join(choices)}", way_out=nearest(name, choices))
    part = choices[name]
    known = inspect.signature(part).parameters
    types = declared(part.__init__ if isinstance(part, type) and not is_dataclass(part) else part)  # type: ignore[misc]
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"{thing}: option '{option}'", expected=f"one of {', '.join(known)}", way_out=nearest(option, known)
            )
        if option in types:
            read_value(types[option], value, f"{thing}: {option}")
    return part
