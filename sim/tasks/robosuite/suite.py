"""The single-arm tasks of robosuite 1.5 with a Panda, driven by absolute poses through robosuite's own controller.

Poses are in the robot's base frame. The tcp is robosuite's grip site: between the fingertips, z out of the hand.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError, nearest
from sim.tasks.info import TaskInfo
from sim.tasks.options import CameraOptions, read_options

if TYPE_CHECKING:
    from sim.tasks.robosuite.env import RobosuiteEnv

CONTROL_HZ = 20


@dataclass(frozen=True, kw_only=True)
class RobosuiteOptions(CameraOptions):
    """Options of `robosuite/*`.

    Args:
        cameras: whose images join the observation, for example agentview and robot0_eye_in_hand.
    """

    render_camera: str = "frontview"


@dataclass(frozen=True)
class _Words:
    """A task of robosuite's code in words, and a time limit that fits it."""

    max_steps: int
    success: str
    instruction: str


TASKS: Mapping[str, _Words] = {
    "Lift": _Words(150, "the centre of the cube is more than 4 cm above the table", "lift the cube"),
    "PickPlaceCan": _Words(300, "the can is in its bin and released", "put the can in its bin"),
    "NutAssemblySquare": _Words(400, "the nut is on the square peg and released", "put the square nut on its peg"),
    "Door": _Words(300, "the hinge is open by more than 0.3 rad", "open the door"),
    "Stack": _Words(300, "the red cube stands on the green one and is released", "put the red cube on the green one"),
}
_OTHERS = _Words(500, "as robosuite defines it", "do the task {name}")


def names() -> tuple[str, ...]:
    return tuple(TASKS)


def task_info(name: str) -> TaskInfo:
    if name not in TASKS:
        _require_single_arm(name)
    words = TASKS.get(name, _OTHERS)
    return TaskInfo(
        id=f"robosuite/{name}",
        control_hz=CONTROL_HZ,
        max_steps=words.max_steps,
        n_action_steps=8,
        success=words.success,
        score="1 at success, else 0",
        instruction=words.instruction.format(name=name),
    )


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> RobosuiteEnv:
    task = task_info(name)
    read = read_options(RobosuiteOptions, options, task.id)
    suite = import_robosuite()

    from sim.tasks.robosuite.env import RobosuiteEnv

    return RobosuiteEnv(suite, task, reward=reward, options=read)


def import_robosuite() -> Any:
    """robosuite, without its warnings at import and without its choice of an OpenGL platform for the whole process."""
    logging.getLogger("robosuite_logs").addFilter(_only_errors)
    chosen = os.environ.get("MUJOCO_GL")
    import robosuite

    if chosen is None:
        os.environ.pop("MUJOCO_GL", None)
    else:
        os.environ["MUJOCO_GL"] = chosen
    return robosuite


def _require_single_arm(name: str) -> None:
    known = sorted(each for each in import_robosuite().ALL_ENVIRONMENTS if not each.startswith("TwoArm"))
    if name not in known:
        got = f"'robosuite/{name}'" + (", which needs two arms" if name.startswith("TwoArm") else "")
        raise InputError(
            "task",
            expected="a single-arm task of robosuite",
            got=got,
            way_out=nearest(f"robosuite/{name}", [f"robosuite/{each}" for each in known]),
        )


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
