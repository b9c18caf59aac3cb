"""Where two sets of options differ."""

from __future__ import annotations

import json
from typing import Any, Mapping


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> tuple[str, str, str] | None:
    """The first option of `now` that was another one: its dotted name, what it was, and what it is; None where none
    was. Options that `before` lacks count as null.

    Args:
        before, now: name -> plain value, nested.
        where: name that they are below.
    """
    for name, value in now.items():
        full, old = f"{where}.{name}" if where else name, before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            within = first_difference(old, value, full)
            gone = next((key for key in old if key not in value), None)
            if within is not None:
                return within
            if gone is not None:
                return f"{full}.{gone}", str(old[gone]), "nothing"
        elif json.loads(json.dumps(value)) != old:
            return full, str(old), str(value)
    return None
