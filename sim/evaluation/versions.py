"""Versions of the software that decides what an evaluation finds."""

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
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
