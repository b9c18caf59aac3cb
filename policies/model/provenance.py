"""Where something learnt comes from."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Mapping


@dataclass(frozen=True)
class Provenance:
    """Where something learnt comes from.

    Args:
        step: updates it was trained for.
        dataset: fingerprint of the data.
        dataset_path: where they were.
        semantic_hash, operational_hash: of the robot contract, None where there is none.
        versions: package -> version it was trained with.
    """

    step: int = 0
    dataset: str = ""
    dataset_path: str = ""
    semantic_hash: str | None = None
    operational_hash: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """Versions of the packages that something is trained with."""
    installed = {"python": platform.python_version()}
    for package in ("tiller", "torch", "diffusers", "numpy"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed
