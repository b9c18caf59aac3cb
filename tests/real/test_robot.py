"""A program and a robot: real processes of a twin's graph, commanded through the gate."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import tiller
from real.connection.robot import RosRobot
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.moves import Move
from robot.control.rest import rest_target
from robot.description import ActionChunk, Robot
from robot.description.clock import Clock
from robot.errors import InputError, MissingExtraError, TillerError
from robot.safety.gate.from_contract import gate_settings
from sim.twin import make_twin
from sim.twin.robot import TwinRobot
from tests.real.patient import own_graph, patient_contract

NEAR_M = 0.003


@pytest.fixture(scope="module")
def contract(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a twin, in a ROS domain of these tests."""
    folder = tmp_path_factory.mktemp("robot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOG_DIR", str(folder / "ros_log"))
        yield str(patient_contract(folder))


@pytest.fixture(scope="module")
def robot(contract: str, domain: int) -> Iterator[RosRobot]:
    with own_graph(contract, domain) as found:
        yield found


def children() -> set[str]:
    """Nodes that this process has started, and that run."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == os.getpid() and "node" in words:
                found.add(words[words.index("node") + 1])
    return found


# -- without a graph --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["panda", "panda_inspire", "ur5e", "fr3", "two_panda"])
def test_the_rest_pose_is_that_of_the_twin(name: str) -> None:
    twin = make_twin(name)
    rest = rest_target(twin.description, twin.action_spec)
    np.testing.assert_allclose(rest, twin.hold_target, atol=1e-5)


def test_a_move_goes_from_rest_to_rest_within_the_limits(tmp_path: Path) -> None:
    contract = load_contract(str(patient_contract(tmp_path)))
    settings = gate_settings(contract, describe(contract))
    start = rest_target(describe(contract), action_spec(contract))
    goal = start + [0.1, 0.2, -0.1, *[0] * 6, -0.05]
    limits = {part.field: part for group in settings.groups for part in group.parts}
    quick = Move(settings.spec, start, goal, None, limits).shortest_s
    move = Move(settings.spec, start, goal, quick, limits)
    times = np.linspace(0, move.duration_ns, 2001)
    path = move.at(times)[:, :3]
    rate = np.gradient(path, times * 1e-9, axis=0)
    change = np.gradient(rate, times * 1e-9, axis=0)
    assert np.linalg.norm(rate, axis=1).max() <= 0.5 and np.linalg.norm(change, axis=1).max() <= 4.0
    assert np.linalg.norm(rate[[0, -1]], axis=1).max() < 1e-3
    np.testing.assert_array_equal(move.at(np.array([move.duration_ns, 2 * move.duration_ns])), [goal, goal])
    with pytest.raises(InputError, match="or more, within the limits of the contract"):
        Move(settings.spec, start, goal, 0.9 * quick, limits)


def test_a_robots_name_gives_its_twin_in_this_process() -> None:
    assert isinstance(tiller.connect("panda"), TwinRobot)
    with pytest.raises(InputError, match="Did you mean 'panda_twin'"):
        tiller.connect("panda_twni")


def test_without_rclpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiller.connection.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"tiller\[ros\]"):
        tiller.connect("panda_twin")


def test_who_only_joins_is_told_what_is_missing_and_how_to_start_it(contract: str) -> None:
    with RosRobot(contract, start=False, namespace="/nowhere") as robot:
        with pytest.raises(TillerError, match=r"'/nowhere/gate/state'.*tiller deploy contract=.* namespace=/nowhere"):
            robot.wait_until_ready(0.5)
        with pytest.raises(TillerError, match="gate/state"):
            robot.observe()
    with pytest.raises(InputError, match="Did you mean 'checkpoint'"):
        RosRobot(contract, chekpoint="x")
    with pytest.raises(InputError, match=r"camera 'frnt'.*Did you mean 'front'"):
        RosRobot(contract, start=False, cameras=("frnt",))


def test_another_version_of_the_contract_is_told(robot: RosRobot, tmp_path: Path) -> None:
    file = patient_contract(tmp_path)
    file.write_text(file.read_text().replace("floor_s: 5.0", "floor_s: 5.5"))
    with RosRobot(str(file), start=False) as other, pytest.warns(UserWarning, match="Start both with the same file"):
        other.wait_until_ready(20.0)


# -- with one ---------------------------------------------------------------------------------------------------------


def test_it_is_a_robot_that_observes_itself(robot: RosRobot) -> None:
    assert isinstance(robot, Robot) and isinstance(robot.clock, Clock)
    seen = robot.observe()
    assert set(seen) >= {"tcp.position", "tcp.rotation", "gripper.width", "arm.joints"}
    assert {value.dtype for value in seen.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(seen["tcp.position"], [0.45, 0.0, 0.22], atol=NEAR_M)
    assert robot.state == "hold no_chunk"


def test_it_arrives_where_it_was_told_and_at_home(robot: RosRobot) -> None:
    place, turned = [0.5, 0.1, 0.3], np.diag([1.0, -1.0, -1.0]) @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    robot.move_to(place, turned, width=0.03)
    seen = robot.observe()
    np.testing.assert_allclose(seen["tcp.position"], place, atol=NEAR_M)
    np.testing.assert_allclose(seen["tcp.rotation"], turned[:, :2].T.ravel(), atol=0.05)
    np.testing.assert_allclose(seen["gripper.width"], [0.03], atol=0.002)
    robot.home()
    seen = robot.observe()
    np.testing.assert_allclose(seen["tcp.position"], [0.45, 0.0, 0.22], atol=NEAR_M)
    np.testing.assert_allclose(seen["gripper.width"], [0.08], atol=0.002)


@pytest.mark.parametrize(
    "told, words",
    [
        ({"position": [0.9, 0, 0.2]}, "tcp.position: expected within"),
        ({"position": [0.5, 0.0]}, "expected 3 numbers in m"),
        ({"position": [0.5, np.nan, 0.2]}, "finite"),
        ({"rotation": np.zeros(6)}, "tcp.rotation"),
        ({"width": 0.2}, "gripper.width: expected within"),
        ({"position": [0.6, 0.2, 0.3], "duration": 0.1}, "s or more, within the limits"),
        ({"fields": {"tcp.positon": [0, 0, 0]}}, "Did you mean 'tcp.position'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_moves(robot: RosRobot, told: dict, words: str) -> None:
    before = robot.target
    with pytest.raises(InputError, match=words):
        robot.move_to(**told)
    np.testing.assert_array_equal(robot.target, before)


def test_a_chunk_ends_at_its_last_row(robot: RosRobot) -> None:
    spec, rows = robot.action_spec, np.repeat(robot.target[None], 40, axis=0)
    rows[:, 1] += np.linspace(0, 0.05, 40)
    robot.execute(ActionChunk(rows, robot.clock.now_ns(), spec.period_s, 7, spec))
    assert robot._subscriptions.until(lambda: robot.state == "run policy", 5.0)
    assert robot._subscriptions.until(lambda: robot.state == "hold starved", 20.0)
    np.testing.assert_allclose(robot.target, rows[-1], atol=NEAR_M)
    now = robot.clock.now_ns()
    for start_ns, words in ((now + 10**9, "stamped in the future"), (now - 10**10, "lies in the past")):
        with pytest.raises(InputError, match=words):
            robot.execute(ActionChunk(rows, start_ns, spec.period_s, 8, spec))


def test_a_second_program_joins_the_graph_and_takes_it_over_from_one_that_rests(robot: RosRobot, contract: str) -> None:
    before = children()
    with tiller.connect(contract) as second:
        second.wait_until_ready(20.0)
        assert children() == before
        time.sleep(1.2)  # what the first sent is old by now
        second.move_to([0.45, -0.05, 0.25])
        with pytest.raises(TillerError, match="another source sends chunks"):
            robot.move_to([0.45, 0.0, 0.25])
        np.testing.assert_allclose(second.observe()["tcp.position"], [0.45, -0.05, 0.25], atol=NEAR_M)
    with pytest.raises(InputError, match="task: expected options of a graph that is started here"):
        tiller.connect(contract, task="twin/lift")
    assert robot._subscriptions.until(lambda: not robot._access.others(), 10.0)
    robot.home()


def test_a_stop_ends_a_move_where_the_robot_is(robot: RosRobot) -> None:
    told: list[Exception] = []

    def move() -> None:
        try:
            robot.move_to([0.6, 0.3, 0.4], duration=8.0)
        except TillerError as error:
            told.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    assert robot._subscriptions.until(lambda: np.linalg.norm(robot.target[:3] - [0.45, 0, 0.22]) > 0.05, 20.0)
    robot.disable()
    thread.join(20.0)
    assert "waiting for enable" in str(told[0]) and "robot.enable()" in str(told[0])
    stands = robot.target
    assert np.linalg.norm(stands[:3] - [0.6, 0.3, 0.4]) > 0.05
    with pytest.raises(TillerError, match="waiting for enable"):
        robot.home()
    robot.enable()
    np.testing.assert_allclose(robot.target, stands, atol=1e-6)
    robot.home()


def test_a_fault_is_named_and_left_when_its_cause_is_gone(robot: RosRobot) -> None:
    from std_srvs.srv import SetBool

    pause = robot._link.node.create_client(SetBool, "twin/set_pause")
    assert robot._subscriptions.until(pause.service_is_ready, 10.0)
    pause.call_async(SetBool.Request(data=True))  # a driver that says anything but "running"
    assert robot._subscriptions.until(lambda: robot.state == "fault driver", 10.0)
    with pytest.raises(TillerError, match=r"does not run the robot.*'paused'.*robot\.recover\(\)"):
        robot.home()
    with pytest.raises(TillerError, match=r"the cause of the fault is still there.*'paused'"):
        robot.recover()
    pause.call_async(SetBool.Request(data=False))
    assert robot._subscriptions.until(lambda: robot._subscriptions.running, 10.0)
    assert robot.state == "fault driver"  # it is latched
    robot.recover()
    robot.home()


def test_a_reset_begins_the_episode_of_a_seed(robot: RosRobot) -> None:
    robot.move_to([0.5, 0.1, 0.3])
    epoch = robot.episode["epoch"]
    robot.reset(seed=5)
    assert robot.episode["epoch"] == epoch + 1 and robot.episode["seed"] == 5
    np.testing.assert_allclose(robot.target[:3], [0.45, 0, 0.22], atol=NEAR_M)
    robot.move_to([0.5, 0.0, 0.3])


def test_a_flight_record_is_asked_for(robot: RosRobot) -> None:
    record = robot.flight_record()
    assert record.parent == robot.folder and record.stat().st_size > 1000
    record.unlink()


def test_close_leaves_no_process_and_no_file(robot: RosRobot) -> None:
    assert children() == {"twin", "gate", "supervisor"}
    folder = robot.folder
    for record in folder.glob("*.tfr"):  # of the fault above: records are what is kept
        record.unlink()
    robot.close()
    assert not children() and not folder.exists()
