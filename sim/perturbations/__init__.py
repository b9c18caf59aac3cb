"""Differences of a task from the one a policy was trained on, in steps of severity from 0 (none) to 5."""

from sim.perturbations.selection import PerturbationSelection, perturbed
from sim.perturbations.sizes import SIZES, WORST, load_sizes

__all__ = ["SIZES", "WORST", "PerturbationSelection", "load_sizes", "perturbed"]
