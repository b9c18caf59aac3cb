"""What is drawn in space: the robot where its joints or its hand are, and other bodies at their poses."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import TIME
from data.store.schema import Schema, StreamField
from robot.control.rotation import rotation_6d_from_matrix
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.description.loading import load_robot
from robot.model.links import RobotLinks
from tests.tiller.looking.conftest import make_episode
from tiller.looking.snapshot import Shelf
from tiller.looking.space.bodies import HEAD, Stage

PANDA = {"contract": {"semantic": {"robot": "panda"}}}


def poses(shelf: Shelf, stage: Stage, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows, bodies, 3, 4) of the robot and of everything else."""
    packed = stage.poses(shelf, shelf[0], 0, first, 10)
    rows, robot, others, _ = HEAD.unpack_from(packed)
    numbers = np.frombuffer(packed, "<f4", offset=HEAD.size)
    size = rows * robot * 12
    return numbers[:size].reshape(rows, robot, 3, 4), numbers[size:].reshape(rows, others, 3, 4)


def names(scene: bytes) -> list[str]:
    import json

    length = struct.unpack_from("<I", scene)[0]
    return [body["name"] for body in json.loads(scene[8 : 8 + length])["bodies"]]


def test_the_robot_is_where_its_joints_are_and_a_cup_where_its_position_is(made: Path) -> None:
    shelf = Shelf([str(made)])
    stage = Stage(shelf[0])
    robot, others = poses(shelf, stage, first=4)
    links, joints = RobotLinks(load_robot("panda")), make_episode(0, 30).data["arm.joints"]
    for row in (0, 9):
        measured = {f"joint{number + 1}": joints[4 + row, number : number + 1] for number in range(7)}
        np.testing.assert_allclose(robot[row], links.poses(measured), atol=1e-6)
    assert len(names(stage.robot)) == robot.shape[1] and stage.note == ""
    assert names(stage.world) == ["floor", "cup"]
    np.testing.assert_allclose(others[3, 1], np.c_[np.eye(3), [0.5, 0.1, 0.02]], atol=1e-6)


def store_of(path: Path, columns: dict[str, np.ndarray], attributes: dict, stream: np.ndarray | None = None) -> Path:
    """A store of one episode with these observations, and joints in a stream."""
    fields = tuple(
        ObservationField(name, values.shape[1:], "float32", "m" if "position" in name else "1", "state")
        for name, values in columns.items()
    )
    action = ActionSpec((ActionField("go", 1, "m", "native"),), 0.05)
    schema = Schema(ObservationSpec(fields), action, 0.05, columns=(TIME,))
    rows = len(next(iter(columns.values())))
    streams = {}
    if stream is not None:
        schema = replace(schema, streams=(StreamField("arm", (7,), "float64", "rad"),))
        streams["arm"] = (stream, np.arange(len(stream), dtype=np.int64) * 10_000_000)
    data = {name: values.astype(np.float32) for name, values in columns.items()}
    data |= {"action": np.zeros((rows, 1), np.float32), "time_ns": np.arange(rows, dtype=np.int64) * 50_000_000}
    with Dataset.create(path, schema, attributes) as dataset:
        dataset.append(Episode(data, {}, streams))
    return path


def test_joints_of_a_stream_are_those_at_the_time_of_the_row(tmp_path: Path) -> None:
    rest = np.array(load_robot("panda").limbs[0].arm.rest)
    samples = rest + np.linspace(0, 0.5, 40)[:, None]
    state = {"map": "arm"}
    joints = [{"name": f"joint{number + 1}"} for number in range(7)]
    attributes = {"contract": {**PANDA["contract"], "operational": {"state": {"arm": state}, "maps": {"arm": joints}}}}
    store = store_of(tmp_path / "stream", {"cup.position": np.zeros((8, 3))}, attributes, samples)
    shelf = Shelf([str(store)])
    robot, _ = poses(shelf, Stage(shelf[0]))
    links = RobotLinks(load_robot("panda"))
    measured = {f"joint{number + 1}": samples[15, number : number + 1] for number in range(7)}
    np.testing.assert_allclose(robot[3], links.poses(measured), atol=1e-6)


def test_without_joints_the_hand_is_where_it_was_and_that_is_said(tmp_path: Path) -> None:
    turn = np.diag([1.0, -1.0, -1.0])
    places = np.array([[0.4, 0.1 * row, 0.3] for row in range(4)])
    columns = {"tcp.position": places, "tcp.rotation": np.tile(rotation_6d_from_matrix(turn), (4, 1))}
    shelf = Shelf([str(store_of(tmp_path / "hand", columns, PANDA))])
    stage = Stage(shelf[0])
    robot, _ = poses(shelf, stage)
    assert "hand" in stage.note and names(stage.world) == ["floor"]
    limb = load_robot("panda").limbs[0]
    flange = names(stage.robot).index(limb.element(limb.arm.flange)) if limb.arm.flange in names(stage.robot) else None
    if flange is None:  # the flange has no shape: the tool's first body hangs at it
        flange = next(at for at, name in enumerate(names(stage.robot)) if "hand" in name or "gripper" in name)
    moved = robot[:, flange, :, 3] - robot[0, flange, :, 3]
    np.testing.assert_allclose(moved, places - places[0], atol=2e-3)


def test_a_store_without_poses_and_robot_has_a_floor(tmp_path: Path) -> None:
    shelf = Shelf([str(store_of(tmp_path / "bare", {"level": np.zeros((3, 1))}, {"robot": "none of these"}))])
    stage = Stage(shelf[0])
    assert stage.robot == b"" and stage.note and names(stage.world) == ["floor"]
    robot, others = poses(shelf, stage)
    assert robot.size == 0 and others.shape == (3, 1, 3, 4)
