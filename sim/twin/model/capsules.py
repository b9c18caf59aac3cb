"""Capsules of a robot's links, for the gate: a small model of bodies, joints and capsules that needs no mesh.

`python -m sim.twin.model.capsules panda ur5e` writes `configs/capsules/panda.yaml` and `ur5e.yaml`. Each capsule
encloses the collision shapes of its link. A tool is one capsule, fingers open; it is not checked against the table, on
which it works: the workspace keeps it off.
"""

from __future__ import annotations

import sys
from itertools import combinations
from typing import Any

import mujoco
import numpy as np
import yaml

from robot.description.limb import Limb
from robot.description.loading import RobotDescription, load_robot
from robot.folders import configs_folder
from robot.safety.gate.settings import CapsuleSettings
from sim.twin.model.assembly import attach_robot

NEAR_M = CapsuleSettings("", {}, ()).slow_m
SAMPLES = 400
OFTEN = 0.2  # share of random postures: links that are near in so many are near by construction


def capsule_shape(description: RobotDescription) -> dict[str, Any]:
    """The model (MJCF) and the pairs of geoms that may not collide, as `configs/capsules` holds them."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    attach_robot(spec, description)
    model = spec.compile()
    data = mujoco.MjData(model)
    for limb in description.limbs:
        for joint, position in limb.rest.items():
            if joint not in map(limb.element, limb.arm.joints):
                data.qpos[model.joint(joint).qposadr[0]] = position
    mujoco.mj_kinematics(model, data)
    bodies, links = [], {}
    for limb in description.limbs:
        text, names = _limb(model, data, limb)
        bodies.append(text)
        links[limb.name] = names
    floor = '<geom name="table" type="plane" size="1 1 0.1"/>'
    mjcf = f'<mujoco>\n<compiler angle="radian"/>\n<worldbody>\n{floor}\n' + "\n".join(bodies)
    mjcf += "\n</worldbody>\n</mujoco>\n"
    return {"model": mjcf, "pairs": _pairs(mjcf, description, links)}


def _limb(model: Any, data: Any, limb: Limb) -> tuple[str, list[str]]:
    """The nested bodies (MJCF) of a limb, and the names of its capsules from the base on."""
    joints = [model.joint(limb.element(name)) for name in limb.arm.joints]
    links = [int(model.jnt_bodyid[joint.id]) for joint in joints]
    tool = _tool_bodies(model, limb)
    owned: dict[int, list[int]] = {link: [] for link in links}
    for body in range(1, model.nbody):
        owner = body
        while owner not in owned and owner != 0:
            owner = int(model.body_parentid[owner])
        if owner in owned and body not in tool:
            owned[owner].append(body)
    lines, names = [], []
    parent = 0
    for joint, link in zip(joints, links):
        position, turn = _relative(data, parent, link)
        low, high = joint.range
        lines.append(f'<body pos="{_text(position)}" quat="{_text(turn)}">')
        lines.append(
            f'<joint name="{joint.name}" pos="{_text(joint.pos)}" axis="{_text(joint.axis)}" '
            f'range="{low:.6g} {high:.6g}"/>'
        )
        points = _points(model, data, owned[link], link)
        if len(points):
            names.append(f"{joint.name}_link")
            lines.append(_capsule(names[-1], points))
        parent = link
    names.append(limb.element("tool"))
    lines.append(_capsule(names[-1], _points(model, data, sorted(tool), links[-1])))
    site = model.site(limb.tcp).id
    turn = np.empty(4)
    mujoco.mju_mat2Quat(turn, (data.xmat[links[-1]].reshape(3, 3).T @ data.site_xmat[site].reshape(3, 3)).ravel())
    lines.append(
        f'<site name="{limb.tcp}" pos="{_text(_inside(data, links[-1], data.site_xpos[site]))}" quat="{_text(turn)}"/>'
    )
    lines.extend(["</body>"] * len(links))
    return "\n".join(lines), names


def _tool_bodies(model: Any, limb: Limb) -> set[int]:
    """The flange and the bodies attached to it."""
    flange = model.body(limb.element(limb.arm.flange)).id
    bodies = {int(flange)}
    for body in range(1, model.nbody):
        if int(model.body_parentid[body]) in bodies:
            bodies.add(body)
    return bodies


def _relative(data: Any, parent: int, body: int) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) and quaternion (4,), w first, of a body in another's frame."""
    back, turn = np.empty(4), np.empty(4)
    mujoco.mju_negQuat(back, data.xquat[parent])
    mujoco.mju_mulQuat(turn, back, data.xquat[body])
    return _inside(data, parent, data.xpos[body]), turn


def _inside(data: Any, body: int, point: np.ndarray) -> np.ndarray:
    return data.xmat[body].reshape(3, 3).T @ (point - data.xpos[body])


