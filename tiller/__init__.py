"""The public face of tiller.

    import tiller

    env = tiller.make("pusht/state")
    policy = tiller.load("outputs/train/pusht")
    result = tiller.evaluate(policy, "pusht/state", episodes=50, seed=100_000)
    print(result.summary.score)

    import gymnasium

    env = gymnasium.make("tiller/twin-lift-v0", action="delta", reward="native")    # for libraries of RL

    with tiller.connect("panda_twin") as robot:    # over its ROS 2 graph, which is started; "panda": in this process
        robot.wait_until_ready()
        robot.home()
        robot.execute(chunk)

Importing this package is cheap: rooms are imported when something of theirs is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiller.registration import register_with_gymnasium
from tiller.rooms import warn_of_shadowed_rooms

if TYPE_CHECKING:
    from pathlib import Path

    import gymnasium

    from policies.model.trainable import LossModule
    from policies.training.trainer import TrainingResult
    from robot.description import ConnectedRobot, Critic, Policy
    from robot.monitoring.monitor import Monitor
    from sim.evaluation.rollout import Evaluation

__version__ = "0.1.0"
__all__ = ["connect", "evaluate", "fit", "load", "load_critic", "load_monitor", "make"]

warn_of_shadowed_rooms()
register_with_gymnasium()


def load(
    checkpoint: str | Path,
    *,
    device: str = "cpu",
    sampler: str | None = None,
    steps: int | None = None,
    embodiment: str = "",
) -> Policy:
    """Load a trained policy.

    Args:
        checkpoint: the folder that `tiller train` wrote, a checkpoint folder within it, or one of a steered policy.
        device: `cpu`, `cuda` or `auto`.
        sampler, steps: how actions are drawn, instead of the policy's default.
        embodiment: that it is to act as, of a policy of several, such as `twin/lift`.

    Returns:
        A policy whose `sample` maps observations (name -> (batch, steps, ...), raw units) to chunks
        (batch, samples, horizon, dim), raw units.

    Raises:
        InputError: no checkpoint there, of another version or incomplete; no such device or sampler, or steps that it
            cannot take.
    """
    from policies.loading.load import load as loaded

    return loaded(checkpoint, device=device, embodiment=embodiment).with_sampler(sampler, steps)


def load_critic(checkpoint: str | Path, *, device: str = "cpu") -> Critic:
    """Load a trained critic.

    Args:
        checkpoint: the folder that `tiller train critic=...` wrote, or a checkpoint folder within it.
        device: `cpu`, `cuda` or `auto`.

    Returns:
        A critic whose `value` maps observations and the executed rows of chunks (batch, samples, k, dim), raw units, to
        values (batch, samples).

    Raises:
        InputError: no critic there but a policy or nothing, or a checkpoint of another version or incomplete.
    """
    from policies.critics.checkpoint import load_critic as loaded

    return loaded(checkpoint, device)


def load_monitor(path: str | Path, *, device: str = "cpu") -> Monitor:
    """Load a monitor, which tells whether a policy is failing while it acts.

    Args:
        path: the folder that `tiller train monitor=...` wrote, or the monitor's within it.
        device: of a critic that scores; the rest is on the CPU.

    Returns:
        A monitor: `prepared(policy)` is the policy with what it reads in its decisions, and `watch()` takes them one
        by one. `tiller.evaluate(..., monitor=monitor)` does both.

    Raises:
        InputError: no monitor there, or one of another version or incomplete.
    """
    from policies.monitoring.checkpoint import load_monitor as loaded

    return loaded(path, device)


def fit(module: LossModule, data: Any, output: str | Path, **options: Any) -> TrainingResult:
    """Train a module of one's own, such as a critic, with the trainer that trains policies.

    Args:
        module: a `policies.model.trainable.LossModule`: its `loss(batch, generator)` is the sum over a batch.
        data: a dataset of recorded episodes, or several, or where they are.
        output: folder for checkpoints and curves.
        options: `config`, `keys`, `horizon`, `facts` and others of `policies.training.module.fit_module`.

    Returns:
        How the run ended, and the checkpoint to load with `policies.training.module.load_module`.

    Raises:
        InputError: data, output or an option do not fit.
        TillerError: training diverged.
    """
    from policies.training.module import fit_module

    return fit_module(module, data, output, **options)


def make(task_id: str, **options: Any) -> gymnasium.Env:
    """Build a task as a Gymnasium environment; see `sim.make`.

    Args:
        task_id: `SUITE/NAME`, for example `pusht/state`; `sim.tasks.task_ids()` lists them.
        options: `reward`, `sparse` or `native`, and those of the suite.

    Returns:
        A `sim.tasks.environment.TaskEnv`: observations are dicts of arrays, actions (dim,) raw absolute targets.

    Raises:
        InputError: the task, an option or its value is unknown.
        MissingExtraError: the suite is not installed.
    """
    import sim

    return sim.make(task_id, **options)


def connect(robot: str, **options: Any) -> ConnectedRobot:
    """A robot to command: over its ROS 2 graph, or its twin in this process.

    Args:
        robot: a contract (a name of `configs/contract`, such as `panda_twin`, or a file) gives a
            `real.connection.robot.RosRobot`: it joins the graph, or starts the one of a twin. A robot (a name of
            `configs/robot`, such as `panda`, or a file) gives its twin alone at a table, in this process and in
            virtual time: `sim.twin.connected.ConnectedTwin`. A name that is both (`xarm7`) is the robot; its contract
            is the file `configs/contract/xarm7.yaml`.
        options: of a contract as `RosRobot` takes them; of a robot `control`, `period_s`, `inner_hz`.

    Returns:
        It as a context manager with `wait_until_ready`, `home` and `move_to` beside the protocol of every robot.

    Raises:
        InputError: there is no robot and no contract of that name, its file is wrong, or a value or an option of a
            contract is.
        MissingExtraError: a contract needs rclpy, and it is not installed.
        TypeError: a robot has no such option.
    """
    from tiller.connection import connect as connected

    return connected(robot, **options)


def evaluate(
    policy: Policy | str | Path,
    task_id: str,
    *,
    episodes: int = 50,
    seed: int = 100_000,
    workers: int = 1,
    **options: Any,
) -> Evaluation:
    """Measure a policy on a task: one record for each of the seeds `seed .. seed + episodes - 1`.

    Args:
        policy: any policy, or the folder of a checkpoint; one of several embodiments acts as that of the task's name.
        task_id: for example `pusht/state`.
        episodes, seed, workers: the records do not depend on the number of workers.
        options: more arguments of `sim.evaluation.rollout.evaluate_policy`: `monitor=load_monitor(path)`, `hold=True`.

    Returns:
        The records in the order of their seeds, and their summary: success and score with intervals, latency in s.

    Raises:
        InputError: the policy's observations or actions are not the task's; both are shown.
        EvaluationFailed: an environment or worker failed; what was finished is in its `evaluation`.
        EvaluationInterrupted: Ctrl-C; the same.
    """
    from os import PathLike

    from sim.evaluation.rollout import evaluate_policy

    if isinstance(policy, (str, PathLike)):
        from policies.loading.load import load as load_for
        from tiller.runs.embodiment import embodiment_for

        loaded: Policy = load_for(policy, embodiment=embodiment_for(task_id))
    else:
        loaded = policy
    return evaluate_policy(loaded, task_id, episodes=episodes, seed=seed, workers=workers, **options)
