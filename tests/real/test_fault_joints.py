"""Faults of an arm whose controller takes joint trajectories: each ends at rest, and a slider slows its time."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.graph.graph import Deployment
from tests.real.graph_rig import Graph, View, graph_and_view, patient
from tests.real.motions import (
    ROWS,
    Onset,
    Script,
    measured_speeds,
    reach,
    require_gentle,
    require_no_faster,
    require_stop,
)

CONTRACT = "ur5e_twin_jtc"
TAIL_S = 0.15


@dataclass
class Rig:
    graph: Graph
    view: View
    script: Script


@pytest.fixture(scope="module")
def started(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Graph, View]]:
    folder = tmp_path_factory.mktemp("graph")
    deployment = Deployment(patient(CONTRACT, folder), twin=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (graph, view):
        yield graph, view


@pytest.fixture
def rig(started: tuple[Graph, View]) -> Iterator[Rig]:
    graph, view = started
    view.begin()
    with Script(view, speed=0.4) as script:
        script.run()
        yield Rig(graph, view, script)


def test_chunks_that_end_bring_the_joints_to_rest(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.script.pause()
    view.until(lambda: view.said[-1] == "hold starved", "starved")
    require_stop(view, onset, detection_s=ROWS * view.contract.period_s)


def test_a_protective_stop_is_a_fault_and_its_end_no_jump(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    view.tell_faults("brakes for 5")
    view.until(lambda: view.said[-1] == "fault driver", "the fault")
    require_stop(view, onset, detection_s=0.1, back_m=0.1)
    rig.script.pause()
    view.spin(1.0)
    stopped_ns = view.now_ns
    view.spin(4.5)
    assert view.said[-1] == "fault driver"
    assert measured_speeds(view, stopped_ns).max() <= 0.02


def test_a_speed_slider_at_three_tenths_leaves_the_arm_behind_and_no_faster(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    view.tell_faults("speed 0.3")
    view.spin(1.5)
    # Each message starts the controller's own time anew, so that the arm lags by less than what holds it.
    assert view.said[-1] == "run policy"
    after = [each for each in view.sent if each.time_ns >= onset.time_ns]
    require_no_faster(after, view, rig.script.speed)
    require_gentle(after, view)
    # A message that comes late is made up for at once, as far as the slider lets it: the contract's limit holds then.
    found = measured_speeds(view, onset.pose_ns)
    assert np.median(found) <= 1.05 * rig.script.speed * reach(view)
    assert found.max() <= view.settings.groups[0].parts[0].speed[0] * reach(view)
    rig.script.pause()
    onset = Onset.now(view)
    view.until(lambda: view.said[-1] == "hold starved", "starved")
    require_stop(view, onset, detection_s=ROWS * view.contract.period_s)


@pytest.mark.slow
def test_kill_9_of_the_gate_ends_at_rest_within_the_last_trajectory(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    before = measured_speeds(view, onset.pose_ns - 300_000_000, onset.pose_ns).max()
    rig.graph.signal("gate", signal.SIGKILL)
    view.spin(1.0)
    assert measured_speeds(view, onset.pose_ns).max() <= 1.1 * before + 5e-3
    assert measured_speeds(view, view.now_ns - 300_000_000).max() < 2e-3
    where = np.array([place for stamp, place in view.poses if stamp >= onset.pose_ns])
    path = np.linalg.norm(np.diff(where[::4], axis=0), axis=1).sum()
    assert path <= before * (TAIL_S + 0.2)