def _points(model: Any, data: Any, bodies: list[int], frame: int) -> np.ndarray:
    """Points (n, 3) in a body's frame whose hull encloses the collision shapes of some bodies."""
    points = [np.empty((0, 3))]
    for geom in range(model.ngeom):
        if int(model.geom_bodyid[geom]) in bodies and (model.geom_contype[geom] or model.geom_conaffinity[geom]):
            local = _corners(model, geom)
            world = data.geom_xpos[geom] + local @ data.geom_xmat[geom].reshape(3, 3).T
            points.append((world - data.xpos[frame]) @ data.xmat[frame].reshape(3, 3))
    return np.concatenate(points)


def _corners(model: Any, geom: int) -> np.ndarray:
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first = model.mesh_vertadr[mesh]
        return np.array(model.mesh_vert[first : first + model.mesh_vertnum[mesh]], dtype=float)
    x, y, z = {
        mujoco.mjtGeom.mjGEOM_SPHERE: (size[0], size[0], size[0]),
        mujoco.mjtGeom.mjGEOM_CAPSULE: (size[0], size[0], size[0] + size[1]),
        mujoco.mjtGeom.mjGEOM_CYLINDER: (size[0], size[0], size[1]),
    }.get(kind, size)
    return np.array([(i * x, j * y, k * z) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])


def _capsule(name: str, points: np.ndarray) -> str:
    """The smallest capsule about points along one of their principal axes, with its ends written out."""
    middle = points.mean(axis=0)
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    axes = np.linalg.svd(points - middle, full_matrices=False)[2]
    for axis in axes:
        along = (points - middle) @ axis
        across = points - middle - along[:, None] * axis
        sides = [each for each in axes if each is not axis]
        centre = sum((np.ptp(across @ each) / 2 + (across @ each).min()) * each for each in sides)
        off = np.linalg.norm(across - centre, axis=1)
        radius = float(off.max()) + 1e-4
        spare = np.sqrt(radius**2 - off**2)
        low, high = float((along + spare).min()), float((along - spare).max())
        low, high = (low, high) if low < high - 1e-4 else ((low + high) / 2 - 5e-5, (low + high) / 2 + 5e-5)
        volume = np.pi * radius**2 * (4 / 3 * radius + high - low)
        if best is None or volume < best[0]:
            best = (float(volume), radius, middle + centre + low * axis, middle + centre + high * axis)
    assert best is not None
    _, radius, first, second = best
    return f'<geom name="{name}" type="capsule" size="{radius:.4f}" fromto="{_text(first)} {_text(second)}"/>'


def _pairs(mjcf: str, description: RobotDescription, links: dict[str, list[str]]) -> list[list[str]]:
    """Pairs to watch: links and table, links of one arm that are no neighbours, all of two arms.

    Pairs that are near by construction are left out: at rest, or in many random postures.
    """
    model = mujoco.MjModel.from_xml_string(mjcf)
    data = mujoco.MjData(model)
    own, others = [], []
    for names in links.values():
        others += [["table", name] for name in names[1:-1]]
        own += [[a, b] for a, b in combinations(names, 2) if names.index(b) - names.index(a) > 1]
    for first, second in combinations(links.values(), 2):
        others += [[a, b] for a in first for b in second]
    rest = np.zeros(model.nq)
    for limb in description.limbs:
        for joint, position in zip(limb.arm.joints, limb.arm.rest):
            rest[model.joint(limb.element(joint)).qposadr[0]] = position
    random = np.random.default_rng(0)
    low, high = model.jnt_range.T
    drawn = [low + (high - low) * random.random(model.nq) for _ in range(SAMPLES)]

    def near(pair: list[str], posture: np.ndarray) -> bool:
        data.qpos[:] = posture
        mujoco.mj_kinematics(model, data)
        first, second = (model.geom(name).id for name in pair)
        return bool(mujoco.mj_geomDistance(model, data, first, second, 1.0, None) < NEAR_M)

    kept = [pair for pair in [*own, *others] if not near(pair, rest)]
    return [pair for pair in kept if pair in others or np.mean([near(pair, posture) for posture in drawn]) < OFTEN]


def _text(numbers: np.ndarray) -> str:
    return " ".join(f"{number:.6g}" for number in np.where(np.abs(numbers) < 1e-9, 0.0, numbers))


class _Block(str):
    """Text that YAML writes as lines."""


yaml.SafeDumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
)


def main(names: list[str]) -> None:
    """Write the files of some robots."""
    for name in names:
        description = load_robot(name)
        shape = capsule_shape(description)
        file = configs_folder() / "capsules" / f"{description.spec.name}.yaml"
        file.parent.mkdir(exist_ok=True)
        head = (
            f"# Capsules of {description.spec.name} for the gate; made by: python -m sim.twin.model.capsules {name}\n"
        )
        flow = "pairs:\n" + "".join(f"- [{first}, {second}]\n" for first, second in shape["pairs"])
        file.write_text(head + yaml.safe_dump({"model": _Block(shape["model"])}, width=1000) + flow, encoding="utf-8")
        print(f"{file}: {len(shape['pairs'])} pairs")


if __name__ == "__main__":
    main(sys.argv[1:])
