"""Open or close a drawer."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.furniture import (
    BOX,
    CAPSULE,
    FRONT,
    HARD,
    METAL,
    WOOD,
    JointReading,
    look_from_the_side,
    solid,
    stand,
)
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.scene import Scene

BETWEEN = (0.015, 0.115)  # m, of a drawer that may be opened and shut
HALF_WIDTH, DEPTH, HEIGHT = 0.15, 0.22, 0.15  # m, of the cabinet
BOARD = 0.006  # m, half a board's thickness
TRAVEL = 0.17  # m
OPEN, SHUT = 0.12, 0.01  # m: a drawer opened further is open, one opened less is shut
HANDLE_Z, STANDOFF, BAR_RADIUS, BAR_HALF = 0.095, 0.050, 0.007, 0.06  # m, of the handle; STANDOFF from the front's face
INSTRUCTIONS = {"open": "pull the drawer open", "close": "push the drawer shut"}


class Drawer(TwinTask):
    """A cabinet stands on the table, its front towards the robot. It has one drawer with a bar for a handle.

    The cabinet's frame is on the table under the middle of its front, x into it. The handle's frame is in the middle of
    the bar, which is along y; x points into the cabinet.
    """

    info = TaskInfo(
        id="twin/drawer",
        control_hz=CONTROL_HZ,
        max_steps=100,
        n_action_steps=12,
        success="the drawer is open by more than 12 cm, or by less than 1 cm, as the instruction asks",
        score="1 at success, else 0",
        instruction=INSTRUCTIONS["open"],
    )
    fields = (
        *BodyReading.fields("handle"),
        ObservationField("drawer.opening", (1,), "float32", "m", "joint"),
        ObservationField("drawer.wanted", (1,), "float32", "m", "state"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        look_from_the_side(spec)
        cabinet = spec.worldbody.add_body(name="cabinet", pos=[0.66, 0, 0])
        inner = HALF_WIDTH - 2 * BOARD
        for name, size, at in (
            ("floor", (DEPTH / 2, HALF_WIDTH, BOARD), (DEPTH / 2, 0, BOARD)),
            ("top", (DEPTH / 2, HALF_WIDTH, BOARD), (DEPTH / 2, 0, HEIGHT - BOARD)),
            ("left", (DEPTH / 2, BOARD, HEIGHT / 2 - 2 * BOARD), (DEPTH / 2, HALF_WIDTH - BOARD, HEIGHT / 2)),
            ("right", (DEPTH / 2, BOARD, HEIGHT / 2 - 2 * BOARD), (DEPTH / 2, BOARD - HALF_WIDTH, HEIGHT / 2)),
            ("back", (BOARD, inner, HEIGHT / 2 - 2 * BOARD), (DEPTH - BOARD, 0, HEIGHT / 2)),
        ):
            solid(cabinet, f"cabinet_{name}", BOX, size, at, WOOD)

        drawer = cabinet.add_body(name="drawer", pos=[0, 0, 0])
        # Runners: friction, some of it viscous, and stops at both ends.
        drawer.add_joint(
            name="drawer",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[-1, 0, 0],
            range=[0, TRAVEL],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            damping=5.0,
            frictionloss=1.5,
            **HARD,
        )
        low, high, wall, length = 0.018, 0.1, inner - 0.006, 0.185
        middle = (low + high) / 2
        for name, size, at in (
            ("bottom", (length / 2, wall, BOARD / 2), (length / 2, 0, low)),
            ("left", (length / 2, BOARD / 2, (high - low) / 2), (length / 2, wall - BOARD / 2, middle)),
            ("right", (length / 2, BOARD / 2, (high - low) / 2), (length / 2, BOARD / 2 - wall, middle)),
            ("back", (BOARD / 2, wall, (high - low) / 2), (length - BOARD / 2, 0, middle)),
        ):
            solid(drawer, f"drawer_{name}", BOX, size, at, WOOD, mass_kg=0.1)
        solid(
            drawer,
            "drawer_front",
            BOX,
            (BOARD, HALF_WIDTH - 0.002, HEIGHT / 2 - 0.004),
            (-BOARD, 0, HEIGHT / 2),
            FRONT,
            mass_kg=0.4,
        )
        # They meet at the runners and stops, which the joint models.
        spec.add_exclude(name="runners", bodyname1="cabinet", bodyname2="drawer")

        handle = drawer.add_body(name="handle", pos=[-2 * BOARD - STANDOFF, 0, HANDLE_Z])
        solid(handle, "handle_bar", CAPSULE, (BAR_RADIUS, BAR_HALF), (0, 0, 0), METAL, mass_kg=0.08, axis="y")
        for name, y in (("left", BAR_HALF - 0.006), ("right", 0.006 - BAR_HALF)):
            solid(
                handle,
                f"handle_{name}",
                CAPSULE,
                (0.005, STANDOFF / 2),
                (STANDOFF / 2, y, 0),
                METAL,
                mass_kg=0.02,
                axis="x",
            )

    def __init__(self) -> None:
        super().__init__()
        self._ambiguous = False

    def make_ambiguous(self) -> None:
        """Let the drawer stand anywhere, whether it is to be opened or shut."""
        self._ambiguous = True

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._handle, self._opening = BodyReading(scene, "handle"), JointReading(scene, "drawer")

    def place(self, random: np.random.Generator) -> None:
        x, y, yaw = random.uniform([0.68, -0.12, -0.3], [0.76, 0.12, 0.3])
        stand(self.scene, "cabinet", x, y, yaw)
        self._open = bool(random.random() < 0.5)
        opening = random.uniform(*((0.0, 0.03) if self._open else (0.09, 0.15)))
        self._opening.put(random.uniform(*BETWEEN) if self._ambiguous else opening)
        self.instruction = INSTRUCTIONS["open" if self._open else "close"]

    def observe(self) -> dict[str, np.ndarray]:
        return {
            **self._handle.row(),
            "drawer.opening": self._opening.row(),
            "drawer.wanted": np.array([OPEN if self._open else 0.0], dtype=np.float32),
        }

    def success(self) -> bool:
        return self._opening.value > OPEN if self._open else self._opening.value < SHUT
