"""Build the tables that the inner loop reads, from a scene and the fields of an action."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.description.action import ActionSpec
from robot.description.limb import Limb
from robot.errors import InputError
from sim.twin.inner_loop import ImpedanceParameters, Plant
from sim.twin.model.scene import Scene

JOINTS = 7  # columns of the tables; an arm with fewer joints leaves the rest at zero


def wire_plant(scene: Scene) -> Plant:
    """Views into MuJoCo's memory for the joints, tcps and drives of every limb.

    Raises:
        InputError: the joints of an arm do not follow one another in the model.
    """
    model, data = scene.model, scene.data
    joints, motors = [], []
    for limb in scene.description.limbs:
        numbers = [scene.id("joint", limb.element(name)) for name in limb.arm.joints]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise InputError(f"arm '{limb.name or limb.arm.model}'", expected="joints in one chain", got=str(numbers))
        joints.append([model.jnt_qposadr[numbers[0]], model.jnt_dofadr[numbers[0]], len(numbers)])
        motors.append(scene.id("actuator", limb.element(f"drive_{limb.arm.joints[0]}")))
    return Plant(
        model._address,
        data._address,
        float(model.opt.timestep),
        float(-model.opt.gravity[2]),
        data.qpos,
        data.qvel,
        data.ctrl,
        data.site_xpos,
        data.site_xmat,
        data.qM,
        data.qfrc_gravcomp,
        np.array(joints, dtype=np.int64),
        np.array([scene.id("site", limb.tcp) for limb in scene.description.limbs], dtype=np.int64),
        np.array(motors, dtype=np.int64),
    )


def impedance_parameters(scene: Scene, spec: ActionSpec) -> ImpedanceParameters:
    """Stiffnesses, limits and payloads of every limb, and the component of an action that each drive follows."""
    limbs, timestep = scene.description.limbs, float(scene.model.opt.timestep)

    def table(rows: list[Any], width: int = JOINTS, fill: float = 0.0) -> np.ndarray:
        filled = np.full((len(limbs), width), fill)
        for number, row in enumerate(rows):
            filled[number, : len(row)] = row
        return filled

    cartesian = [limb.field("tcp.position") in spec.slices for limb in limbs]
    first = [limb.field("tcp.position" if pose else "arm.joints") for limb, pose in zip(limbs, cartesian)]
    drives, lines = [], []
    for limb in limbs:
        for actuator, component, line in _drives(scene, limb, spec.slices[limb.field(limb.tool.command.name)].start):
            drives.append([actuator, component])
            lines.append(line)
    return ImpedanceParameters(
        cartesian=np.array(cartesian),
        joint_count=np.array([len(limb.arm.joints) for limb in limbs], dtype=np.int64),
        arm_at=np.array([spec.slices[name].start for name in first], dtype=np.int64),
        rotations=np.array([spec.slices[each.name].start for each in spec.fields if each.is_rotation], dtype=np.int64),
        stiffness=table([(*limb.arm.impedance.position, *limb.arm.impedance.rotation) for limb in limbs], 6),
        joint_stiffness=table([limb.arm.impedance.joint for limb in limbs]),
        posture_stiffness=np.array([limb.arm.impedance.posture for limb in limbs]),
        damping_ratio=np.array([limb.arm.impedance.damping_ratio for limb in limbs]),
        rest=table([limb.arm.rest for limb in limbs]),
        effort=table([limb.arm.effort for limb in limbs]),
        torque_change=table([np.array(limb.arm.torque_rate) * timestep for limb in limbs], fill=np.inf),
        payload=table([(limb.payload.mass_kg, *limb.payload.centre_m) for limb in limbs], 4),
        drives=np.array(drives, dtype=np.int64).reshape(-1, 2),
        drive_lines=np.array(lines, dtype=np.float64).reshape(-1, 4),
    )


def _drives(scene: Scene, limb: Limb, first: int) -> list[tuple[int, int, list[float]]]:
    """Drives of a tool: actuator, component of the action, and the line from one to the other with its limits.

    A follower without a drive is moved by a constraint.
    """
    model, tool = scene.model, limb.tool
    by_joint = {int(model.actuator_trnid[number, 0]): number for number in range(model.nu)}

    def drive(name: str, leader: str, ratio: float, offset: float) -> tuple[int, int, list[float]]:
        number, component = by_joint[scene.id("joint", limb.element(name))], first + tool.joints.index(leader)
        ratio, offset = ratio / tool.command.scale, offset - ratio * tool.command.offset / tool.command.scale
        low, high = model.actuator_ctrlrange[number] if model.actuator_ctrllimited[number] else (-np.inf, np.inf)
        return number, component, [ratio, offset, float(low), float(high)]

    drives = [drive(name, name, 1.0, 0.0) for name in tool.joints]
    for each in tool.coupling:
        if scene.id("joint", limb.element(each.joint)) in by_joint:
            drives.append(drive(each.joint, each.leader, each.ratio, each.offset))
    return drives
