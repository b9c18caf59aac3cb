"""Tasks, scripted experts, rollouts and reports. `sim.make(id)` builds any task as a Gymnasium environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.tasks.environment import TaskEnv

__all__ = ["make"]


def make(task_id: str, *, reward: str = "sparse", **options: Any) -> TaskEnv:
    """Build a task as a Gymnasium environment.

    Args:
        task_id: for example `pusht/state`, `robosuite/Lift`, `gym/Pendulum-v1`; `sim.tasks.task_ids()` lists them.
        reward: `sparse` (1 at success, else 0) or `native` (the suite's own).
        options: of the suite; `render=True` allows `env.render()`.

    Returns:
        An environment with `task`, `observation_spec` and `action_spec`. Observations are dicts of arrays, actions
        (dim,) raw absolute targets. Success terminates, the time limit truncates, `info` has `success` and `score`.

    Raises:
        InputError: the task, the option or its value is unknown.
        MissingExtraError: the suite is not installed.
    """
    from sim.tasks.registry import suite_of

    suite, name = suite_of(task_id)
    return suite.make(name, reward=reward, options=options)
