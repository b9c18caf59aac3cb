"""The two scenes of the page: the robot from its measured joints, and a twin's other bodies from their poses."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from real.page.geometry import FLOOR, pack_poses, pack_scene
from real.page.serving.feed import Channel, Feed, Kind
from real.ros.reading import Refusal
from real.ros.shapes import matrices, read_scene
from robot.description.loading import RobotDescription
from robot.errors import TillerError
from robot.model.links import RobotLinks

ROBOT, WORLD = 0, 1


class PageDrawing:
    """Publishes scenes and poses to a feed.

    Args:
        description: of the robot.
        feed: of the page.

    Attributes:
        problem: why the robot is not drawn; empty when it is.
    """

    def __init__(self, description: RobotDescription, feed: Feed) -> None:
        self._feed, self._text = feed, ""
        self._bodies = 0
        self._links: RobotLinks | None = None
        self.problem = ""
        try:
            self._links = RobotLinks(description)
        except TillerError as error:  # a robot whose model is not at hand is driven and recorded all the same
            self.problem = str(error)
            return
        feed.publish(Channel(Kind.SCENE, WORLD), pack_scene(("floor",), ((FLOOR,),)))
        feed.publish(Channel(Kind.POSES, WORLD), pack_poses(np.eye(3, 4)[None]))
        feed.publish(Channel(Kind.SCENE, ROBOT), pack_scene(self._links.names, self._links.shapes))

    def move(self, joints: Mapping[str, np.ndarray], stamp_ns: int = 0) -> None:
        """Draw the robot at measured joints, our name -> (1,); those that are not among them stay."""
        if self._links is not None and joints:
            self._feed.publish(Channel(Kind.POSES, ROBOT), pack_poses(self._links.poses(joints)), stamp_ns)

    def world(self, text: str) -> Refusal | None:
        """Take a twin's scene."""
        if text == self._text:
            return None
        scene = read_scene(text)
        if isinstance(scene, Refusal):
            return scene
        self._text, self._bodies = text, len(scene.names)
        self._feed.publish(Channel(Kind.SCENE, WORLD), pack_scene(scene.names, scene.shapes, cell_m=0.0))
        return None

    def world_moves(self, values: Sequence[float]) -> Refusal | None:
        """Take the poses of the bodies of a twin's scene."""
        poses = matrices(values, self._bodies)
        if isinstance(poses, Refusal):
            return poses
        self._feed.publish(Channel(Kind.POSES, WORLD), pack_poses(poses))
        return None
