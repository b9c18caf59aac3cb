"""Measurements of a robot's driver, as in its messages: named numbers in the wire's order and units."""

from __future__ import annotations

import numpy as np

from robot.contract.contract import Contract
from robot.control.observation.streams import StreamReader
from robot.control.rotation import rotation_6d_from_matrix
from sim.drivers.driver import Command
from sim.twin.robot import TwinRobot

NAMED = ("joint_state", "pose")


class Senses:
    """Reads a twin as the streams of a contract do.

    Args:
        contract: agreed with the robot's description.
        robot: to measure.
    """

    def __init__(self, contract: Contract, robot: TwinRobot) -> None:
        self._robot = robot
        self._streams = {
            name: StreamReader(contract, name) for name, stream in contract.state.items() if stream.type in NAMED
        }
        model = robot.scene.model
        self._places = {
            name: (int(model.joint(name).qposadr[0]), int(model.joint(name).dofadr[0]))
            for name in robot.spec.joint_names
        }
        self._sites = [
            (limb.field("tcp.position"), limb.field("tcp.rotation"), robot.scene.id("site", limb.tcp))
            for limb in robot.description.limbs
        ]
        self._tools: list[tuple[str, int]] = []
        self._drives = {name: dof for name, (_, dof) in self._places.items()}
        for limb in robot.description.limbs:
            tool, joints = limb.field(limb.tool.command.name), [limb.element(joint) for joint in limb.tool.joints]
            commands = [
                (name, column)
                for column, name in enumerate(robot.action_spec.component_names)
                if name == tool or name.startswith(f"{tool}.")
            ]
            self._tools += commands
            # A gripper's width is moved by the drive of its first finger.
            self._drives |= {
                name: self._drives[joints[number if len(joints) == len(commands) else 0]]
                for number, (name, _) in enumerate(commands)
            }

    def values(self) -> dict[str, np.ndarray]:
        """Our name -> float64: every joint (1,) rad or m, `tcp.position` (3,) m, `tcp.rotation` (6,), the tool's own
        components such as `gripper.width` (1,).
        """
        data, hold_target = self._robot.scene.data, self._robot.hold_target
        values = {name: data.qpos[address : address + 1].copy() for name, (address, _) in self._places.items()}
        for position, rotation, site in self._sites:
            values[position] = data.site_xpos[site].copy()
            values[rotation] = rotation_6d_from_matrix(data.site_xmat[site].reshape(3, 3))
        values.update({name: hold_target[column : column + 1] for name, column in self._tools})
        return values

    def message(self, name: str, values: dict[str, np.ndarray], stamp_ns: int, frame: str) -> Command:
        """The message of a stream of joints or a pose; a pose as position and quaternion xyzw.

        Args:
            name: of the stream.
            values: from `values`.
            stamp_ns: when they were measured.
            frame: of a pose.
        """
        stream = self._streams[name]
        if stream.map is None:
            position, quat = stream.write_pose(values)
            return Command(np.concatenate([position, quat]), stamp_ns=stamp_ns, frame=frame)
        names, numbers = stream.write(values)
        speeds, efforts, data = np.empty(0), np.empty(0), self._robot.scene.data
        if all(joint in self._places for joint in stream.map.ours):
            speeds = stream.map.rates_to_wire(data.qvel[[self._places[joint][1] for joint in stream.map.ours]])
        if all(name in self._drives for name in stream.map.ours):
            efforts = stream.map.spread(data.qfrc_actuator[[self._drives[name] for name in stream.map.ours]])
        return Command(numbers, names, speeds, stamp_ns, efforts=efforts)
