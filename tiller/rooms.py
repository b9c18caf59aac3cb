"""Rooms have short names (`robot`, `data`): warn when a foreign package of the same name is found first."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("robot", "data", "policies", "sim", "real")


def shadowed_rooms() -> dict[str, str]:
    """Rooms that are not tiller's own: name -> path of the foreign package, or '' where there is none.

    Tiller's rooms are beside the package `tiller`, in a checkout and in site-packages alike.
    """
    home = Path(__file__).resolve().parents[1]
    foreign = {}
    for room in ROOMS:
        spec = find_spec(room)
        paths = [] if spec is None else list(spec.submodule_search_locations or [spec.origin or "built in"])
        if home / room not in (Path(path).resolve() for path in paths):
            foreign[room] = ", ".join(paths)
    return foreign


def warn_of_shadowed_rooms() -> None:
    """Warn once, when `tiller` is imported, of every room that is not tiller's own."""
    for room, where in shadowed_rooms().items():
        problem = f"is shadowed by {where}" if where else "is not installed"
        warnings.warn(
            f"tiller's package '{room}' {problem}. Give tiller an environment of its own: make a new "
            "virtual environment, and run it outside a folder that holds that package.",
            stacklevel=3,
        )
