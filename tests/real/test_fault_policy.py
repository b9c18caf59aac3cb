"""A policy's own process that dies, stands still or was made for another robot."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import Schema
from real.graph.graph import Deployment
from robot.contract.loading import action_spec, load_contract, semantic_hash
from robot.description.observation import ObservationSpec
from tests.real.graph_rig import Graph, View, graph_and_view, patient
from tests.real.motions import Onset, places, require_gentle, require_stop, speeds
from tests.real.untrained import PLACE, untrained

CONTRACT = "panda_twin_crisp"
SEED_ROWS = 400
HORIZON = 16
RADIUS_M = 0.02  # any place of the circle is near enough for a first target


@dataclass
class Rig:
    graph: Graph
    view: View
    recording: str


@pytest.fixture(scope="module")
def started(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("graph")
    deployment = Deployment(patient(CONTRACT, folder), twin=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (graph, view):
        view.begin()
        yield Rig(graph, view, recorded(folder / "circle", view.sent[-1].target))


def recorded(path: Path, start: np.ndarray) -> str:
    """A dataset with one episode: round and round a circle, from where the twin begins."""
    spec = action_spec(load_contract(CONTRACT))
    times = spec.period_s * np.arange(1, SEED_ROWS + 1)
    actions = places(start, times, radius=RADIUS_M).astype(np.float32)
    with Dataset.create(path, Schema(ObservationSpec((PLACE,)), spec, spec.period_s)) as dataset:
        dataset.append(Episode({"tcp.position": actions[:, :3], "action": actions}))
    return f"{path}#0"


@pytest.fixture
def rig(started: Rig) -> Iterator[Rig]:
    """The policy's process plans, and the gate follows it."""
    started.view.begin()
    started.graph.start("policy", checkpoint=started.recording)
    started.view.until(lambda: started.view.said[-1] == "run policy", "the gate follows")
    started.view.spin(0.8)
    yield started
    started.graph.end("policy")


def test_kill_9_of_the_policy_ends_in_a_stand(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.graph.signal("policy", signal.SIGKILL)
    view.until(lambda: view.said[-1] == "hold starved", "starved")
    require_stop(view, onset, detection_s=HORIZON * view.contract.period_s)
    view.until(lambda: view.count("starved") > 0, "the reason on the status page")


def test_another_run_of_the_policy_is_followed_only_when_a_person_agrees(rig: Rig) -> None:
    view = rig.view
    rig.graph.signal("policy", signal.SIGKILL)
    view.until(lambda: view.said[-1] == "hold starved", "starved")
    view.until(lambda: not speeds(view.sent[-40:], view).any(), "a stand")
    onset = Onset.now(view)
    rig.graph.start("policy", checkpoint=rig.recording)
    view.until(lambda: view.said[-1] == "hold publisher_changed", "the hold")
    view.spin(0.5)
    assert not speeds([each for each in view.sent if each.time_ns > onset.time_ns], view).any()
    view.enable(False)
    view.enable(True)
    view.until(lambda: view.said[-1] == "run policy", "the new run")


def test_a_policy_that_stands_still_for_two_seconds_is_waited_for(rig: Rig) -> None:
    view, onset = rig.view, Onset.now(rig.view)
    rig.graph.signal("policy", signal.SIGSTOP)
    view.until(lambda: view.said[-1] == "hold starved", "starved")
    require_stop(view, onset, detection_s=HORIZON * view.contract.period_s)
    view.spin(2.0)
    assert view.said[-1] == "hold starved"
    rig.graph.signal("policy", signal.SIGCONT)
    view.until(lambda: view.said[-1] == "run policy", "plans again")
    view.spin(0.6)
    after = [each for each in view.sent if each.time_ns >= onset.time_ns]
    require_gentle(after, view)
    assert speeds(after, view).max() <= 1.01 * max(view.settings.groups[0].parts[0].speed)


def test_a_checkpoint_that_was_made_for_another_robot_is_not_run(started: Rig, tmp_path: Path) -> None:
    other = semantic_hash(load_contract("panda_inspire_twin"))
    checkpoint = untrained(CONTRACT, tmp_path / "other", made_for=other)
    started.graph.start("policy", wait=False, checkpoint=str(checkpoint))
    assert started.graph.running["policy"].wait(timeout=60) == 2
    said = started.graph.lines("policy")
    assert other in said and semantic_hash(load_contract(CONTRACT)) in said and "ready after" not in said
