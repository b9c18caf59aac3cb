"""Objectives by name, as configurations and checkpoints write them."""

from __future__ import annotations

from typing import Any, Mapping

from policies.objectives.ddpm import DDPM
from policies.objectives.edm import EDM
from policies.objectives.flow import FlowMatching
from policies.objectives.mip import MIP
from policies.objectives.objective import Objective
from policies.objectives.regression import Regression
from policies.recipe.choice import choose

OBJECTIVES: Mapping[str, type[Objective]] = {
    "ddpm": DDPM,
    "edm": EDM,
    "flow": FlowMatching,
    "mip": MIP,
    "regression": Regression,
}
"""Name in a configuration -> objective."""


def make_objective(name: str, **options: Any) -> Objective:
    """Build an objective by its name.

    Args:
        name: of `OBJECTIVES`.
        options: of the objective.

    Raises:
        InputError: no such objective or option, or an option of another type or out of range.
    """
    return choose(f"objective '{name}'", OBJECTIVES, name, options)(**options)
