"""The drivers that a contract names, each on the part of the action that it moves."""

from __future__ import annotations

import numpy as np

from robot.contract.contract import Contract, Sink
from robot.contract.loading import component_names
from robot.control.joint_map import JointMap
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription
from sim.drivers.crisp import CrispJoint, CrispPose
from sim.drivers.driven import Port
from sim.drivers.driver import Driver
from sim.drivers.exact import Exact
from sim.drivers.forward import Forward, JointStateHand
from sim.drivers.gripper import REACHED_M, SPEED_M_S, SlowGripper
from sim.drivers.trajectory import JointTrajectory


def make_ports(contract: Contract, description: RobotDescription) -> dict[str, Port]:
    """Sink -> driver, for all sinks that move something (`crisp_stiffness` does not).

    Args:
        contract: agreed with the description.
        description: of the robot.
    """
    spec = description.action_spec(contract.period_s, contract.control)
    names = component_names(description, spec)
    return {
        name: _port(contract, sink, spec, names)
        for name, sink in contract.sinks.items()
        if sink.via != "crisp_stiffness"
    }


def _port(contract: Contract, sink: Sink, spec: ActionSpec, names: tuple[str, ...]) -> Port:
    if sink.via == "twin":
        return Port(Exact(spec, 1.0 / sink.rate_hz), sink.fields)
    if sink.via == "crisp_pose":
        return Port(CrispPose(), sink.fields)
    joints = JointMap(contract.maps[sink.map])
    columns = np.concatenate([np.arange(spec.dim)[spec.slices[field]] for field in sink.fields])
    part = [names[column] for column in columns]
    ours = np.array([part.index(name) for name in joints.ours])  # indices of the map's joints in the part
    back = np.argsort(ours)
    return Port(
        _driver(sink, joints),
        sink.fields,
        lambda values: joints.to_wire(values[ours]),
        lambda wire: joints.from_wire(wire)[back],
    )


def _driver(sink: Sink, joints: JointMap) -> Driver:
    size = len(joints.wire)
    if sink.via == "jtc":
        return JointTrajectory(joints.wire)
    if sink.via == "gripper":
        scale = np.abs(joints.to_wire(np.ones(1)) - joints.to_wire(np.zeros(1)))
        return SlowGripper(size, speed=float(SPEED_M_S * scale[0]), reached=float(REACHED_M * scale[0]))
    kinds: dict[str, type[Forward] | type[CrispJoint]] = {
        "forward": Forward,
        "crisp_joint": CrispJoint,
        "jointstate": JointStateHand,
    }
    return kinds[sink.via](size)
