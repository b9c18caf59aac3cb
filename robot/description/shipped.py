"""Where the files that tiller ships lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from robot.errors import InputError


@cache
def configs_folder() -> Path:
    """The folder `configs`: beside the rooms in a checkout, inside `tiller` when installed from a wheel.

    Raises:
        InputError: it is in neither place.
    """
    rooms = Path(__file__).resolve().parents[2]
    for folder in (rooms / "tiller" / "configs", rooms / "configs"):
        if folder.is_dir():
            return folder
    raise InputError("configs", expected=f"a folder below {rooms}", way_out="Install tiller again")
