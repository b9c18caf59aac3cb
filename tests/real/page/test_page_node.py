"""The page's process in a graph: what it shows of it, and that the graph is the same without it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Iterator

import aiohttp
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from imagecodecs import jpeg8_decode
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from real.page.serving.access import new_token
from real.page.serving.feed import Channel, Kind
from real.page.serving.rounds import ANSWER, unpack_round
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.messages import header_of, image_message, joint_state_message, string_message
from real.ros.signals import OK, status_message
from tests.real.conftest import end_process

READY_S = 30.0
JOINTS = tuple(f"panda_joint{number}" for number in range(1, 8))


class Page:
    """A page's process, and a node that is all it hears."""

    def __init__(self) -> None:
        self.token = new_token()
        words = [sys.executable, "-m", "real.nodes.page_node", "--ros-args", "-p", "port:=0"]
        self.process = subprocess.Popen(
            words,
            env={**os.environ, "TILLER_PAGE_TOKEN": self.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()
        self.origin = self.line.removeprefix("page: ").rstrip("/")
        rclpy.init()
        self.node, self.executor = Node("graph"), make_executor()
        self.executor.add_node(self.node)
        self.publishers: dict[str, Any] = {
            topic: self.node.create_publisher(kind, topic, profile)
            for topic, kind, profile in (
                ("joint_states", JointState, qos.STATE_OUT),
                ("front/color/image_raw", Image, qos.IMAGE),
                ("gate/sent", JointTrajectory, qos.STATUS),
                ("gate/state", String, qos.LATCHED),
                ("recorder/state", String, qos.LATCHED),
                ("twin/scene", String, qos.LATCHED),
                ("status", DiagnosticArray, qos.STATUS),
            )
        }
        self.publish("gate/state", string_message("run person"))
        self.publish("recorder/state", string_message(json.dumps({"state": "recording", "seconds": 14, "goal": 20})))

    def publish(self, topic: str, message: Any) -> None:
        self.publishers[topic].publish(message)

    def turn(self) -> None:
        """One moment of the graph."""
        now_ns = time.time_ns()
        self.publish("joint_states", joint_state_message(JOINTS, np.full(7, 0.1), now_ns))
        self.publish("front/color/image_raw", image_message(np.full((480, 640, 3), 90, np.uint8), now_ns))
        self.publish("gate/sent", JointTrajectory(header=header_of(now_ns, "person|1||")))
        self.publish("status", status_message("gate", OK, "run", {}, now_ns))
        self.executor.spin_once(timeout_sec=0)

    def shown(self, until: Callable[[dict[Channel, bytes]], bool]) -> dict[Channel, bytes]:
        """What a browser has received when a condition holds."""

        async def receive() -> dict[Channel, bytes]:
            found: dict[Channel, bytes] = {}
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(headers={"Origin": self.origin}, cookie_jar=jar) as session:
                async with session.post(f"{self.origin}/session", json={"token": self.token}) as answer:
                    assert answer.status == 204
                async with session.ws_connect(f"{self.origin}/socket", max_msg_size=0) as socket:
                    end = time.monotonic() + READY_S
                    while not until(found):
                        assert time.monotonic() < end, f"not shown: {found.get(Channel(Kind.STATE))!r}"
                        self.turn()
                        try:
                            number, entries = unpack_round(await socket.receive_bytes(timeout=0.05))
                        except TimeoutError:
                            continue
                        await socket.send_bytes(ANSWER.pack(number))
                        found |= {channel: each.body for channel, each in entries.items()}
            return found

        return asyncio.run(receive())

    def state(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The state that a page shows, when a condition holds."""
        channel = Channel(Kind.STATE)
        found = self.shown(lambda bodies: channel in bodies and until(json.loads(bodies[channel])))
        return json.loads(found[channel])  # type: ignore[no-any-return]

    def close(self) -> str:
        """End the process; returns what else it has printed."""
        end_process(self.process)
        leave(self.node, self.executor)
        assert self.process.stdout is not None
        with self.process.stdout as out:
            return out.read()


@pytest.fixture
def page(ros_environment: dict[str, str]) -> Iterator[Page]:
    found = Page()
    yield found
    printed = found.close()
    assert found.token not in found.line + printed and "Traceback" not in printed


def test_a_graph_is_shown_and_survives_what_anybody_publishes_and_the_pages_end(page: Page) -> None:
    assert page.line.startswith("page: http://127.0.0.1:") and "#" not in page.line
    image, poses = Channel(Kind.CAMERA, 0), Channel(Kind.POSES, 0)
    first = page.shown(lambda bodies: {image, poses, Channel(Kind.SCENE, 0)} <= set(bodies))
    assert abs(jpeg8_decode(first[image]).astype(int) - 90).max() < 3
    assert jpeg8_decode(first[image]).shape == (240, 320, 3)
    state = page.state(lambda state: state["banner"]["state"] == "recording")
    assert (state["banner"]["text"], state["driver"], state["plan"]["goal"]) == ("recording 00:14", "you", 20)

    lying = image_message(np.zeros((4, 4, 3), np.uint8), 0)
    lying.width = 4000
    for _ in range(5):
        page.publish("recorder/state", string_message("[" * 9000))
        page.publish(
            "recorder/state", string_message('{"state": "recording", "instruction": "<script>alert(1)</script>"}')
        )
        page.publish("twin/scene", string_message('{"bodies": [{}]}'))
        page.publish("gate/state", string_message("x" * 60_000))
        page.publish("front/color/image_raw", lying)
        page.publish("joint_states", joint_state_message(("panda_joint1",) * 3, np.full(3, np.nan), 0))
        page.turn()
    page.publish("gate/state", string_message("hold not_held"))
    state = page.state(lambda state: state["recorder"]["instruction"] != "" and state["banner"]["state"] == "holds")
    assert state["recorder"]["instruction"] == "<script>alert(1)</script>"

    publishes = dict(page.node.get_publisher_names_and_types_by_node("page", "/"))
    publishes |= dict(page.node.get_publisher_names_and_types_by_node("page_reader", "/"))
    assert set(publishes) <= {"/status", "/rosout", "/parameter_events"}, "it can command nothing"
    page.process.send_signal(signal.SIGKILL)
    page.process.wait(timeout=5)
    began = time.monotonic()
    for _ in range(200):
        page.turn()
    assert time.monotonic() - began < 5.0, "nobody waits for a page"
