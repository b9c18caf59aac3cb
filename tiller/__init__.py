"""The public face of tiller.

    import tiller

    env = tiller.make("pusht/state")
    policy = tiller.load("outputs/train/pusht")
    result = tiller.evaluate(policy, "pusht/state", episodes=50, seed=100_000)
    print(result.summary.score)

    robot = tiller.connect("panda")    # its twin, alone at a table
    robot.execute(chunk)
    robot.clock.sleep_until(robot.clock.monotonic_ns() + 1_000_000_000)

Importing this package is cheap: rooms are imported when something of theirs is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiller.rooms import warn_of_shadowed_rooms

if TYPE_CHECKING:
    from pathlib import Path

    import gymnasium

    from robot.description import Policy, Robot
    from sim.rollout import Evaluation

__version__ = "0.1.0"
__all__ = ["connect", "evaluate", "load", "make"]

warn_of_shadowed_rooms()


def load(
    checkpoint: str | Path, *, device: str = "cpu", sampler: str | None = None, steps: int | None = None
) -> Policy:
    """Load a trained policy.

    Args:
        checkpoint: the folder that `tiller train` wrote, or a checkpoint folder within it.
        device: `cpu`, `cuda` or `auto`.
        sampler, steps: how actions are drawn, instead of the policy's default.

    Returns:
        A policy whose `sample` maps observations (name -> (batch, steps, ...), raw units) to chunks
        (batch, samples, horizon, dim), raw units.

    Raises:
        InputError: no checkpoint there, of another version or incomplete.
    """
    from policies import checkpoint as checkpoints

    return checkpoints.load(checkpoint, device=device).with_sampler(sampler, steps)


def make(task_id: str, **options: Any) -> gymnasium.Env:
    """Build a task as a Gymnasium environment; see `sim.make`."""
    import sim

    return sim.make(task_id, **options)


def connect(robot: str, **options: Any) -> Robot:
    """The twin of a robot, alone at its table; see `sim.twin.make_twin`.

    Args:
        robot: a file of `configs/robot`, or a path.
        options: `control`, `period_s`, `inner_hz`.
    """
    from sim.twin import make_twin

    return make_twin(robot, **options)


def evaluate(policy: Policy | str | Path, task_id: str, *, episodes: int = 50, seed: int = 100_000, workers: int = 1,
             **options: Any) -> Evaluation:
    """Measure a policy on a task: one record for each of the seeds `seed .. seed + episodes - 1`.

    Args:
        policy: any policy, or the folder of a checkpoint.
        task_id: for example `pusht/state`.
        episodes, seed, workers: the records do not depend on the number of workers.
        options: more arguments of `sim.rollout.evaluate_policy`.

    Raises:
        InputError: the policy's observations or actions are not the task's; both are shown.
    """
    from os import PathLike

    from sim.rollout import evaluate_policy

    loaded = load(policy) if isinstance(policy, (str, PathLike)) else policy
    return evaluate_policy(loaded, task_id, episodes=episodes, seed=seed, workers=workers, **options)
