"""The tasks of `sim.make`."""

from sim.tasks.info import TaskInfo
from sim.tasks.registry import suite_ids, task_ids, task_info

__all__ = ["TaskInfo", "suite_ids", "task_ids", "task_info"]
