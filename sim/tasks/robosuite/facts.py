"""The single-arm tasks of robosuite 1.5 with a Panda, driven by absolute poses through robosuite's own controller.

Poses are in the robot's base frame. The tcp is robosuite's grip site: between the fingertips, z out of the hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from robot.errors import InputError, nearest
from sim.tasks.info import TaskInfo
from sim.tasks.options import CameraOptions
from sim.tasks.robosuite.package import import_robosuite

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
    """Names of the tasks with words of their own; other single-arm tasks of robosuite exist beside them."""
    return tuple(TASKS)


def task_info(name: str) -> TaskInfo:
    """The facts of a task.

    Raises:
        InputError: robosuite has no such task, or it needs two arms.
    """
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
