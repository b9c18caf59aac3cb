"""Put an object in the bin."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.observation import ObservationField
from sim.tasks.info import TaskInfo
from sim.tasks.twin.task import CONTROL_HZ, BodyReading, TwinTask
from sim.twin.model.assembly import SCENE_BIT, SEEN
from sim.twin.model.scene import Scene

INNER_HALF = 0.075  # m, half the bin's inner width
WALL_HALF, WALL_HEIGHT = 0.004, 0.05  # m
MASS_KG = 0.08
STILL = 0.05  # m/s: a slower object is at rest
RELEASED = 0.06  # m, width of the gripper
_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
# Name, shape, size (m), half its height, turn (rad) after which it looks the same, colour. One body wears all of them,
# one at a time.
KINDS = (
    ("red cube", _BOX, (0.02, 0.02, 0.02), 0.02, np.pi / 2, (0.8, 0.15, 0.1, 1.0)),
    ("green cylinder", _CYLINDER, (0.02, 0.025, 0.0), 0.025, np.pi / 2, (0.15, 0.6, 0.2, 1.0)),
    ("blue block", _BOX, (0.03, 0.017, 0.02), 0.02, np.pi, (0.15, 0.3, 0.8, 1.0)),
)


class Place(TwinTask):
    """An object is on one side of the table, an open bin on the other."""

    info = TaskInfo(
        id="twin/place",
        control_hz=CONTROL_HZ,
        max_steps=250,
        n_action_steps=12,
        success="the object lies in the bin, at rest, and the gripper is open",
        score="1 at success, else 0",
        instruction="put the object in the bin",
    )
    fields = (
        *BodyReading.fields("object"),
        ObservationField("object.kind", (len(KINDS),), "float32", "1", "state"),
        ObservationField("bin.position", (3,), "float32", "m", "pose"),
        ObservationField("bin.from_object", (3,), "float32", "m", "state"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        # Else a cylinder touches the table in one point, and sinks 2 mm.
        spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_MULTICCD
        thing = spec.worldbody.add_body(name="object", pos=[0.5, 0, 0.03])
        thing.add_freejoint(name="object")
        for number, (name, shape, size, *_) in enumerate(KINDS):
            # Mass and inertia are the first one's, whatever the body wears.
            thing.add_geom(
                name=name,
                type=shape,
                size=list(size),
                mass=MASS_KG if number == 0 else 0.0,
                friction=[1.0, 0.01, 0.0005],
                condim=4,
                group=SEEN,
            )
        bin_ = spec.worldbody.add_body(name="bin", pos=[0.5, 0.2, 0])
        outer = INNER_HALF + WALL_HALF
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            bin_.add_geom(
                type=_BOX,
                pos=[x * outer, y * outer, WALL_HEIGHT / 2],
                rgba=[0.35, 0.37, 0.4, 1],
                group=SEEN,
                size=[WALL_HALF if x else outer + WALL_HALF, WALL_HALF if y else outer + WALL_HALF, WALL_HEIGHT / 2],
                contype=SCENE_BIT,
                conaffinity=SCENE_BIT,
            )

    def bind(self, scene: Scene) -> None:
        super().bind(scene)
        self._object = BodyReading(scene, "object")
        self._velocity = scene.data.qvel[scene.model.joint("object").dofadr[0] :][:3]
        self._bin, self._bin_at = scene.id("body", "bin"), scene.data.xpos[scene.id("body", "bin")]
        self._geoms = [scene.id("geom", name) for name, *_ in KINDS]
        limb = scene.description.limbs[0]
        self._width = scene.data.qpos[scene.model.joint(limb.element(limb.tool.joints[0])).qposadr[0] :][:1]
        self._scale = limb.tool.command.scale

    def place(self, random: np.random.Generator) -> None:
        model = self.scene.model
        self._kind = int(random.integers(len(KINDS)))
        for number, (geom, (*_, colour)) in enumerate(zip(self._geoms, KINDS)):
            worn = number == self._kind
            model.geom_contype[geom] = model.geom_conaffinity[geom] = SCENE_BIT if worn else 0
            model.geom_rgba[geom] = colour if worn else (0, 0, 0, 0)
        side = random.choice([-1.0, 1.0])
        x, y = random.uniform([0.40, 0.05], [0.56, 0.16])
        name, _, _, half_height, symmetry, _ = KINDS[self._kind]
        yaw = symmetry * random.uniform(-0.5, 0.5)
        self.scene.put("object", np.array([x, -side * y, half_height]), yaw=yaw)
        model.body_pos[self._bin, :2] = random.uniform([0.42, 0.16], [0.58, 0.26]) * [1.0, side]
        self.instruction = f"put the {name} in the bin"

    def observe(self) -> dict[str, np.ndarray]:
        return {
            **self._object.row(),
            "object.kind": np.eye(len(KINDS), dtype=np.float32)[self._kind],
            "bin.position": self._bin_at.astype(np.float32),
            "bin.from_object": (self._bin_at - self._object.position).astype(np.float32),
        }

    def success(self) -> bool:
        offset = self._object.position - self._bin_at
        inside = max(abs(offset[0]), abs(offset[1])) < INNER_HALF and offset[2] < WALL_HEIGHT
        still = float(np.linalg.norm(self._velocity)) < STILL
        return bool(inside and still and self._width[0] * self._scale > RELEASED)
