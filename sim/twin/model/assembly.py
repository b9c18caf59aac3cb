"""Put arms and tools into a scene: one MjSpec from the MJCF of each, with our own drives.

Geoms have two roles: group 0 collides, group 1 is visible. Links of one arm do not collide with one another.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from robot.control.rotation import matrix_from_quat_wxyz
from robot.description.limb import Drive, Limb, Skin
from robot.description.loading import RobotDescription
from robot.description.robot import Coupling
from robot.errors import InputError, nearest
from robot.model.assets import load_model

# What collides with what, as bits of contype and conaffinity: the scene with everything, an arm with the scene and
# other arms, a hand with its own fingers too.
SCENE_BIT = 1
HAND_BIT = 2
FIRST_ARM_BIT = 4
FELT, SEEN, HIDDEN = 0, 1, 4  # groups of geoms and sites; MuJoCo draws 0 to 2 by default

DARKEST = (0.3, 0.3, 0.32)  # black has no shape in a picture


def attach_robot(scene: mujoco.MjSpec, description: RobotDescription) -> None:
    """Add a robot to a scene, its base frame at the origin of the world.

    Raises:
        InputError: a description names a joint, flange or file that its model does not have.
    """
    for number, limb in enumerate(description.limbs):
        _attach_limb(scene, limb, FIRST_ARM_BIT << number)


def _attach_limb(scene: mujoco.MjSpec, limb: Limb, arm_bit: int) -> None:
    arm = _load(limb.arm.model)
    flange = arm.body(limb.arm.flange)
    if flange is None:
        raise InputError(
            f"flange of {limb.arm.model}",
            expected="a body of the model",
            got=f"'{limb.arm.flange}'",
            way_out=nearest(limb.arm.flange, [body.name for body in arm.bodies]),
        )
    _drive_by_torque(arm, limb)
    for geom in _colliding(arm):
        geom.contype, geom.conaffinity = arm_bit, SCENE_BIT | (arm_bit - FIRST_ARM_BIT)
    tool = _load(limb.tool.model)
    _drive_by_position(tool, limb)
    own = HAND_BIT if limb.tool.group == "hand" else 0
    for geom in _colliding(tool):
        geom.contype, geom.conaffinity = arm_bit | own, SCENE_BIT | own | (arm_bit - FIRST_ARM_BIT)
    if limb.tool.skin is not None:
        _cover(tool, limb.tool.skin)
    mount = flange.add_frame(pos=list(limb.tool.mount_position), quat=list(limb.tool.mount_quat_wxyz))
    # A name that both have would clash: what is the tool's own gets its mark, joints and drives keep their names.
    _mark(tool, "tool_")
    _part_assets(arm, tool, "tool_")
    arm.attach(tool, frame=mount, prefix="")
    flange.add_site(
        name="tcp", pos=list(limb.tool.tcp_position), quat=list(limb.tool.tcp_quat_wxyz), size=[0.005] * 3, group=HIDDEN
    )
    for body in arm.bodies[1:]:
        body.gravcomp = 1.0
    turn = [np.cos(limb.yaw / 2), 0.0, 0.0, np.sin(limb.yaw / 2)]
    frame = scene.worldbody.add_frame(pos=list(limb.position), quat=turn)
    scene.attach(arm, frame=frame, prefix=f"{limb.name}_" if limb.name else "")


def tcp_offset(limb: Limb) -> tuple[np.ndarray, np.ndarray]:
    """The tcp in the flange's frame: position (3,) m and orientation (3, 3)."""
    return np.array(limb.tool.tcp_position), matrix_from_quat_wxyz(np.array(limb.tool.tcp_quat_wxyz))


def _load(name: str) -> mujoco.MjSpec:
    spec = load_model(name)
    for light in list(spec.lights):
        spec.delete(light)
    for site in spec.sites:
        site.group = HIDDEN  # frames are for us, not for the picture
    for material in spec.materials:
        if max(material.rgba[:3]) < max(DARKEST):
            material.rgba = [*DARKEST, material.rgba[3]]
    return spec


def _colliding(spec: mujoco.MjSpec) -> list[Any]:
    return [geom for geom in spec.geoms if geom.contype or geom.conaffinity]


def _mark(spec: mujoco.MjSpec, prefix: str) -> None:
    """Put a prefix before the names of what a tool may share with an arm; joints and drives keep theirs."""
    for kind in (spec.bodies[1:], spec.sites, spec.sensors, spec.cameras, spec.geoms):
        for element in kind:
            if element.name:
                element.name = prefix + element.name
    # References by name follow only when they are written again.
    for sensor in spec.sensors:
        if sensor.objname:
            sensor.objname = prefix + sensor.objname
    for equality in spec.equalities:
        if equality.type in (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD):
            equality.name1, equality.name2 = prefix + equality.name1, equality.name2 and prefix + equality.name2
    for pair in spec.excludes:
        pair.bodyname1, pair.bodyname2 = prefix + pair.bodyname1, prefix + pair.bodyname2


