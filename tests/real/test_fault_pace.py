"""Time that passes slower or faster than a clock's: a motion is the same in the twin's time, a stop too."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from tests.real.graph_rig import graph_and_view, patient
from tests.real.motions import ROWS, SPEED, Onset, Script, require_gentle, require_no_faster, require_stop

CONTRACT = "panda_twin_crisp"


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_slower_and_faster_than_a_clock_the_motion_is_the_same_in_the_twins_time(
    domain: int, tmp_path_factory: pytest.TempPathFactory, speed: float
) -> None:
    folder = tmp_path_factory.mktemp("graph")
    deployment = Deployment(
        patient(CONTRACT, folder), twin=True, clock=True, speed=speed, parameters={"twin": {"images": False}}
    )
    with graph_and_view(deployment, domain, folder) as (_, view):
        view.begin()
        with Script(view) as script:
            script.run(1.5 / speed)
            require_no_faster(view.sent, view, SPEED)
            require_gentle(view.sent, view)
            assert np.linalg.norm(view.sent[-1].target[:3] - view.poses[-1][1]) < 0.25 * SPEED  # the spring's lag
            script.pause()
            onset = Onset.now(view)
            view.until(lambda: view.said[-1] == "hold starved", "starved")
            require_stop(view, onset, detection_s=ROWS * view.contract.period_s)
