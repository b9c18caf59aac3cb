"""The learnt rungs."""

from tiller.steering.methods.registry import METHODS, make_way
from tiller.steering.methods.way import Layers, Way

__all__ = ["METHODS", "Layers", "Way", "make_way"]
