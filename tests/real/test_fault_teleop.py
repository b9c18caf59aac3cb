"""A person's device that fails in the midst of a motion: the robot rests within half a second, whatever it was."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from tests.real.graph_rig import Graph, View, graph_and_view, patient
from tests.real.motions import Onset, require_stop
from tests.real.person_devices import Pad

HOLD_S, REST_S = 1.5, 0.5


@dataclass
class Rig:
    graph: Graph
    view: View
    pad: Pad


@pytest.fixture(scope="module")
def rig(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("graph")
    pad = Pad(folder / "js0")
    contract = patient("panda_twin_crisp", folder, operator="required")
    parameters = {"twin": {"images": False}, "teleop": {"path": str(pad.path), "hold_s": HOLD_S}}
    deployment = Deployment(contract, twin=True, teleop="gamepad", parameters=parameters)
    with graph_and_view(deployment, domain, folder) as (graph, view):
        yield Rig(graph, view, pad)


@pytest.fixture
def moving(rig: Rig) -> Rig:
    """A robot that a person moves to the left and back."""
    rig.view.begin()
    rig.pad.axis("left_stick_x", 0.0)
    rig.pad.button("left_shoulder", False)
    rig.view.spin(0.1)
    rig.pad.button("left_shoulder")
    rig.view.spin(0.1)
    rig.pad.axis("left_stick_x", -1.0)
    rig.view.until(lambda: rig.view.said[-1] == "run person", "the person moves the robot")
    begun = rig.view.sent[-1].target[1]
    rig.view.until(lambda: abs(rig.view.sent[-1].target[1] - begun) > 0.03, "a motion")
    return rig


def require_rest(rig: Rig, fails: Callable[[], object]) -> Onset:
    """The command stands within `REST_S` of a failure, and stays where it is; returns the failure's moment."""
    view, onset = rig.view, Onset.now(rig.view)
    fails()
    view.spin(REST_S + 0.3)
    late = [each.target for each in view.sent if each.time_ns > onset.time_ns + REST_S * 1e9]
    assert len(late) > 10 and np.abs(np.array(late) - late[0]).max() < 1e-6
    return onset


def test_an_unplugged_device(moving: Rig) -> None:
    onset = require_rest(moving, moving.pad.unplug)
    require_stop(moving.view, onset, detection_s=0.1)
    moving.pad.plug()
    moving.view.spin(1.2)  # until it was looked for again
    assert moving.view.said[-1] == "hold not_held"


def test_a_jammed_button_whose_time_is_over(moving: Rig) -> None:
    moving.view.until(lambda: moving.view.status["teleop"][2]["held"] == "True", "it is held")
    view = moving.view
    view.until(lambda: view.said[-1] == "hold not_held", "the time is over")
    view.spin(REST_S)
    rest = view.sent[-1].target
    view.spin(0.2)
    assert np.abs(view.sent[-1].target - rest).max() < 1e-6


def test_a_process_that_was_killed(moving: Rig) -> None:
    require_rest(moving, lambda: moving.graph.signal("teleop", signal.SIGKILL))
    assert moving.view.said[-1] in ("hold enable_lost", "fault enable_gone")
