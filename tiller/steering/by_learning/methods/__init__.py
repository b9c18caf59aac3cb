"""The learnt rungs."""

from tiller.steering.by_learning.methods.registry import METHODS, make_way
from tiller.steering.by_learning.methods.way import Layers, Way

__all__ = ["METHODS", "Layers", "Way", "make_way"]
