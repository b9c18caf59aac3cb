"""The enabling device: a robot whose contract wants a person moves while the device is held, and says why it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from sensor_msgs.msg import Joy

from real.graph.graph import Deployment
from real.ros import qos
from real.ros.signals import enable_message
from tests.real.graph_rig import View, graph_and_view, patient
from tests.real.motions import Beat, Onset, Script, require_gentle, require_stop

HAND_S = 0.02


class Hand:
    """A person's hand on the device.

    Args:
        view: of the graph.
    """

    def __init__(self, view: View) -> None:
        self.held = True
        self._view = view
        self._publisher = view.node.create_publisher(Joy, "enable_held", qos.STATE_OUT)
        self._beat = Beat(view.node, HAND_S, self._tell)
        view.until(self._publisher.get_subscription_count, "the gate listens to the hand")

    def lose(self) -> None:
        """The device is heard no more."""
        self._beat.stop()

    def find(self) -> None:
        self._beat.again()

    def _tell(self) -> None:
        self._publisher.publish(enable_message(self.held, self._view.node.get_clock().now().nanoseconds, "hand"))


@dataclass
class Rig:
    view: View
    hand: Hand


@pytest.fixture(scope="module")
def started(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("graph")
    contract = patient("panda_twin_crisp", folder, operator="required")
    deployment = Deployment(contract, twin=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (_, view):
        yield Rig(view, Hand(view))


@pytest.fixture
def rig(started: Rig) -> Iterator[Rig]:
    started.hand.held = True
    started.hand.find()
    started.view.begin()
    with Script(started.view) as script:
        script.run()
        yield started


def test_a_device_that_is_not_heard_for_150_ms_holds_and_its_return_goes_on(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.hand.lose()
    view.until(lambda: view.said[-1] == "hold enable_lost", "the hold")
    rig.hand.find()
    view.until(lambda: view.said[-1] == "run policy", "the end of the hold")
    view.spin(0.4)
    after = [each for each in view.sent if each.time_ns >= onset.time_ns]
    require_gentle(after, view)


def test_a_device_that_is_not_heard_for_500_ms_is_a_fault(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.hand.lose()
    view.until(lambda: view.said[-1] == "fault enable_gone", "the fault")
    assert "enable_lost" in view.reasons(onset.words)
    require_stop(view, onset, detection_s=0.15)
    rig.hand.find()
    view.spin(0.5)
    assert view.said[-1] == "fault enable_gone", "a fault stays until a person resets it"
    view.until(lambda: view.count("enable_gone") > 0, "the reason on the status page")


def test_letting_go_holds_at_once(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.hand.held = False
    view.until(lambda: view.said[-1] == "hold not_held", "the hold")
    require_stop(view, onset, detection_s=2 * HAND_S)
    rig.hand.held = True
    view.until(lambda: view.said[-1] == "run policy", "the end of the hold")
