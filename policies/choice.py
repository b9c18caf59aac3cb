"""Parts of a policy by name, with their options, as configurations and checkpoints write them."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping

from robot.errors import InputError, nearest


def choose(thing: str, choices: Mapping[str, Callable[..., Any]], name: str,
           options: Mapping[str, Any]) -> Callable[..., Any]:
    """The choice of that name, once it is known to take these options.

    Raises:
        InputError: there is no such choice, or it has no such option.
    """
    if name not in choices:
        raise InputError(thing, expected=f"one of {', '.join(choices)}", way_out=nearest(name, choices))
    known = inspect.signature(choices[name]).parameters
    for option in options:
        if option not in known:
            raise InputError(f"{thing}: option '{option}'", expected=f"one of {', '.join(known)}",
                             way_out=nearest(option, known))
    return choices[name]
