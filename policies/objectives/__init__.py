"""Training objectives with their samplers, all in normalised action space."""

from policies.objectives.ddpm import DDPM
from policies.objectives.edm import EDM
from policies.objectives.flow import FlowMatching
from policies.objectives.mip import MIP
from policies.objectives.objective import Edit, Network, Objective
from policies.objectives.registry import OBJECTIVES, make_objective
from policies.objectives.regression import Regression

__all__ = [
    "DDPM",
    "EDM",
    "MIP",
    "OBJECTIVES",
    "Edit",
    "FlowMatching",
    "Network",
    "Objective",
    "Regression",
    "make_objective",
]
