"""Versions of the software that an evaluation's result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "tiller",
    "numpy",
    "torch",
    "diffusers",
    "gymnasium",
    "mujoco",
    "robosuite",
    "gym-pusht",
    "pymunk",
    "metaworld",
)


def versions() -> dict[str, str]:
    """Name -> version of Python and of every such package that is installed; nothing is imported."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
