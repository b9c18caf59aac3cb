"""Wipe a stroke of dirt off a tilted board with a sponge, pressing neither too little nor too much."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_rotvec, quat_wxyz_from_matrix
from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.assembly import SEEN
from sim.twin.model.scene import SCENE_BIT, Scene
from sim.twin.wrench import WrenchReading, add_wrist_sensor

BAND_N = (5.0, 15.0)
NET_FORCE = 3  # what MuJoCo calls the reduction of a contact sensor that sums
MARKS = 17
STROKE = 0.16  # m, from the first mark to the last
RUB = 0.03  # m that the pad rubs over a mark until it is clean
CLEAN = 0.9  # of the marks
TOUCH_N = 0.5  # less is no contact

BOARD_HALF, BOARD_HEIGHT, BOARD_THICKNESS = 0.16, 0.055, 0.06  # m; the height of the middle of its upper face
TILT = 0.12  # rad, at most

BLOCK_HALF = (0.035, 0.0225, 0.0175)  # m, the stiff back of the sponge that is grasped
PAD_HALF = (0.035, 0.0225, 0.008)  # m
# The pad is soft as a whole: it slides into the back on a spring. What MuJoCo calls stiffness of a contact depends on
# the masses that meet; this one is in N/m whatever is pressed.
PAD_STIFFNESS, PAD_DAMPING = 2000.0, 20.0  # N/m, N*s/m
PAD_GIVES = 0.012  # m, until it is pressed flat
MIDDLE = BLOCK_HALF[2] + 2 * PAD_HALF[2]  # m, the sponge's own height above what it rests on: the middle of its back
DIRT, NO_DIRT = (0.25, 0.16, 0.1, 1.0), (0.25, 0.16, 0.1, 0.0)


class Wipe(TwinTask):
    """The sponge is on one side of the table; the board is fixed on the other, tilted, with the stroke anywhere on it.
    Sponge and stroke look the same after half a turn: their turns are drawn from one half.

    A mark is clean when the pad has rubbed over it for 3 cm while the force between pad and board along the board's
    normal was in the band. The force is MuJoCo's contact force summed over all contacts of the two, in the last step
    of the physics of each control step.
    """

    info = TaskInfo(
        id="twin/wipe",
        control_hz=CONTROL_HZ,
        max_steps=350,
        n_action_steps=12,
        success="nine tenths of the stroke are clean: rubbed over for 3 cm with a normal force of 5 to 15 N",
        score="clean marks over all marks, 0 to 1",
        instruction="wipe the dirt off the board with the sponge",
    )
    things = ("sponge", "board")
    fields = (
        *BodyReading.fields("sponge"),
        *BodyReading.fields("board"),
        ObservationField("stroke.start", (3,), "float32", "m", "pose"),
        ObservationField("stroke.end", (3,), "float32", "m", "pose"),
        ObservationField("stroke.dirt", (MARKS,), "float32", "1", "state"),
        ObservationField("sponge.force", (1,), "float32", "N", "wrench"),
        WrenchReading.field(),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        box, bit = mujoco.mjtGeom.mjGEOM_BOX, SCENE_BIT
        board = spec.worldbody.add_body(name="board", pos=[0.5, 0.1, BOARD_HEIGHT])
        board.add_geom(
            name="board",
            type=box,
            size=[BOARD_HALF, BOARD_HALF, BOARD_THICKNESS / 2],
            contype=bit,
            conaffinity=bit,
            pos=[0, 0, -BOARD_THICKNESS / 2],
            friction=[0.4, 0.005, 0.0001],
            rgba=[0.93, 0.94, 0.95, 1],
            group=SEEN,
        )
        for number in range(MARKS):
            # Not at the middle of the board: MuJoCo assumes that a site compiled there stays there.
            board.add_site(
                name=f"mark{number}",
                type=mujoco.mjtGeom.mjGEOM_CYLINDER,
                size=[0.007, 0.0004, 0],
                pos=[0.01 * number, 0.1, 0],
                rgba=list(DIRT),
                group=SEEN,
            )
        sponge = spec.worldbody.add_body(name="sponge", pos=[0.5, -0.2, MIDDLE])
        sponge.add_freejoint(name="sponge")
        sponge.add_geom(
            name="sponge_back",
            type=box,
            size=list(BLOCK_HALF),
            mass=0.05,
            contype=bit,
            conaffinity=bit,
            friction=[1.0, 0.01, 0.0005],
            condim=4,
            rgba=[0.2, 0.5, 0.3, 1],
            group=SEEN,
        )
        pad = sponge.add_body(name="sponge_pad", pos=[0, 0, -BLOCK_HALF[2] - PAD_HALF[2]])
        pad.add_joint(
            name="sponge_pad",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, 0, 1],
            stiffness=PAD_STIFFNESS,
            damping=PAD_DAMPING,
            range=[-0.002, PAD_GIVES],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        )
        pad.add_geom(
            name="sponge_pad",
            type=box,
            size=list(PAD_HALF),
            mass=0.02,
            contype=bit,
            conaffinity=bit,
            friction=[0.4, 0.005, 0.0001],
            rgba=[0.95, 0.8, 0.25, 1],
            group=SEEN,
        )
        # The net force of the pad's contacts with the board, in the world's axes.
        spec.add_sensor(
            name="press",
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname="sponge_pad",
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname="board",
            intprm=[1 << mujoco.mjtConDataField.mjCONDATA_FORCE.value, NET_FORCE, 1],
        )
        add_wrist_sensor(spec)

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        model, data = scene.model, scene.data
        self._sponge, self._board = BodyReading(scene, "sponge"), BodyReading(scene, "board")
        self._wrench = WrenchReading(scene, scene.description.limbs[0])
        self._fixture, pad = scene.id("body", "board"), scene.id("body", "sponge_pad")
        self._pad, self._pad_matrix = data.xpos[pad], data.xmat[pad].reshape(3, 3)
        self._sites = np.array([scene.id("site", f"mark{number}") for number in range(MARKS)])
        address = model.sensor_adr[scene.id("sensor", "press")]
        self._press = data.sensordata[address : address + 3]
        self._rubbed = np.zeros(MARKS)

    def place(self, random: np.random.Generator) -> None:
        side = random.choice([-1.0, 1.0])
        x, y, turn, tilt = random.uniform([0.46, 0.09, -np.pi, 0.0], [0.54, 0.13, np.pi, TILT])
        model = self.scene.model
        model.body_pos[self._fixture] = [x, side * y, BOARD_HEIGHT]
        tilted = matrix_from_rotvec(tilt * np.array([np.cos(turn), np.sin(turn), 0.0]))
        model.body_quat[self._fixture] = quat_wxyz_from_matrix(tilted)
        x, y, yaw = random.uniform([0.42, 0.17, -np.pi / 2], [0.56, 0.23, np.pi / 2])
        self.scene.put("sponge", np.array([x, -side * y, MIDDLE]), yaw=yaw)
        x, y, direction = random.uniform([-0.03, -0.03, -np.pi / 2], [0.03, 0.03, np.pi / 2])
        along = np.linspace(-STROKE / 2, STROKE / 2, MARKS)
        model.site_pos[self._sites, 0] = x + along * np.cos(direction)
        model.site_pos[self._sites, 1] = y + along * np.sin(direction)
        model.site_pos[self._sites, 2] = 0.0
        model.site_rgba[self._sites] = DIRT
        self._rubbed[:] = 0
        self._previous: np.ndarray | None = None
        self.rubbed_m = self._rubbed_in_band_m = 0.0  # over the stroke

    def update(self) -> None:
        marks = self.scene.data.site_xpos[self._sites]
        within = (np.abs((marks - self._pad) @ self._pad_matrix)[:, :2] < PAD_HALF[:2]).all(axis=1)
        now = self._board.matrix.T @ (self._pad - self._board.position)
        force = self.force
        if self._previous is not None and force > TOUCH_N and within.any():
            distance = float(np.linalg.norm((now - self._previous)[:2]))
            in_band = BAND_N[0] <= force <= BAND_N[1]
            self.rubbed_m += distance
            self._rubbed_in_band_m += distance * in_band
            self._rubbed[within] += distance * in_band
            self.scene.model.site_rgba[self._sites[self.clean]] = NO_DIRT
        self._previous = now

    def observe(self) -> dict[str, np.ndarray]:
        marks = self.scene.data.site_xpos[self._sites]
        return {
            **self._sponge.row(),
            **self._board.row(),
            "stroke.start": marks[0].astype(np.float32),
            "stroke.end": marks[-1].astype(np.float32),
            "stroke.dirt": (~self.clean).astype(np.float32),
            "sponge.force": np.array([self.force], dtype=np.float32),
            **self._wrench.row(),
        }

    @property
    def force(self) -> float:
        """Contact force between pad and board along the board's normal, N."""
        return abs(float(self._press @ self._board.matrix[:, 2]))

    @property
    def clean(self) -> np.ndarray:
        """(17,) bool, which marks are clean."""
        return self._rubbed >= RUB

    @property
    def kept(self) -> float:
        """Share of the rubbed distance over the stroke, 0 to 1, with the force in its band; 0 before any rubbing."""
        return self._rubbed_in_band_m / self.rubbed_m if self.rubbed_m else 0.0

    def success(self) -> bool:
        return bool(self.clean.mean() >= CLEAN)

    def score(self) -> float:
        return float(self.clean.mean())
