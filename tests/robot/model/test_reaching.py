"""An arm reaches what it can reach: its posture has the tcp at the pose from which it was computed."""

from __future__ import annotations

import numpy as np
import pytest

from robot.description.loading import load_robot
from robot.model.reaching import ArmReach


@pytest.mark.parametrize("name", ["panda", "ur5e"])
def test_the_posture_for_a_pose_has_this_pose_within_the_joints_limits(name: str) -> None:
    random = np.random.default_rng(0)
    for limb in load_robot(name).limbs:
        pytest.importorskip("robosuite") if limb.arm.model.startswith("robosuite:") else None
        reach = ArmReach(limb)
        low, high = np.array(limb.arm.position).T
        for _ in range(3):
            angles = np.clip(np.array(limb.arm.rest) + random.normal(size=len(limb.arm.rest)) * 0.3, low, high)
            position, rotation = reach.pose(angles)
            reached = reach.angles(position, rotation)
            assert (reached >= low).all() and (reached <= high).all()
            metres, radians = reach.miss(reached, position, rotation)
            assert metres < 2e-3 and radians < 1e-2


def test_a_pose_out_of_reach_is_approached_and_ends() -> None:
    limb = load_robot("panda").limbs[0]
    reach = ArmReach(limb)
    far = np.array([3.0, 0.0, 0.5])
    reached = reach.angles(far, np.diag([1.0, -1.0, -1.0]))
    assert np.isfinite(reached).all() and reach.pose(reached)[0][0] > reach.pose(np.array(limb.arm.rest))[0][0] + 0.1
