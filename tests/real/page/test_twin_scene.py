"""What a twin tells of its bodies besides the robot, to whoever draws them."""

from __future__ import annotations

import time
from typing import Any

import mujoco
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, String

from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.shapes import POSES_TOPIC, SCENE_TOPIC, SceneNotice, matrices, read_scene
from real.twin.scene import PERIOD_NS, TwinScene
from robot.description.loading import RobotDescription, load_robot
from sim.twin.model.scene import compile_scene, new_scene
from tests.real.conftest import MATCH_S


def with_cube(spec: mujoco.MjSpec, description: RobotDescription) -> None:
    body = spec.worldbody.add_body(name="cube", pos=[0.5, 0.1, 0.02])
    body.add_freejoint()
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.02] * 3, rgba=[1, 0, 0, 1], group=1)


def test_bodies_are_told_once_and_their_poses_while_somebody_subscribes(ros_environment: dict[str, str]) -> None:
    scene = compile_scene(new_scene(0.002), load_robot("panda"), with_cube)
    mujoco.mj_kinematics(scene.model, scene.data)
    rclpy.init()
    node, executor = Node("twin"), make_executor()
    executor.add_node(node)
    texts: list[str] = []
    poses: list[Any] = []
    try:
        twin_scene = TwinScene(node, scene)
        twin_scene.reset()
        twin_scene.reset()
        node.create_subscription(String, SCENE_TOPIC, lambda message: texts.append(message.data), qos.LATCHED)
        node.create_subscription(Float64MultiArray, POSES_TOPIC, poses.append, qos.IMAGE)
        end = time.monotonic() + MATCH_S
        now_ns = 0
        while not (texts and poses):
            assert time.monotonic() < end, "nothing is heard of the scene"
            now_ns += PERIOD_NS
            twin_scene.publish(now_ns, now_ns)
            twin_scene.publish(now_ns + 1, now_ns)
            executor.spin_once(timeout_sec=0.01)
    finally:
        leave(node, executor)
    found = read_scene(texts[0])
    assert isinstance(found, SceneNotice) and set(found.names) == {"world", "table", "cube"}, "and not the robot"
    cube = found.names.index("cube")
    assert found.shapes[cube][0].kind == "box" and list(found.shapes[cube][0].rgba) == [1, 0, 0, 1]
    placed = matrices(poses[0].data, len(found.names))
    np.testing.assert_allclose(placed[cube], np.c_[np.eye(3), [0.5, 0.1, 0.02]], atol=1e-9)
