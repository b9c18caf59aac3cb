"""The 50 tasks of Meta-World v3: one Sawyer arm, one gripper, and things to push, pull, turn and place.

Facts and words are here and need no Meta-World; the environment, which does, is in `sim.tasks.metaworld.env`.
Success is Meta-World's own `info["success"]`; the words describe what its code measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError, nearest
from sim.tasks.info import TaskInfo
from sim.tasks.options import CameraOptions

CONTROL_HZ = 80  # five steps of 2.5 ms
MAX_STEPS = 500
VERSION = "-v3"  # what Meta-World's own names end in

# The same for all 50, so that one policy can be trained on all; what a task does not have is zero.
OBSERVATION = ObservationSpec(
    (
        ObservationField("hand.position", (3,), "float32", "m", "pose"),
        ObservationField("gripper.opening", (1,), "float32", "1", "state"),
        ObservationField("object.position", (3,), "float32", "m", "pose"),
        ObservationField("object.rotation", (6,), "float32", "1", "pose"),
        ObservationField("object2.position", (3,), "float32", "m", "pose"),
        ObservationField("object2.rotation", (6,), "float32", "1", "pose"),
        ObservationField("goal.position", (3,), "float32", "m", "pose"),
    )
)
MEANINGS: Mapping[str, str] = {
    "hand.position": "the wrist",
    "gripper.opening": "distance of the fingers as a share of 10 cm",
    "object.position": "what is handled, or its handle or button",
    "object.rotation": "its orientation; zero where Meta-World tells none",
    "object2.position": "the nail of `hammer`, the thermos of `stick-pull` and `stick-push`; else zero",
    "object2.rotation": "the nail's orientation; else zero",
    "goal.position": "where it, or the hand in `reach*`, shall be",
}
ACTION = ActionSpec(
    (ActionField("hand.step", 3, "cm", "native"), ActionField("gripper", 1, "1", "native")), 1 / CONTROL_HZ
)


@dataclass(frozen=True, kw_only=True)
class MetaworldOptions(CameraOptions):
    """Options of `metaworld/*`.

    Args:
        cameras: whose images join the observation, for example corner2 and gripperPOV.
    """

    render_camera: str = "corner2"


@dataclass(frozen=True)
class _Words:
    """Instruction, and success by Meta-World's code; `the goal` is `goal.position` of the observation."""

    instruction: str
    success: str


