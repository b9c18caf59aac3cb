"""Tasks of robosuite."""

from sim.tasks.robosuite.facts import names, task_info
from sim.tasks.robosuite.make import make

__all__ = ["make", "names", "task_info"]
