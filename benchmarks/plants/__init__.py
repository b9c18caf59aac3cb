"""Reference plants that keep their own account of energy, and the harm that filters are held against on them."""

from benchmarks.plants.loop import ClosedLoop, Outcome
from benchmarks.plants.point_mass import PointMass
from benchmarks.plants.policy import Command, Policy, Seen
from benchmarks.plants.settings import LoopSettings
from benchmarks.plants.two_link import TwoLink
from benchmarks.plants.wall import NO_WALL, Wall

__all__ = [
    "NO_WALL",
    "ClosedLoop",
    "Command",
    "LoopSettings",
    "Outcome",
    "PointMass",
    "Policy",
    "Seen",
    "TwoLink",
    "Wall",
]
