"""A description and its models say the same, or the difference is told in full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robot.description.limb import Limb
from robot.description.loading import RobotDescription, load_robot, robot_names
from robot.errors import InputError
from sim.twin.checks.agreement import differences, require_agreement
from sim.twin.checks.urdf import urdf_differences

# Franka's own parameters of the Panda: xyz (m) and roll, pitch, yaw (units of pi/2) from joint to joint.
PANDA = [
    ((0, 0, 0.333), (0, 0, 0)),
    ((0, 0, 0), (-1, 0, 0)),
    ((0, -0.316, 0), (1, 0, 0)),
    ((0.0825, 0, 0), (1, 0, 0)),
    ((-0.0825, 0.384, 0), (-1, 0, 0)),
    ((0, 0, 0), (1, 0, 0)),
    ((0.088, 0, 0), (1, 0, 0)),
]
FLANGE = ((0, 0, 0.107), (0, 0, -0.5))  # its hand is mounted turned by -45 degrees


def panda_urdf(folder: Path, flange: Any = FLANGE, base: Any = ((0, 0, 0), (0, 0, 0)), **changes: str) -> Path:
    """A URDF of the Panda as a driver has it: other names, links without mass, meshes that are not there."""
    arm = load_robot("panda").limbs[0].arm
    links = (
        '<link name="world"/>'
        + "".join(
            f'<link name="link{i}"><visual><geometry><mesh filename="package://none/{i}.dae"/></geometry></visual></link>'
            for i in range(8)
        )
        + '<link name="right_hand"/>'
    )
    limits = {
        joint: f'lower="{low}" upper="{high}" velocity="{velocity}" effort="87"'
        for joint, (low, high), velocity in zip(arm.joints, arm.position, arm.velocity)
    }
    limits.update(changes)

    def joint(name: str, kind: str, parent: str, child: str, place: Any, limit: str = "") -> str:
        xyz, rpy = " ".join(map(str, place[0])), " ".join(str(each * 1.5707963267948966) for each in place[1])
        return (
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="0 0 1"/>{limit}</joint>'
        )

    joints = (
        joint("base", "fixed", "world", "link0", base)
        + "".join(
            joint(f"panda_{name}", "revolute", f"link{i}", f"link{i + 1}", place, f"<limit {limits[name]}/>")
            for i, (name, place) in enumerate(zip(arm.joints, PANDA))
        )
        + joint("hand", "fixed", "link7", "right_hand", flange)
    )
    file = folder / "panda.urdf"
    file.write_text(f'<robot name="panda">{links}{joints}</robot>')
    return file


def changed(robot: str = "panda", *, tool: dict[str, Any] | None = None, **arm: Any) -> RobotDescription:
    description = load_robot(robot)
    limb: Limb = description.limbs[0]
    limb = replace(limb, arm=replace(limb.arm, **arm), tool=replace(limb.tool, **(tool or {})))
    return replace(description, limbs=(limb,))


@pytest.mark.parametrize("robot", robot_names())
def test_every_robot_agrees_with_its_models(robot: str) -> None:
    require_agreement(load_robot(robot))


def test_all_that_differs_is_told_in_one_table() -> None:
    panda = load_robot("panda").limbs[0].arm
    wrong = changed(
        joints=("joint2", "joint1", "jiont3", *panda.joints[3:]),
        position=((-3.5, 3.5), *panda.position[1:]),
        effort=(*panda.effort[:5], 200.0, 12.0),
        flange="rihgt_hand",
        tool={"position": ((0.0, 0.06),)},
    )
    with pytest.raises(InputError) as error:
        require_agreement(wrong)
    text = str(error.value)
    for words in (
        "robot 'panda'",
        "joint 'jiont3'",
        "Did you mean 'joint3'",
        "order of the arm's joints",
        "joint2, joint1",
        "range of joint 'joint2'",
        "-3.5 .. 3.5",
        "-1.7628 .. 1.7628",
        "effort of joint 'joint6'",
        "200 N*m",
        "'rihgt_hand'",
        "Did you mean 'right_hand'",
        "range of joint 'finger_joint1'",
        "range of joint 'finger_joint2', led by 'finger_joint1'",
    ):
        assert words in text, words


def test_a_tighter_description_agrees() -> None:
    arm = load_robot("panda").limbs[0].arm
    assert not differences(
        changed(
            position=tuple((angle - 0.05, angle + 0.05) for angle in arm.rest),
            effort=tuple(effort / 2 for effort in arm.effort),
        )
    )


def test_a_flange_of_another_branch_is_found() -> None:
    assert [row[0] for row in differences(changed(flange="link3"))] == ["flange 'link3'"]


def test_frankas_own_parameters_agree_with_the_panda(tmp_path: Path) -> None:
    assert urdf_differences(load_robot("panda"), panda_urdf(tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flange": (FLANGE[0], (0, 0, 0))}, "another flange: [0.0, 0.0, 0.5] mm, turned by [0.0, 0.0, 45.0] deg"),
        ({"flange": ((0, 0, 0.147), FLANGE[1])}, "another flange: [0.0, 0.0, 40.5] mm"),
        ({"base": ((0, 0, 0), (0, 0, 1))}, "mm, turned by [0.0, 0.0, 90.0] deg"),
    ],
)
def test_a_wrong_frame_is_named_with_its_offset(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    rows = urdf_differences(load_robot("panda"), panda_urdf(tmp_path, **changes))
    assert [row[0] for row in rows] == ["pose of flange 'right_hand'"]
    assert words in rows[0][2]


def test_a_joint_that_turns_the_other_way_is_found(tmp_path: Path) -> None:
    file = panda_urdf(tmp_path)
    file.write_text(file.read_text().replace('<axis xyz="0 0 1"/>', '<axis xyz="0 0 -1"/>', 3))
    (row,) = urdf_differences(load_robot("panda"), file)
    assert "off by up to" in row[2] and "another" not in row[2]


def test_limits_wider_than_the_urdf_are_found(tmp_path: Path) -> None:
    file = panda_urdf(tmp_path, joint4='lower="-3" upper="-0.1" velocity="1" effort="50"')
    assert [row[0] for row in urdf_differences(load_robot("panda"), file)] == [
        "range of joint 'joint4'",
        "velocity of joint 'joint4'",
        "effort of joint 'joint4'",
    ]


def test_what_is_no_urdf_of_the_arm_is_refused(tmp_path: Path) -> None:
    panda, file = load_robot("panda"), panda_urdf(tmp_path)
    with pytest.raises(InputError, match=r"the flange 'right_hand', got 'right_hnd'\. Did you mean 'right_hand'"):
        urdf_differences(panda, file, "right_hnd")
    with pytest.raises(InputError, match="a robot with one arm"):
        urdf_differences(load_robot("two_panda"), file)
    with pytest.raises(InputError, match="a URDF file"):
        urdf_differences(panda, tmp_path / "none.urdf")
    (tmp_path / "scene.xml").write_text("<mujoco/>")
    with pytest.raises(InputError, match="outermost element is <robot>"):
        urdf_differences(panda, tmp_path / "scene.xml")
    rows = urdf_differences(load_robot("ur5e"), file)
    assert len(rows) == 6 and all(row[0].startswith("joint '") for row in rows)
