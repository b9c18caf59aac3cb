"""The 50 tasks of Meta-World v3."""

from sim.tasks.metaworld.facts import names, task_info
from sim.tasks.metaworld.make import make

__all__ = ["make", "names", "task_info"]
