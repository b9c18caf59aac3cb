"""Hands of the twin: how they close, what they hold, what they lift and turn."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import sim
from robot.errors import InputError
from sim.evaluation.collect import record
from sim.tasks.twin.groceries import BODY, GROCERIES
from sim.tasks.twin.touch import FINGERS, THUMB
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import make_twin, tcp_pose

SECOND = 1_000_000_000
FISTED = np.array([1.6, 1.6, 1.6, 1.6, 0.0, 0.0])  # the thumb stays out of the way


def close(twin: TwinRobot, joints: np.ndarray, seconds: float) -> np.ndarray:
    """Tell the hand to be there, let time pass, and return where it is."""
    target = twin.target
    target[twin.action_spec.slices["hand.joints"]] = joints
    for _ in range(round(seconds / 0.05)):
        twin.hold(target)
    return twin.observe()["hand.joints"]


@pytest.fixture(scope="module")
def right() -> TwinRobot:
    return make_twin("panda_inspire")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> TwinRobot:
    file: Path = tmp_path_factory.mktemp("robots") / "panda_left.yaml"
    file.write_text("limbs:\n  - {arm: panda, tool: inspire_left}\n")
    return make_twin(str(file))


@pytest.fixture(scope="module")
def grasp() -> Iterator[Any]:
    made = sim.make("twin/hand_grasp")
    yield made
    made.close()


@pytest.fixture(scope="module")
def turn() -> Iterator[Any]:
    made = sim.make("twin/hand_turn")
    yield made
    made.close()


def test_an_open_hand_is_open_and_closes_in_about_half_a_second(right: TwinRobot) -> None:
    right.reset()
    assert abs(close(right, np.zeros(6), 1.0)).max() < 0.01, "no drive has a torque of its own"
    assert close(right, FISTED, 0.3)[:4].max() < 0.9
    assert close(right, FISTED, 0.4)[:4].min() > 0.9 * 1.6


def test_joints_without_a_drive_of_their_own_follow_in_proportion(right: TwinRobot) -> None:
    right.reset()
    close(right, np.array([0.2, 0.4, 0.6, 0.8, 0.3, 1.0]), 1.5)
    data, tool = right.scene.data, right.description.limbs[0].tool
    for follower in tool.coupling:
        leader = data.joint(follower.leader).qpos[0]
        assert data.joint(follower.joint).qpos[0] == pytest.approx(follower.ratio * leader, abs=0.01)


def test_fingers_press_with_what_their_drives_give(right: TwinRobot) -> None:
    drive = right.description.limbs[0].tool.drive
    assert drive is not None
    right.reset()
    close(right, np.array([0.3] * 4 + [0.0, 0.0]), 1.0)
    forces = []
    for bend in (0.4, 0.5, 1.5):
        joint = right.scene.model.joint("joint_r_index_proximal")
        right.scene.model.jnt_range[joint.id, 1] = 0.3  # something stops the finger here
        right.scene.model.jnt_solimp[joint.id] = [0.99, 0.999, 0.001, 0.5, 2]
        close(right, np.array([0.3] * 3 + [bend, 0.0, 0.0]), 1.0)
        held = right.scene.data.joint("joint_r_index_proximal").qpos[0]
        assert held == pytest.approx(0.3, abs=0.02)
        forces.append(right.scene.data.actuator("index_proximal_drive").force[0])
        assert forces[-1] == pytest.approx(min(drive.stiffness * (bend - held), drive.effort), rel=0.02)
    right.scene.model.jnt_range[joint.id, 1] = 1.62
    assert forces[0] < forces[1] < forces[2]


def test_the_left_hand_is_the_right_one_in_a_mirror(right: TwinRobot, left: TwinRobot) -> None:
    tips = {}
    for side, twin in (("r", right), ("l", left)):
        twin.reset()
        close(twin, np.array([0.5, 0.5, 0.5, 0.5, 0.3, 1.2]), 1.0)
        position, orientation = tcp_pose(twin)
        tips[side] = np.array(
            [(twin.scene.data.body(f"tool_{side}_{finger}_distal").xpos - position) @ orientation for finger in FINGERS]
        )
    # Thumb's side along x and fingers along z in both; the palms look opposite ways.
    np.testing.assert_allclose(tips["l"], tips["r"] * [1, -1, 1], atol=0.008)
    assert (tips["r"][THUMB, 1] < tips["r"][:THUMB, 1]).all(), "y goes from thumb to fingers"


def test_everything_stands_still_and_weighs_what_it_should(grasp: Any) -> None:
    seen = set()
    for seed in range(24):
        first, info = grasp.reset(seed=seed)
        kind = int(first["object.kind"].argmax())
        seen.add(kind)
        grasp.robot.run_for(SECOND)
        after = grasp.twin_task.observe()
        np.testing.assert_allclose(after["object.position"], first["object.position"], atol=1e-3)
        np.testing.assert_allclose(after["object.rotation"], first["object.rotation"], atol=0.02)
        assert GROCERIES[kind].name in info["instruction"]
        body = grasp.scene.model.body(BODY)
        assert body.mass[0] == pytest.approx(GROCERIES[kind].mass_kg)
        assert body.subtreemass[0] == pytest.approx(GROCERIES[kind].mass_kg), "nothing that is not worn weighs"
        touched = {grasp.scene.model.geom(geom).name for geom in grasp.scene.data.contact.geom.ravel()}
        assert all(name.startswith(f"{BODY}_{kind}_") for name in touched - {"table"})
    assert seen == set(range(len(GROCERIES)))


def test_hanging_in_the_air_is_no_success(grasp: Any) -> None:
    grasp.reset(seed=0)
    for _ in range(10):
        start = grasp.scene.model.joint(BODY).qposadr[0]
        grasp.scene.data.qpos[start + 2] = 0.4
        grasp.scene.data.qvel[:] = 0.0
        *_, info = grasp.step(grasp.robot.target)
        assert not info["success"]


def test_the_expert_lifts_all_of_them_in_both_ways_with_several_fingers(grasp: Any) -> None:
    won, ways = defaultdict(list), set()
    for seed in range(24):
        episode = record(grasp, seed)
        won[int(episode.data["object.kind"][0].argmax())].append(bool(episode.meta["success"]))
        if episode.meta["success"]:
            ways.add(json.loads(str(episode.meta["strategy"]))["grasp"])
            touch = grasp.twin_task.observe()["hand.touch"]
            assert touch[THUMB] and touch.sum() >= 3
    assert set(won) == set(range(len(GROCERIES))) and all(any(each) for each in won.values())
    assert sum(map(sum, won.values())) >= 20
    assert ways == {"above", "wrap"}


def test_a_grip_holds_half_a_kilogram_and_lets_go_when_the_hand_opens(grasp: Any) -> None:
    seed = next(seed for seed in range(100) if grasp.reset(seed=seed)[0]["object.kind"].argmax() == 0)
    assert record(grasp, seed).meta["success"]
    model, target = grasp.scene.model, grasp.robot.target
    model.body(BODY).mass[:] = 0.5
    height = grasp.scene.data.body(BODY).xpos[2]
    for _ in range(40):
        grasp.robot.hold(target)
    assert grasp.scene.data.body(BODY).xpos[2] > height - 0.02
    close(grasp.robot, np.zeros(6), 1.0)
    assert grasp.scene.data.body(BODY).xpos[2] < 0.1
    assert not grasp.twin_task.observe()["hand.touch"].any()


def test_the_knob_counts_as_turned_where_it_is_wanted_and_at_rest(turn: Any) -> None:
    first, info = turn.reset(seed=4)
    knob, goal = turn.scene.data.joint("knob"), float(first["knob.goal"][0])
    way = goal - float(first["knob.angle"][0])
    assert np.pi / 4 <= abs(way) <= np.pi / 2 and ("left" if way > 0 else "right") in info["instruction"]
    for off, speed, expected in ((0.2, 0.0, False), (-0.05, 0.0, True), (0.0, 2.0, False)):
        knob.qpos[0], knob.qvel[0] = goal + off, speed
        assert turn.twin_task.success() is expected
    assert not turn.twin_task.success() and 0.0 <= turn.twin_task.score() <= 1.0


def test_nothing_but_the_hand_turns_the_knob(turn: Any) -> None:
    first, _ = turn.reset(seed=5)
    turn.robot.run_for(SECOND)
    assert turn.twin_task.observe()["knob.angle"][0] == pytest.approx(float(first["knob.angle"][0]), abs=1e-3)


def test_the_expert_turns_the_knob_both_ways_in_one_stroke_and_in_two(turn: Any) -> None:
    done = set()
    for seed in range(12):
        episode = record(turn, seed)
        if episode.meta["success"]:
            side = "left" if "left" in str(episode.meta["instruction"]) else "right"
            done.add((side, json.loads(str(episode.meta["strategy"]))["strokes"]))
    assert done == {("left", 1), ("left", 2), ("right", 1), ("right", 2)}


@pytest.mark.parametrize("task", ["twin/hand_grasp", "twin/hand_turn"])
def test_another_arm_with_the_hand_does_it_and_a_gripper_is_refused(task: str) -> None:
    made = sim.make(task, robot="ur5e_inspire")
    assert sum(bool(record(made, seed).meta["success"]) for seed in range(4)) >= 2
    made.close()
    with pytest.raises(InputError, match="one arm with a hand"):
        sim.make(task, robot="panda")
