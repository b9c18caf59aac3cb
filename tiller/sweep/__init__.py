"""`-m`: every combination of the values given, each a run of its own, here or on a cluster, resumable."""

from tiller.sweep.cells import Cell, expand
from tiller.sweep.runner import run_sweep

__all__ = ["Cell", "expand", "run_sweep"]
