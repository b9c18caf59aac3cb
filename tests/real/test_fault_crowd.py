"""Two voices on a topic that the gate listens to: it holds within half a second, and says whose they are."""

from __future__ import annotations

import time
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from real.graph.graph import Deployment
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.messages import joint_state_message
from tests.real.graph_rig import View, graph_and_view, patient
from tests.real.motions import SPEED, Onset, Script, require_stop

CONTRACT = "panda_twin_crisp"
NOTICED_S, SLACK_S = 0.5, 0.3  # slack: discovery of the new publisher, on a busy machine
STAND_S = 0.5  # by then the commands of a hold, which brakes what moved, stand


@pytest.fixture(scope="module")
def started(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("graph")
    deployment = Deployment(patient(CONTRACT, folder), twin=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (_, view):
        yield view


@pytest.fixture
def view(started: View) -> View:
    started.begin()
    return started


@pytest.fixture
def stranger(view: View) -> Iterator[Node]:
    node = Node("joint_state_gui")
    yield node
    node.destroy_node()
    view.until(lambda: view.said[-1] != "hold crowd", "the end of the crowd")


def crowd_said(view: View) -> str:
    """What the gate's log and status say of a crowd."""
    view.until(lambda: "more than one publisher" in view.status.get("gate", (b"", "", {}))[1], "the status")
    return view.status["gate"][1]


def test_a_second_publisher_of_joint_states_holds_though_it_only_repeats_zeros(view: View, stranger: Node) -> None:
    with Script(view) as script:
        script.run()
        onset = Onset.now(view)
        stream = view.contract.state["arm"]
        names = [joint.ros for joint in view.contract.maps[stream.map]]
        ghost: Any = stranger.create_publisher(JointState, stream.topic, qos.STATE_OUT)
        begun = time.monotonic()
        while view.said[-1] != "hold crowd" and time.monotonic() - begun < 5:
            ghost.publish(joint_state_message(names, np.zeros(len(names)), view.now_ns))
            view.spin(0.1)
        assert time.monotonic() - begun < NOTICED_S + SLACK_S
        require_stop(view, onset, detection_s=NOTICED_S + SLACK_S, measured=False)
        assert "publisher" in crowd_said(view)


@pytest.mark.parametrize("session, said", [("", "hold crowd"), ("named", "run policy")])
def test_two_publishers_of_chunks_without_names_hold(view: View, stranger: Node, session: str, said: str) -> None:
    other: Any = stranger.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
    view.until(other.get_subscription_count, "the gate listens to the stranger")
    with Script(view, session=session) as script:
        if session:
            script.run()
            return
        view.until(lambda: "hold crowd" in view.said, "the hold")
        view.spin(STAND_S)
        start = view.sent[-1].target[:3].copy()
        for number in range(10):
            rows = np.repeat(view.sent[-1].target[None], 8, axis=0) + SPEED * number
            other.publish(
                chunk_message(
                    rows,
                    view.spec.component_names,
                    view.now_ns,
                    view.spec.period_ns,
                    Tag("", view.episode["epoch"], number),
                )
            )
            view.spin(0.1)
        assert np.linalg.norm(view.sent[-1].target[:3] - start) < 1e-6
    assert view.said[-1] == said
