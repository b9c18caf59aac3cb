"""A recorder beside a robot's drivers, over topics: its services, what it publishes, and what keeps a take away."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from data.store.dataset import Dataset
from data.store.names import Actor, Quality
from real.ros import qos
from real.ros.reading import LONGEST_TEXT
from tests.real.recorder.robot_rig import robot_graph

FRONT = "front/color/image_raw"


@contextmanager
def elsewhere() -> Iterator[Node]:
    """A node that shares nothing with those of the graph, as one of another process."""
    context = Context()
    rclpy.init(context=context)
    node = Node("elsewhere", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_takes_of_a_robot(ros_environment: dict[str, str], tmp_path: Path) -> None:
    with robot_graph(tmp_path, operator="ada", instruction="stack", seed=3, goal=5) as graph:
        driver = graph.driver
        graph.until_state("ready")
        assert driver.state["goal"] == 5 and driver.state["instruction"] == "stack" and driver.state["episodes"] == 0
        assert graph.ask("save") == (False, "cannot save: the recorder has no take")
        graph.record(1.0)
        graph.until(lambda: driver.episodes, "an episode")
        assert driver.episodes[-1]["epoch"] == 1 and driver.episodes[-1]["instruction"] == "stack"
        assert graph.ask("start")[0] is False
        assert graph.ask("pause") == (True, "paused")
        graph.spin(0.5)
        assert graph.ask("pause", False) == (True, "recording")
        graph.spin(0.5)
        assert graph.ask("label") == (True, "recording")
        assert graph.ask("stop") == (True, "ended")
        graph.until_state("ended", "stopped")
        assert driver.state["label"] == "success" and driver.state["rows"] > 15
        assert graph.ask("save")[0]
        graph.until(lambda: driver.outcomes, "an outcome")
        assert driver.outcomes[-1]["success"][0] == 1 and driver.outcomes[-1]["terminated"][0] == 1
        graph.record(0.4)
        assert driver.episodes[-1]["epoch"] == 2 and driver.episodes[-1]["seed"] == 4
        began_s = time.monotonic()
        assert graph.ask("discard") == (True, "waiting")
        assert driver.state["discarded"] == 1 and time.monotonic() - began_s < 1.0
        graph.until_state("ready")
        assert driver.state["episodes"] == 1 and len(driver.outcomes) == 1
        graph.record(0.5)
        graph.ask("save")
        graph.until(lambda: driver.state["saved"] == 2, "saved")
        assert driver.state["verdict"].startswith("saved, ")
    dataset = Dataset.open(tmp_path / "store")
    assert dataset.meta("seed").tolist() == [3, 4] and dataset.meta("success").tolist() == [True, False]
    episode = dataset.episode(0)
    assert episode.data["front.image"].shape[1:] == (24, 32, 3) and (episode.data["actor"] == Actor.PERSON).all()
    assert ((episode.data["quality"] & Quality.GAP) > 0).sum() == 1 and (np.diff(episode.data["time_ns"]) > 0).all()
    assert dataset.meta("operator").tolist() == ["ada", "ada"]
    assert abs(dataset.meta("started_ns")[0] * 1e-9 - time.time()) < 600


def test_what_a_camera_or_a_clock_does_is_named_before_a_take_and_ends_one(
    ros_environment: dict[str, str], tmp_path: Path
) -> None:
    with robot_graph(tmp_path) as graph:
        driver = graph.driver
        graph.until_state("ready")
        driver.mute = {"wrist"}
        graph.until_state("waiting", "wrist on 'wrist/color/image_raw' is silent")
        driver.mute, driver.frozen = set(), {"front"}
        graph.until_state("waiting", "front on 'front/color/image_raw' is frozen: the same picture")
        driver.frozen, driver.offset_ns = set(), 3_000_000_000
        graph.until_state("waiting", "s in the future")
        driver.offset_ns = -3_000_000_000
        graph.until_state("waiting", "s in the past")
        driver.offset_ns = 0
        driver.gate.publish(String(data="fault tracking"))
        graph.until_state("waiting", "the gate is in fault tracking")
        driver.gate.publish(String(data="run person"))
        graph.record(0.5)
        driver.size = (48, 64)
        graph.until_state("ended", "front is refused: colour of 64 x 48, before colour of 32 x 24")
        assert graph.ask("discard")[0]
        graph.until_state("waiting", "64 x 48")
        driver.size = (24, 32)
        graph.record(0.5)
        driver.mute = {"front"}
        graph.until_state("ended", "front is silent")
        graph.ask("save")
        graph.until(lambda: driver.state["saved"] == 1, "saved")
        assert graph.recorder.tally.errors == 0


def test_a_topic_of_another_type_and_a_second_recorder_are_named_and_no_text_is_too_long(
    ros_environment: dict[str, str], tmp_path: Path
) -> None:
    with robot_graph(tmp_path) as graph:
        driver = graph.driver
        driver.destroy_publisher(driver.publish["front"].__self__)
        driver.publish["front"] = lambda message: None
        with elsewhere() as node:
            node.create_publisher(CompressedImage, FRONT, qos.STATE_OUT)
            graph.until_state("waiting", f"'{FRONT}' has messages of another type: sensor_msgs/msg/CompressedImage")
            assert "sensor_msgs/msg/Image is expected" in driver.state["reason"]
        driver.publish["front"] = driver.create_publisher(Image, FRONT, qos.STATE_OUT).publish
        graph.until_state("ready")

        second = driver.create_publisher(String, "recorder/state", qos.LATCHED)
        graph.until_state("waiting", "there are two recorders")
        driver.destroy_publisher(second)
        graph.until_state("ready")

        task = driver.create_publisher(String, "policy/task", qos.LATCHED)
        task.publish(String(data="\N{SNOWMAN}" * 900))
        graph.until(lambda: driver.state["instruction"].startswith("\N{SNOWMAN}"), "the instruction")
        assert len(driver.state["instruction"]) == 300
        task.publish(String(data="x" * 60_000))
        graph.until(lambda: graph.recorder.tally.refused["policy/task"], "a refusal")
        graph.record(0.4)
        graph.ask("save")
        graph.until(lambda: driver.state["saved"] == 1, "saved")
        assert len(str(driver.state)) < LONGEST_TEXT
    assert Dataset.open(tmp_path / "store").meta("instruction").tolist() == ["\N{SNOWMAN}" * 900]
