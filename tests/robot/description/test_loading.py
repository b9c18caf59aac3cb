"""The files of configs/robot: what they must say, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from robot.description.loading import load_robot, robot_folder, robot_names
from robot.errors import InputError


def copy_of(folder: Path, part: str, name: str, **changes: object) -> Path:
    """A Panda with its gripper in a folder of its own; `changes` are keys of one part's file."""
    (folder / part).mkdir()
    values = yaml.safe_load((robot_folder() / part / f"{name}.yaml").read_text())
    (folder / part / f"{name}.yaml").write_text(yaml.safe_dump({**values, **changes}))
    file = folder / "mine.yaml"
    file.write_text("limbs:\n  - {arm: panda, tool: panda_gripper}\n")
    return file


@pytest.mark.parametrize("name", robot_names())
def test_a_robot_says_all_that_a_policy_and_a_gate_need(name: str) -> None:
    description = load_robot(name)
    spec = description.spec
    for limb, arm in zip(description.limbs, spec.groups[::2]):
        assert arm.name == limb.element("arm") and spec.tcps[arm.name] == limb.tcp
        assert len(arm.velocity) == len(arm.effort) == len(limb.arm.impedance.joint) == len(arm.names)
        assert limb.arm.torque_rate and limb.arm.reach_m > 0.5
    assert set(spec.rest) == set(spec.joint_names)
    followers = [each.joint for group in spec.groups for each in group.coupling]
    assert len(set(followers)) == len(followers) and not set(followers) & set(spec.joint_names)
    for control in ("cartesian", "joint"):
        assert description.action_spec(0.05, control).dim > len(description.limbs) * 6


def test_two_arms_are_told_apart_by_name() -> None:
    spec = load_robot("two_panda_inspire").action_spec(0.05)
    assert [field.name for field in spec.fields] == [
        "left.tcp.position",
        "left.tcp.rotation",
        "left.gripper.width",
        "right.tcp.position",
        "right.tcp.rotation",
        "right.hand.joints",
    ]


def test_parts_beside_a_robots_file_come_before_those_of_tiller(tmp_path: Path) -> None:
    file = copy_of(tmp_path, "arm", "panda", reach_m=0.6)
    assert load_robot(str(file)).limbs[0].arm.reach_m == 0.6


@pytest.mark.parametrize(
    ("part", "name", "changes", "words"),
    [
        (
            "arm",
            "panda",
            {"rest": [0.0, -0.1149, 0.0, 1.0, 0.0, 2.4171, 0.7854]},
            r"panda\.yaml: arm: rest posture of joint 'joint4': expected within its limits -3\.0718 .* rad, got 1\.0",
        ),
        ("arm", "panda", {"rest": [0.0, 0.0]}, r"panda\.yaml: arm: rest: expected 7 values, one a joint, got 2"),
        ("arm", "panda", {"flnage": "right_hand"}, r"panda\.yaml\.flnage: .*Did you mean 'flange'"),
        ("tool", "panda_gripper", {"rest": [0.1]}, r"panda_gripper\.yaml: tool: rest posture of joint 'finger_joint1'"),
        (
            "tool",
            "panda_gripper",
            {"coupling": [{"joint": "finger_joint2", "leader": "finger", "ratio": -1.0}]},
            r"coupling of 'finger_joint2': expected a leader among finger_joint1, got 'finger'",
        ),
        (
            "tool",
            "panda_gripper",
            {"command": {"name": "gripper.width", "unit": "m", "kind": "width", "scale": 0.0}},
            r"scale: expected a number other than 0",
        ),
        ("tool", "panda_gripper", {"wrist_camera": {"eye": [0.1, 0.0]}}, r"wrist_camera: eye: expected 3 coordinates"),
        (
            "tool",
            "panda_gripper",
            {"drive": {"stiffness": 0.0, "damping": 1.0, "effort": 1.0}},
            r"tool: drive: expected",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong_in_it(
    part: str, name: str, changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        load_robot(str(copy_of(tmp_path, part, name, **changes)))


def test_an_unknown_robot_arm_or_tool_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'panda_inspire'"):
        load_robot("panda_inspir")
    file = tmp_path / "mine.yaml"
    file.write_text("limbs:\n  - {arm: pnda, tool: panda_gripper}\n")
    with pytest.raises(InputError, match="Did you mean 'panda'"):
        load_robot(str(file))
