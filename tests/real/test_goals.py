"""A twin's gripper of goals closes behind a real gate, or the gate says that it does not."""

from __future__ import annotations

from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from tests.real.graph_rig import Graph, View, graph_and_view, patient
from tests.real.grasping import WITHIN_S, Fingers, Grasping, require_width

CONTRACTS = ("panda_twin_crisp", "ur5e_twin_jtc")


@pytest.fixture(scope="module", params=CONTRACTS)
def rig(
    request: pytest.FixtureRequest, domain: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Graph, View, Fingers]]:
    folder = tmp_path_factory.mktemp("goals")
    deployment = Deployment(patient(request.param, folder), twin=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (graph, view):
        yield graph, view, Fingers(view)


@pytest.fixture
def script(rig: tuple[Graph, View, Fingers]) -> Iterator[Grasping]:
    view = rig[1]
    view.begin()
    with Grasping(view) as found:
        found.run()
        yield found


@pytest.mark.parametrize("ramp_s", [0.0, 0.3, pytest.param(1.0, marks=pytest.mark.slow)])
def test_the_fingers_get_where_they_are_asked_to(
    rig: tuple[Graph, View, Fingers], script: Grasping, ramp_s: float
) -> None:
    _, view, fingers = rig
    assert fingers.width > 0.07
    for width in (0.0, 0.06):
        script.ask(width, ramp_s)
        require_width(view, fingers, script, WITHIN_S + max(ramp_s - 0.3, 0))
    view.until(lambda: view.status["gate"][2].get("goal_gripper") == "asked 0.060 m, reached", "the status")


def test_goals_that_are_lost_are_sent_again_but_not_while_the_gate_holds(
    rig: tuple[Graph, View, Fingers], script: Grasping
) -> None:
    _, view, fingers = rig
    view.tell_faults("drop command/gripper")
    fingers.goals.clear()
    script.ask(0.0, 0.0)
    view.until(lambda: len(fingers.goals) >= 2, "a goal that is sent again")
    view.enable(False)
    view.until(lambda: view.said[-1] == "hold not_enabled", "the hold")
    count = len(fingers.goals)
    view.tell_faults()
    view.spin(2.0)
    assert len(fingers.goals) == count and fingers.width > 0.07
    view.enable(True)
    script.ask(0.0, 0.0)
    require_width(view, fingers, script, 2 * WITHIN_S)


def test_a_gripper_that_takes_nothing_is_reported_once(rig: tuple[Graph, View, Fingers], script: Grasping) -> None:
    graph, view, fingers = rig
    view.tell_faults("drop command/gripper")
    script.ask(0.0, 0.3)
    words = "asked 0.000 m, stands at 0.08"
    view.until(lambda: f"gripper: {words}" in graph.lines("gate"), "the line in the log")
    count = len(fingers.goals)
    view.spin(3.0)
    assert len(fingers.goals) == count and graph.lines("gate").count(f"gripper: {words}") == 1
    assert view.status["gate"][2]["goal_gripper"].startswith(words)
