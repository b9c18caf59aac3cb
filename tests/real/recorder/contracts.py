"""Contracts of robots for a recorder's tests, and messages of their drivers."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage

from data.store.images.encoding import encode_jpeg, encode_png
from real.ros.messages import (
    header_of,
    image_message,
    joint_state_message,
    pose_message,
    vector_message,
    wrench_message,
)
from robot.contract.contract import Contract
from robot.contract.loading import load_contract
from robot.folders import configs_folder

MAP = {"arm": [f"panda_joint{number}" for number in range(1, 8)], "gripper": ["panda_finger_joint1"]}
SMALL = [24, 32]  # height and width of pictures


def robot_contract(folder: Path, *, without: tuple[str, ...] = (), **state: dict[str, Any]) -> Contract:
    """The Panda of the twin as a robot, with small cameras.

    Args:
        folder: where its file goes.
        without: streams that it lacks.
        state: further streams, or others in the place of those of the same name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = yaml.safe_load((configs_folder() / "contract" / "panda_twin.yaml").read_text())
    limits = yaml.safe_load((configs_folder() / "contract" / "fr3_crisp.yaml").read_text())["limits"]
    streams = {name: stream for name, stream in own["state"].items() if name not in ("task", *without)}
    for camera in ("front", "wrist"):
        if camera in streams:
            streams[camera] = {**streams[camera], "size": SMALL, "rate_hz": 20}
    arm = {"via": "crisp_pose", "topic": "target_pose", "fields": ["tcp.position", "tcp.rotation"], "rate_hz": 100}
    tool = {"via": "gripper", "topic": "gripper/command", "fields": ["gripper.width"], "rate_hz": 10, "map": "tool"}
    energy = {"mode": "setpoint", "stiffness": [600.0, 600.0, 600.0, 30.0, 30.0, 30.0]}
    content = {
        **own,
        "plant": "robot",
        "operator": "required",
        "evidence": "emulation",
        "maps": {**own["maps"], "tool": [{"name": "gripper.width", "ros": "gripper", "scale": 0.08}]},
        "state": {**streams, **state},
        "sinks": {"arm": {**arm, "energy": energy}, "gripper": tool},
        "limits": limits,
    }
    file = folder / "panda.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_contract(str(file))


def picture(number: int = 0, height: int = SMALL[0], width: int = SMALL[1]) -> np.ndarray:
    """(height, width, 3) colour with noise, as a sensor's; another one for each number."""
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)


def joints(stamp_ns: int, name: str = "arm", value: float = 0.1) -> bytes:
    """A message of a stream of joints."""
    return serialize_message(joint_state_message(MAP[name], np.full(len(MAP[name]), value), stamp_ns))


def pose(stamp_ns: int, position: tuple[float, ...] = (0.45, 0.0, 0.3)) -> bytes:
    return serialize_message(pose_message(np.array(position), np.array([0.0, 0, 0, 1]), stamp_ns, "base"))


def wrench(stamp_ns: int, value: float = 1.0) -> bytes:
    return serialize_message(wrench_message(np.full(6, value), stamp_ns, "tool"))


def vector(values: Any) -> bytes:
    return serialize_message(vector_message(np.array(values, np.float64)))


def raw(image: np.ndarray, stamp_ns: int) -> bytes:
    return serialize_message(image_message(image, stamp_ns, "camera"))


def compressed(data: bytes, stamp_ns: int, form: str = "jpeg") -> bytes:
    return serialize_message(CompressedImage(header=header_of(stamp_ns), format=form, data=array("B", data)))


def as_jpeg(image: np.ndarray, stamp_ns: int) -> bytes:
    return compressed(encode_jpeg(image, 90), stamp_ns)


def as_png(image: np.ndarray, stamp_ns: int) -> bytes:
    return compressed(encode_png(image), stamp_ns, "png")