TASKS: Mapping[str, _Words] = {
    "assembly": _Words(
        "pick up the nut by its handle and put it over the peg",
        "the nut's centre is within 2 cm of the peg's axis and below its top",
    ),
    "basketball": _Words(
        "pick up the ball and drop it into the hoop", "the ball is within 8 cm of the goal, height counted twice"
    ),
    "bin-picking": _Words("move the cube from one bin into the other", "the cube is within 5 cm of the goal"),
    "box-close": _Words("pick up the lid and put it on the box", "the lid is within 8 cm of the goal"),
    "button-press": _Words("press the button on the front of the box", "the button is within 2 cm of pressed"),
    "button-press-topdown": _Words("press the button on top of the box", "the button is within 2.4 cm of pressed"),
    "button-press-topdown-wall": _Words(
        "reach over the wall and press the button on top of the box", "the button is within 2.4 cm of pressed"
    ),
    "button-press-wall": _Words(
        "reach around the wall and press the button on the front of the box", "the button is within 3 cm of pressed"
    ),
    "coffee-button": _Words("press the button of the coffee machine", "the button is within 2 cm of pressed"),
    "coffee-pull": _Words(
        "pull the mug away from the coffee machine to the goal", "the mug is within 7 cm of the goal"
    ),
    "coffee-push": _Words("push the mug under the coffee machine", "the mug is within 7 cm of the goal"),
    "dial-turn": _Words("turn the dial to the goal", "the dial's pointer is within 7 cm of the goal"),
    "disassemble": _Words("pull the nut up and off the peg", "the nut is above the goal"),
    "door-close": _Words("push the door closed", "the door's handle is within 8 cm of the goal"),
    "door-lock": _Words("turn the door's lock down until it is locked", "the lock's lever is within 2 cm of locked"),
    "door-open": _Words("pull the door open by its handle", "the handle is within 8 cm of the goal along x"),
    "door-unlock": _Words("turn the door's lock until it is unlocked", "the lock's lever is within 2 cm of unlocked"),
    "drawer-close": _Words("push the drawer closed", "the drawer's handle is within 6.5 cm of the goal"),
    "drawer-open": _Words("pull the drawer open by its handle", "the drawer's handle is within 3 cm of the goal"),
    "faucet-close": _Words("turn the faucet's handle clockwise to close it", "the handle is within 7 cm of the goal"),
    "faucet-open": _Words(
        "turn the faucet's handle counter-clockwise to open it", "the handle is within 7 cm of the goal"
    ),
    "hammer": _Words("pick up the hammer and drive the nail into the wall", "the nail is driven in by more than 9 cm"),
    "hand-insert": _Words("take the block down into the hole", "the block is within 5 cm of the goal"),
    "handle-press": _Words("press the handle down from the front", "the handle is within 2 cm of pressed"),
    "handle-press-side": _Words("press the handle down from the side", "the handle is within 2 cm of pressed"),
    "handle-pull": _Words("pull the handle up from the front", "the handle is within 5 cm of pulled up"),
    "handle-pull-side": _Words("pull the handle up from the side", "the handle is within 8 cm of the goal"),
    "lever-pull": _Words("pull the lever up until it points straight up", "the lever is within 7.5 degrees of upright"),
    "peg-insert-side": _Words(
        "pick up the peg and push it sideways into the hole",
        "the peg's head is within 7 cm of the goal, y and z counted twice",
    ),
    "peg-unplug-side": _Words("pull the peg sideways out of the box", "the peg's end is within 7 cm of the goal"),
    "pick-out-of-hole": _Words(
        "take the puck out of the hole and hold it at the goal", "the puck is within 7 cm of the goal"
    ),
    "pick-place": _Words("pick up the puck and hold it at the goal", "the puck is within 7 cm of the goal"),
    "pick-place-wall": _Words(
        "pick up the puck, take it over the wall and hold it at the goal", "the puck is within 7 cm of the goal"
    ),
    "plate-slide": _Words("slide the plate forwards into the cabinet", "the plate is within 7 cm of the goal"),
    "plate-slide-back": _Words("slide the plate back out of the cabinet", "the plate is within 7 cm of the goal"),
    "plate-slide-back-side": _Words(
        "slide the plate sideways out of the cabinet", "the plate is within 7 cm of the goal"
    ),
    "plate-slide-side": _Words("slide the plate sideways into the cabinet", "the plate is within 7 cm of the goal"),
    "push": _Words("push the puck to the goal", "the puck is within 5 cm of the goal"),
    "push-back": _Words("pull the block back to the goal", "the block is within 7 cm of the goal"),
    "push-wall": _Words("push the puck around the wall to the goal", "the puck is within 7 cm of the goal"),
    "reach": _Words("move the hand to the goal", "the fingertips are within 5 cm of the goal"),
    "reach-wall": _Words("move the hand over the wall to the goal", "the fingertips are within 5 cm of the goal"),
    "shelf-place": _Words("pick up the block and put it on the shelf", "the block is within 7 cm of the goal"),
    "soccer": _Words("push the ball into the net", "the ball is within 7 cm of the goal"),
    "stick-pull": _Words(
        "pick up the stick, put it through the handle of the thermos and pull the thermos to the goal",
        "the stick is through the handle, which is within 12 cm of the goal",
    ),
    "stick-push": _Words(
        "pick up the stick and push the thermos to the goal with it", "the thermos is within 12 cm of the goal"
    ),
    "sweep": _Words("sweep the block off the table", "the block is within 5 cm of the goal"),
    "sweep-into": _Words("sweep the block into the hole in the table", "the block is within 5 cm of the goal"),
    "window-close": _Words("slide the window closed by its handle", "the handle is within 5 cm of closed"),
    "window-open": _Words("slide the window open by its handle", "the handle is within 5 cm of open"),
}


def names() -> tuple[str, ...]:
    """Names of the 50 tasks."""
    return tuple(TASKS)


def task_name(name: str) -> str:
    """A task's name as the table has it; Meta-World's own form, ending in -v3, is taken too.

    Raises:
        InputError: Meta-World has no such task.
    """
    known = name.removesuffix(VERSION)
    if known not in TASKS:
        raise InputError(
            "task",
            expected="a task of Meta-World v3",
            got=f"'metaworld/{name}'",
            way_out=nearest(f"metaworld/{known}", [f"metaworld/{each}" for each in TASKS]),
        )
    return known


def task_info(name: str) -> TaskInfo:
    """The facts of a task.

    Args:
        name: of the table, or in Meta-World's own form, ending in -v3.

    Raises:
        InputError: Meta-World has no such task.
    """
    name = task_name(name)
    return TaskInfo(
        id=f"metaworld/{name}",
        control_hz=CONTROL_HZ,
        max_steps=MAX_STEPS,
        n_action_steps=8,
        success=TASKS[name].success,
        score="1 at success, else 0",
        instruction=TASKS[name].instruction,
    )
