"""Every robot stands in its rest posture and moves what it says it moves; the perfect ones are held to their laws."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import mujoco
import numpy as np
import pytest

from robot.description.limb import Limb
from robot.description.loading import load_robot, robot_names
from robot.errors import InputError
from sim.rendering.backend import find_backend
from sim.twin.checks.rest import portrait, rest_for, stand_up
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import deflection, make_twin, push_for

PAIRS = ("panda", "panda_inspire", "ur5e", "ur5e_inspire")
PERFECT = (*PAIRS, "two_panda_inspire", "two_ur5e")
GRIPPERS = ("panda", "ur5e", "panda_robotiq", "sawyer")  # one of each, and the arm that has it turned


@cache
def hold_target(name: str) -> TwinRobot:
    return stand_up(load_robot(name))


def told(twin: TwinRobot, limb: Limb, joints: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    """Lead a limb's tool joints there; returns where they are then."""
    target, command = twin.target, limb.tool.command
    target[twin.action_spec.slices[limb.field(command.name)]] = joints * command.scale + command.offset
    for _ in range(round(seconds / twin.action_spec.period_s)):
        twin.hold(target)
    return np.array([twin.scene.data.joint(limb.element(name)).qpos[0] for name in limb.tool.joints])


def without_contacts(twin: TwinRobot) -> TwinRobot:
    """The table may be in the way."""
    twin.scene.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    return twin


@pytest.mark.parametrize("name", robot_names())
def test_a_robot_holds_its_rest_posture_pointing_down_over_the_table(name: str) -> None:
    twin = hold_target(name)
    twin.reset()
    found = rest_for(twin)
    assert found.drift_m < 1e-4 and found.contacts == ()
    assert twin.counts.limited == 0, "its drives hold it with strength to spare"
    for limb in twin.description.limbs:
        position, rotation = found.tcps[limb.name]
        away = position - np.array(limb.position)
        assert 0.4 < away[0] < 0.5 and abs(away[1]) < 0.06 and 0.15 < away[2] < 0.25, away
        np.testing.assert_allclose(rotation[:, 2], [0, 0, -1], atol=1e-3)
        np.testing.assert_allclose(rotation[:, 1], [0, -1, 0], atol=1e-3)


@pytest.mark.parametrize("name", robot_names())
def test_a_tool_goes_where_it_is_told_and_its_followers_keep_to_their_lines(name: str) -> None:
    twin = hold_target(name)
    for number, limb in enumerate(twin.description.limbs):
        twin.reset()
        rest, middle = np.array(limb.tool.rest), np.array([sum(limits) / 2 for limits in limb.tool.position])
        wide = 0.04 * np.ptp(np.array(limb.tool.position), axis=1)
        for goal in (middle, rest):
            reached = told(twin, limb, goal)
            assert (np.abs(reached - goal) < np.maximum(wide, 0.002)).all(), (number, goal, reached)
            for each in limb.tool.coupling:
                follower, leader = (
                    twin.scene.data.joint(limb.element(joint)).qpos[0] for joint in (each.joint, each.leader)
                )
                assert abs(follower - each.ratio * leader - each.offset) < 0.02, each.joint


@pytest.mark.parametrize("name", GRIPPERS)
def test_the_width_of_a_gripper_is_the_distance_of_its_fingers(name: str) -> None:
    twin = hold_target(name)
    twin.reset()
    limb, data = twin.description.limbs[0], twin.scene.data
    pads = [pad for pad in twin.scene.names("geom") if "pad" in pad and ("finger" in pad)]
    left, right = sorted(pads)[0], sorted(pads)[-1]
    across = data.site(limb.tcp).xmat.reshape(3, 3)[:, 1]

    def gap() -> float:
        return float(abs((data.geom(left).xpos - data.geom(right).xpos) @ across))

    widths, gaps = [], []
    for part in (0.0, 0.5, 1.0):
        low, high = limb.tool.position[0]
        told(twin, limb, np.array([low + part * (high - low)]))
        widths.append(float(twin.observe()[limb.field("gripper.width")][0]))
        gaps.append(gap())
    # A pad has a thickness, which is the same throughout.
    np.testing.assert_allclose(np.diff(widths), np.diff(gaps), atol=0.004)


