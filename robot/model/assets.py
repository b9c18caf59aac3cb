"""Files of models: robosuite's assets, located through the installed package, which is not imported."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import mujoco

from robot.errors import InputError, MissingExtraError

PREFIX = "robosuite:"


@cache
def robosuite_assets() -> Path:
    """The folder of robosuite's assets.

    Raises:
        MissingExtraError: robosuite is not installed.
    """
    package = find_spec("robosuite")
    folders = list(package.submodule_search_locations or ()) if package is not None else []
    if not folders:
        raise MissingExtraError("Models of arms, hands and objects", "robosuite")
    return Path(folders[0]) / "models" / "assets"


def asset(name: str) -> Path:
    """The file that a description names: a path, or `robosuite:` and a path within its assets.

    Raises:
        InputError: there is no such file.
    """
    path = robosuite_assets() / name.removeprefix(PREFIX) if name.startswith(PREFIX) else Path(name).expanduser()
    if not path.is_file():
        raise InputError("model file", expected="an MJCF or URDF file", got=f"'{path}', which does not exist")
    return path


def load_model(name: str) -> mujoco.MjSpec:
    """The MJCF of an arm or tool, as its file has it.

    Args:
        name: as `asset` takes it.

    Raises:
        InputError: there is no such file, or MuJoCo does not read it.
    """
    path = asset(name)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise InputError(f"model file {path}", expected="one that MuJoCo reads", got=str(error)) from error
    if name.startswith(PREFIX):
        # Robosuite reads all its files in radians, also those without that option.
        spec.compiler.degree = False
    known: set[str] = set()
    for mesh in list(spec.meshes):
        if mesh.name in known:
            spec.delete(mesh)  # one of robosuite's files names two meshes alike; it takes the first, so do we
        known.add(mesh.name)
    return spec
