"""A gripper behind a real action server that refuses goals while it moves closes behind a real gate."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
pytest.importorskip("test_msgs", reason="there is no action type: pip install 'tiller[dev]'")

from tests.real.action_gripper import GripperServer, action_robot
from tests.real.graph_rig import View, patient
from tests.real.grasping import WITHIN_S, Fingers, Grasping, require_width


@pytest.fixture
def acted(domain: int, tmp_path: Path) -> Iterator[tuple[GripperServer, View, Fingers, Grasping]]:
    with action_robot(patient("panda_twin_crisp", tmp_path), domain, tmp_path) as (server, view):
        fingers = Fingers(view)
        view.until(lambda: view.said[-1:] == ["hold no_chunk"] and fingers.widths, "a gate that waits for a chunk")
        with Grasping(view) as script:
            script.run()
            yield server, view, fingers, script


@pytest.mark.parametrize("ramp_s", [0.0, 0.3, pytest.param(1.0, marks=pytest.mark.slow)])
def test_an_action_server_that_refuses_while_it_moves_closes(
    acted: tuple[GripperServer, View, Fingers, Grasping], ramp_s: float
) -> None:
    server, view, fingers, script = acted
    for width in (0.0, 0.06):
        script.ask(width, ramp_s)
        require_width(view, fingers, script, WITHIN_S + max(ramp_s - 0.3, 0))
    assert len(server.accepted) >= 2


def test_an_action_server_that_is_asked_for_another_width_meanwhile_gets_there(
    acted: tuple[GripperServer, View, Fingers, Grasping],
) -> None:
    """The second goal comes in the middle of the first motion, and is refused."""
    server, view, fingers, script = acted
    script.ask(0.0, 0.0)
    view.until(lambda: fingers.width < 0.06, "a close that is under way")
    script.ask(0.07, 0.0)
    require_width(view, fingers, script, 2 * WITHIN_S)
    assert server.rejected == [700] and server.accepted == [0, 700]


def test_an_object_in_the_gripper_of_an_action_server_is_reported(
    acted: tuple[GripperServer, View, Fingers, Grasping],
) -> None:
    server, view, _, script = acted
    server.object_m = 0.041
    script.ask(0.0, 0.0)
    view.until(lambda: view.status["gate"][2].get("goal_gripper") == "asked 0.000 m, stands at 0.041 m", "the status")
