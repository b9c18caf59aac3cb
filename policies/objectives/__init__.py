"""Training objectives with their samplers."""

from policies.objectives.flow import FlowMatching
from policies.objectives.objective import Edit, Network, Objective
from policies.objectives.registry import OBJECTIVES, make_objective

__all__ = ["OBJECTIVES", "Edit", "FlowMatching", "Network", "Objective", "make_objective"]
