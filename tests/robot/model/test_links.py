"""A robot's links as they are drawn: where its twin has them, whatever was measured."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from robot.description.loading import load_robot
from robot.errors import InputError
from robot.model.links import RobotLinks
from robot.model.shapes import Shape, shapes_by_body
from robot.model.triangles import thinned, triangles_of
from sim.twin.model.scene import compile_scene, new_scene


def test_links_are_where_the_twin_has_them() -> None:
    description = load_robot("two_panda_inspire")
    scene = compile_scene(new_scene(0.002), description)
    random, measured = np.random.default_rng(0), {}
    for group in description.spec.groups:
        for joint, (low, high) in zip(group.names, group.position):
            measured[joint] = np.array([random.uniform(low, high)])
            scene.data.qpos[scene.model.joint(joint).qposadr[0]] = measured[joint][0]
        for each in group.coupling:
            follower = scene.model.joint(each.joint).qposadr[0]
            scene.data.qpos[follower] = each.ratio * measured[each.leader][0] + each.offset
    mujoco.mj_kinematics(scene.model, scene.data)
    links = RobotLinks(description)
    bodies = scene.names("body")
    compared = 0
    for link, pose in zip(links.names, links.poses(measured)):
        own = next((each for each in bodies if each.replace("tool_", "") == link), None)
        if own is None:
            continue
        body = scene.id("body", own)
        np.testing.assert_allclose(pose[:, 3], scene.data.xpos[body], atol=1e-6)
        np.testing.assert_allclose(pose[:, :3], scene.data.xmat[body].reshape(3, 3), atol=1e-6)
        compared += 1
    assert compared > len(links.names) / 2


def test_a_gripper_opens_by_its_width_and_keeps_what_is_not_measured() -> None:
    links = RobotLinks(load_robot("panda"))
    fingers = [index for index, name in enumerate(links.names) if "finger" in name]

    def between(width: float) -> float:
        poses = links.poses({"gripper.width": np.array([width])})
        return float(np.linalg.norm(poses[fingers[0], :, 3] - poses[fingers[1], :, 3]))

    assert between(0.08) - between(0.02) == pytest.approx(0.06, abs=1e-6)
    before = links.poses({"joint1": np.array([0.4])})
    np.testing.assert_array_equal(links.poses({"joint1": np.array([np.nan])}), before)
    np.testing.assert_array_equal(links.poses({}), before)


def test_a_joint_that_the_file_lacks_is_named_with_the_nearest() -> None:
    description = load_robot("panda")
    (limb,) = description.limbs
    joints = ("joint_1", *limb.arm.joints[1:])
    wrong = replace(description, limbs=(replace(limb, arm=replace(limb.arm, joints=joints)),))
    with pytest.raises(InputError, match=r"joint_1.*joint1"):
        RobotLinks(wrong)


def shape(kind: str, *size: float) -> Shape:
    whole = np.array([*size, 0.0, 0.0][:3])
    return Shape(kind, whole, np.zeros(3), np.array([1.0, 0, 0, 0]), np.array([1.0, 0.5, 0, 1]))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """By the divergence theorem; positive where faces are counter-clockwise from outside."""
    a, b, c = (vertices[faces[:, corner]].astype(float) for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("box", (0.1, 0.2, 0.3), 8 * 0.1 * 0.2 * 0.3),
        ("sphere", (0.1,), 4 / 3 * np.pi * 0.1**3),
        ("ellipsoid", (0.1, 0.2, 0.3), 4 / 3 * np.pi * 0.1 * 0.2 * 0.3),
        ("cylinder", (0.1, 0.2), np.pi * 0.1**2 * 0.4),
        ("capsule", (0.1, 0.2), np.pi * 0.1**2 * 0.4 + 4 / 3 * np.pi * 0.1**3),
    ],
)
def test_primitives_enclose_their_volume_and_face_outwards(kind: str, size: tuple[float, ...], expected: float) -> None:
    found = triangles_of([shape(kind, *size)])
    assert volume(found.vertices, found.faces) == pytest.approx(expected, rel=0.06)
    assert (found.colours == [255, 128, 0, 255]).all()


def test_a_thinned_mesh_keeps_its_form() -> None:
    links = RobotLinks(load_robot("panda"))
    mesh = max((each for own in links.shapes for each in own if each.kind == "mesh"), key=lambda each: len(each.faces))
    vertices, faces = thinned(mesh.vertices, mesh.faces, 0.006)
    assert len(faces) < len(mesh.faces) / 2 and faces.max() < len(vertices)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), np.ptp(mesh.vertices, axis=0), atol=0.012)


def test_what_collides_is_not_drawn_where_something_else_is() -> None:
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><body name="both"><geom group="0" size="0.1"/><geom group="1" type="box" size="1 2 3"/>
        <geom group="1" size="0.2" rgba="1 1 1 0"/></body></worldbody></mujoco>"""
    )
    (own,) = shapes_by_body(model).values()
    assert [each.kind for each in own] == ["box"]
    alone = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom group='0' size='0.1'/></worldbody></mujoco>")
    assert [each.kind for each in shapes_by_body(alone)[0]] == ["sphere"]
