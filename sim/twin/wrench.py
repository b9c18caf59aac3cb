"""The force-torque sensor at the wrist: the wrench that the world exerts on the tool, held objects included."""

from __future__ import annotations

import mujoco
import numpy as np

from robot.description.limb import Limb
from robot.description.observation import ObservationField
from sim.twin.model.scene import Scene

UNIT = "N N N N*m N*m N*m"


def add_wrist_sensor(spec: mujoco.MjSpec, tcp: str = "tcp") -> None:
    """Add a sensor between the last link and the flange; its site comes with the robot, which may be attached later.

    Args:
        spec: of the scene.
        tcp: name of the limb's tool centre point, `limb.tcp`.
    """
    for name, kind in (("force", mujoco.mjtSensor.mjSENS_FORCE), ("torque", mujoco.mjtSensor.mjSENS_TORQUE)):
        spec.add_sensor(name=f"{tcp}_{name}", type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=tcp)


class WrenchReading:
    """The wrench on the tool, at the tcp, in the base frame: the reading without the weight of flange and tool.

    Like the real sensor it also measures the tool's inertia: a hand of 1 kg that brakes with 1 m/s^2 reads 1 N. It is
    sampled in the last step of the physics before the observation.

    Args:
        scene: compiled, with the sensor that `add_wrist_sensor` adds.
        limb: whose wrist.
    """

    def __init__(self, scene: Scene, limb: Limb) -> None:
        model, data = scene.model, scene.data
        self._name = limb.field("tcp.wrench")
        addresses = [model.sensor_adr[scene.id("sensor", f"{limb.tcp}_{name}")] for name in ("force", "torque")]
        self._force, self._torque = (data.sensordata[address : address + 3] for address in addresses)
        flange, tcp = scene.id("body", limb.element(limb.arm.flange)), scene.id("site", limb.tcp)
        self._centre, self._position = data.subtree_com[flange], data.site_xpos[tcp]
        self._matrix = data.site_xmat[tcp].reshape(3, 3)
        self._model, self._flange = model, flange

    @staticmethod
    def field(limb: str = "") -> ObservationField:
        """`tcp.wrench` (6): force in N, then torque about the tcp in N*m; the limb's name, if any, is put before."""
        return ObservationField(f"{limb}.tcp.wrench" if limb else "tcp.wrench", (6,), "float32", UNIT, "wrench")

    def now(self) -> np.ndarray:
        """Force (3) in N and torque about the tcp (3) in N*m that the world exerts on the tool, base frame."""
        # MuJoCo gives the link's wrench on the tool, in the site's frame: minus that of its weight and of the world.
        weight = self._model.body_subtreemass[self._flange] * self._model.opt.gravity
        force = -(self._matrix @ self._force) - weight
        torque = -(self._matrix @ self._torque) - np.cross(self._centre - self._position, weight)
        return np.concatenate([force, torque])

    def row(self) -> dict[str, np.ndarray]:
        """The field, as it is now."""
        return {self._name: self.now().astype(np.float32)}