def _part_assets(arm: mujoco.MjSpec, tool: mujoco.MjSpec, prefix: str) -> None:
    """Put a prefix before the names of meshes, textures and materials of a tool that the arm has too."""
    meshes = {each.name for each in arm.meshes}
    for geom in tool.geoms:
        if geom.meshname in meshes:
            geom.meshname = prefix + geom.meshname
    materials, textures = {each.name for each in arm.materials}, {each.name for each in arm.textures}
    for geom in tool.geoms:
        if geom.material in materials:
            geom.material = prefix + geom.material
    for material in tool.materials:
        material.textures = [prefix + name if name in textures else name for name in material.textures]
    for kind, taken in ((tool.meshes, meshes), (tool.materials, materials), (tool.textures, textures)):
        for element in kind:
            if element.name in taken:
                element.name = prefix + element.name


def _joint(spec: mujoco.MjSpec, model: str, name: str) -> Any:
    joint = spec.joint(name)
    if joint is None:
        raise InputError(
            f"joint '{name}'",
            expected=f"a joint of {model}",
            got="none of that name",
            way_out=nearest(name, [each.name for each in spec.joints]),
        )
    return joint


def _drive_by_torque(arm: mujoco.MjSpec, limb: Limb) -> None:
    """Add one motor per joint, in the order of the description, in place of the model's own actuators."""
    for actuator in list(arm.actuators):
        arm.delete(actuator)
    for name, (low, high), effort in zip(limb.arm.joints, limb.arm.position, limb.arm.effort):
        joint = _joint(arm, limb.arm.model, name)
        joint.range = [low, high]
        joint.limited = mujoco.mjtLimited.mjLIMITED_TRUE
        # Gravity is compensated by the drive and counts against its effort.
        joint.actgravcomp = True
        joint.actfrclimited = mujoco.mjtLimited.mjLIMITED_TRUE
        joint.actfrcrange = [-effort, effort]
        motor = arm.add_actuator(name=f"drive_{name}", target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.gainprm[0] = 1.0


def _drive_by_position(tool: mujoco.MjSpec, limb: Limb) -> None:
    """Give every joint of the tool a position drive, or a constraint to the joint that it follows.

    Raises:
        InputError: a joint is not in the model, or nothing moves it.
    """
    drive, leading = limb.tool.drive, limb.tool.joints
    followers = {each.joint: each for each in limb.tool.coupling}
    joints = {name: _joint(tool, limb.tool.model, name) for name in (*leading, *followers)}
    if drive is not None and drive.linked:
        for element in (*tool.actuators, *tool.equalities, *tool.tendons):
            tool.delete(element)
        for name in leading:
            tool.add_actuator(
                name=f"drive_{name}",
                target=name,
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
                ctrllimited=mujoco.mjtLimited.mjLIMITED_TRUE,
                ctrlrange=joints[name].range,
            )
        for name, follower in followers.items():
            joints[name].damping, joints[name].armature = drive.damping, drive.armature
            _link(tool, follower)
    driven = {actuator.target for actuator in tool.actuators}
    for name in joints:
        if name not in driven and (name in leading or not _held(tool, name)):
            raise InputError(
                f"joint '{name}'",
                got="neither",
                expected=f"one with a drive in {limb.tool.model}"
                + (", or a constraint that moves it" if name in followers else ""),
                way_out="A drive with `linked: true` in the tool's file links joints that follow",
            )
    if drive is not None:
        for actuator in tool.actuators:
            _drive(tool, actuator, drive)


def _link(tool: mujoco.MjSpec, follower: Coupling) -> None:
    """Hold a joint to its line over its leader. MuJoCo counts both from the model's own zero posture."""
    equality = tool.add_equality(
        name=f"link_{follower.joint}",
        type=mujoco.mjtEq.mjEQ_JOINT,
        name1=follower.joint,
        name2=follower.leader,
        solref=[0.005, 1.0],
    )
    own, leader = tool.joint(follower.joint).ref, tool.joint(follower.leader).ref
    equality.data[:5] = [follower.ratio * leader + follower.offset - own, follower.ratio, 0.0, 0.0, 0.0]


def _held(tool: mujoco.MjSpec, joint: str) -> bool:
    """Whether a constraint of the model holds a joint or its body."""
    body = tool.joint(joint).parent.name
    names = {mujoco.mjtEq.mjEQ_JOINT: joint, mujoco.mjtEq.mjEQ_CONNECT: body, mujoco.mjtEq.mjEQ_WELD: body}
    return any(names.get(each.type) in (each.name1, each.name2) for each in tool.equalities)


def _drive(tool: mujoco.MjSpec, actuator: Any, drive: Drive) -> None:
    """Make an actuator the position drive that is described. All parameters are written: a model's defaults for other
    kinds of actuators leave a constant torque behind in some.
    """
    joint = tool.joint(actuator.target)
    # Damping of the joint is implicit in every integrator; that of a drive only in some.
    joint.damping, joint.armature = drive.damping, drive.armature
    for parameters in (actuator.gainprm, actuator.biasprm, actuator.dynprm):
        parameters[:] = 0.0
    actuator.dyntype, actuator.gaintype = mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0], actuator.biasprm[1] = drive.stiffness, -drive.stiffness
    actuator.forcelimited, actuator.forcerange = mujoco.mjtLimited.mjLIMITED_TRUE, [-drive.effort, drive.effort]


def _cover(tool: mujoco.MjSpec, skin: Skin) -> None:
    """Give the collision shapes of a tool the friction and the coarseness of its skin."""
    for geom in _colliding(tool):
        # With friction about the normal two fingertips can hold an object that hangs askew between them.
        geom.friction, geom.condim = list(skin.friction), 4
        if geom.meshname:
            tool.mesh(geom.meshname).maxhullvert = skin.hull_vertices
