"""Objectives by name, as configurations and checkpoints write them."""

from __future__ import annotations

from typing import Any, Mapping

from policies.networks.registry import choose
from policies.objectives.flow import FlowMatching
from policies.objectives.objective import Objective

OBJECTIVES: Mapping[str, type[Objective]] = {
    "flow": FlowMatching,
}


def make_objective(name: str, **options: Any) -> Objective:
    """Build the objective that `name` means.

    Raises:
        InputError: no such objective, or it has no such option.
    """
    return choose(f"objective '{name}'", OBJECTIVES, name, options)(**options)
