"""A policy that sees nothing new."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from robot.contract.loading import load_contract, semantic_hash
from tests.real.graph_rig import graph_and_view, patient
from tests.real.motions import Onset, require_gentle, speeds
from tests.real.untrained import untrained

CONTRACT = "panda_twin_crisp"


@pytest.mark.slow
def test_a_camera_that_freezes_takes_the_policy_its_sight_and_stops_the_robot(
    domain: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("seeing")
    made_for = semantic_hash(load_contract(CONTRACT))
    checkpoint = untrained(CONTRACT, folder / "policy", cameras=("front",), made_for=made_for)
    deployment = Deployment(patient(CONTRACT, folder), twin=True, namespace="/seeing")
    with graph_and_view(deployment, domain, folder) as (graph, view):
        view.begin()
        graph.start("policy", checkpoint=str(checkpoint))
        view.until(lambda: view.said[-1] == "run policy", "the gate follows")
        view.spin(1.0)
        onset = Onset.now(view)
        view.tell_faults("freeze state/front")
        view.until(lambda: view.said[-1] == "hold starved", "starved")
        view.spin(1.0)
        assert view.said[-1] == "hold starved"
        after = [each for each in view.sent if each.time_ns >= onset.time_ns]
        require_gentle(after, view)
        assert not speeds(after[-60:], view).any()
        view.until(lambda: "front" in view.status["policy"][1], "what the policy waits for, on the status page")
