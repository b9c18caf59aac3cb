"""A twin's bodies besides its robot, for who draws them: shapes once, poses while somebody subscribes.

The robot itself is drawn from its measured joints, as a real one is.
"""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, String

from real.ros import qos
from real.ros.messages import string_message, vector_message
from real.ros.shapes import MOST_BODIES, POSES_HZ, POSES_TOPIC, SCENE_TOPIC, SceneNotice
from robot.model.shapes import shapes_by_body
from sim.twin.model.scene import Scene

PERIOD_NS = round(1e9 / POSES_HZ)


class TwinScene:
    """Publishes `twin/scene` (String, latched) and `twin/poses` (Float64MultiArray: position and quaternion wxyz per
    body).

    Args:
        node: of the twin.
        scene: of the robot and its task.
    """

    def __init__(self, node: Node, scene: Scene) -> None:
        self._scene = scene
        self._text_publisher = node.create_publisher(String, SCENE_TOPIC, qos.LATCHED)
        self._publisher = node.create_publisher(Float64MultiArray, POSES_TOPIC, qos.IMAGE)
        self._bodies = np.empty(0, np.intp)
        self._text, self._sent_ns = "", 0

    def reset(self) -> None:
        """Publish the shapes where they are others: an episode may change colours and sizes."""
        model = self._scene.model
        joints = [self._scene.id("joint", name) for name in self._scene.description.spec.joint_names]
        robot = {int(model.body_rootid[model.jnt_bodyid[joint]]) for joint in joints}
        others = [body for body in range(model.nbody) if int(model.body_rootid[body]) not in robot]
        found = dict(list(shapes_by_body(model, others).items())[:MOST_BODIES])
        self._bodies = np.array(sorted(found), dtype=np.intp)
        names = tuple(model.body(int(body)).name for body in self._bodies)
        text = SceneNotice(names, tuple(found[int(body)] for body in self._bodies)).text()
        if text != self._text:
            self._text = text
            self._text_publisher.publish(string_message(text))

    def publish(self, now_ns: int, stamp_ns: int) -> None:
        """Publish the poses when they are due.

        Args:
            now_ns: steady time.
            stamp_ns: of the poses.
        """
        if now_ns - self._sent_ns < PERIOD_NS or not self._publisher.get_subscription_count():
            return
        self._sent_ns = now_ns
        data = self._scene.data
        poses = np.concatenate([data.xpos[self._bodies], data.xquat[self._bodies]], axis=1)
        self._publisher.publish(vector_message(poses.ravel(), stamp_ns))