@pytest.mark.parametrize("name", PERFECT)
def test_a_perfect_robot_gives_way_as_its_stiffness_says(name: str) -> None:
    twin = make_twin(name)
    for number, limb in enumerate(twin.description.limbs):
        twin.reset()
        force = np.array([0.0, 10.0, -10.0, 0.0, 0.0, 0.0])
        push_for(twin, force, 1.5, limb=number)
        np.testing.assert_allclose(
            deflection(twin, number)[:3], force[:3] / np.array(limb.arm.impedance.position), atol=2e-4
        )
        twin.scene.data.xfrc_applied[:] = 0


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("turn", [0.2, -0.2])
def test_every_joint_of_a_perfect_robot_moves_both_ways(name: str, turn: float) -> None:
    twin = without_contacts(make_twin(name, control="joint"))
    limb, part, start = twin.description.limbs[0], twin.action_spec.slices["arm.joints"], twin.target
    goal = start.copy()
    goal[part] += turn
    for step in range(1, 21):
        twin.hold(start + (goal - start) * min(1.0, step / 12))
    reached = [twin.scene.data.joint(limb.element(each)).qpos[0] for each in limb.arm.joints]
    np.testing.assert_allclose(reached, goal[part], atol=4e-3)


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_the_middle_of_an_arms_limits_is_reached_from_rest(arm: str) -> None:
    twin = without_contacts(make_twin(arm, control="joint"))
    limb = twin.description.limbs[0]
    part, start = twin.action_spec.slices["arm.joints"], twin.target
    goal = start.copy()
    goal[part] = [(low + high) / 2 for low, high in limb.arm.position]
    for step in range(1, 121):
        twin.hold(start + (goal - start) * min(1.0, step / 90))
    reached = [twin.scene.data.joint(limb.element(each)).qpos[0] for each in limb.arm.joints]
    np.testing.assert_allclose(reached, goal[part], atol=0.01)


def test_an_arm_too_weak_for_its_weight_is_seen_to_sag() -> None:
    panda = load_robot("panda")
    limb = panda.limbs[0]
    weak = replace(panda, limbs=(replace(limb, arm=replace(limb.arm, effort=(4.0,) * 7)),))
    assert rest_for(stand_up(weak)).drift_m > 0.01


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arm": {"joints": ("jont1", *(f"joint{number}" for number in range(2, 8)))}}, "Did you mean 'joint1'"),
        ({"arm": {"flange": "rihgt_hand"}}, "Did you mean 'right_hand'"),
        ({"tool": {"coupling": (), "joints": ("finger_joint",)}}, "Did you mean 'finger_joint"),
        ({"arm": {"model": "robosuite:robots/pnda/robot.xml"}}, "does not exist"),
    ],
)
def test_a_description_that_its_model_does_not_have_gives_one_message(changes: dict[str, Any], words: str) -> None:
    panda = load_robot("panda")
    limb = panda.limbs[0]
    limb = replace(limb, **{part: replace(getattr(limb, part), **values) for part, values in changes.items()})
    with pytest.raises(InputError, match=words):
        stand_up(replace(panda, limbs=(limb,)))


@pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")
@pytest.mark.parametrize("name", ["two_panda_inspire", "kinova3"])
def test_a_portrait_shows_the_robot_and_each_of_its_tools(name: str) -> None:
    picture = portrait(hold_target(name), side=120)
    count = 1 + len(load_robot(name).limbs)
    assert picture.shape == (120, 120 * count, 3)
    for view in np.split(picture, count, axis=1):
        assert view[40:80, 40:80].std() > 10, "something stands in the middle"
