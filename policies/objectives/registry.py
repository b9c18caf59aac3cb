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


def make_objective(name: str, **options: Any) -> Objective:
    """Build the objective that `name` means.

    Raises:
        InputError: no such objective, or it has no such option.
    """
    return choose(f"objective '{name}'", OBJECTIVES, name, options)(**options)
