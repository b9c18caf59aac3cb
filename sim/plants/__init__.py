"""Reference plants that keep their own account of energy, and the harm that filters are held against on them."""

from sim.plants.loop import ClosedLoop, Outcome
from sim.plants.point_mass import PointMass
from sim.plants.policy import Command, Policy, Seen
from sim.plants.settings import LoopSettings
from sim.plants.two_link import TwoLink
from sim.plants.wall import NO_WALL, Wall

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
