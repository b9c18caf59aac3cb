"""Where models come from: robosuite's assets, found through the installed package, which is not imported."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from robot.errors import InputError, MissingExtraError

PREFIX = "robosuite:"


@cache
def robosuite_assets() -> Path:
    """The folder of robosuite's assets.

    Raises:
        MissingExtraError: robosuite is not installed.
    """
    found = find_spec("robosuite")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise MissingExtraError("The twin's arms, hands and objects", "robosuite")
    return Path(places[0]) / "models" / "assets"


def asset(name: str) -> Path:
    """The file that a description names: a path, or `robosuite:` and a path within its assets.

    Raises:
        InputError: there is no such file.
    """
    path = robosuite_assets() / name.removeprefix(PREFIX) if name.startswith(PREFIX) else Path(name).expanduser()
    if not path.is_file():
        raise InputError("model file", expected="an MJCF or URDF file", got=f"'{path}', which does not exist")
    return path
