"""Time that jumps or stands still: the twin's time is everybody's here."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from std_srvs.srv import SetBool, Trigger

from real.graph.graph import Deployment
from real.ros.chunks import Tag, chunk_message
from tests.real.graph_rig import View, graph_and_view, patient
from tests.real.motions import (
    Onset,
    Script,
    measured_speeds,
    require_gentle,
    stands,
)

CONTRACT = "panda_twin_crisp"


@pytest.fixture(scope="module")
def started(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("graph")
    deployment = Deployment(patient(CONTRACT, folder), twin=True, clock=True, parameters={"twin": {"images": False}})
    with graph_and_view(deployment, domain, folder) as (_, view):
        yield view


@pytest.fixture
def view(started: View) -> View:
    started.begin()
    return started


@pytest.fixture
def script(view: View) -> Iterator[Script]:
    with Script(view) as found:
        found.run()
        yield found


def test_a_reset_of_the_twin_in_the_middle_of_a_chunk_drops_the_chunk(view: View, script: Script) -> None:
    home = view.poses[0][1]
    script.pause()
    script.send()
    epoch = view.episode["epoch"]
    view.spin(0.2)
    before = view.count("chunk_epoch")
    view.call(Trigger, "twin/reset", Trigger.Request())
    view.until(lambda: view.said[-1].startswith("hold"), "the hold")
    view.until(lambda: view.episode["epoch"] == epoch + 1, "the next epoch")
    view.spin(0.1)
    view.poses.clear()
    view.until(lambda: len(view.poses) > 5, "poses of the next epoch")
    start_ns = view.now_ns
    values = script.rows(script.start_ns)
    for _ in range(3):  # a plan that was being made when the twin was reset
        script.publisher.publish(
            chunk_message(
                values, view.spec.component_names, start_ns, view.spec.period_ns, Tag("script", epoch, script.count + 1)
            )
        )
        view.spin(0.1)
    view.until(lambda: view.count("chunk_epoch") > before and view.count("epoch") > 0, "the counts of the status page")
    assert view.said[-1].startswith("hold")
    away = np.array([np.linalg.norm(place - home) for _, place in view.poses])
    assert away.max() < 3e-3, "the robot stays where the reset put it"


def test_a_clock_that_jumps_drops_the_plan_and_stops_the_robot(view: View, script: Script) -> None:
    onset = Onset.now(view)
    view.tell_faults("clock 1")
    view.until(lambda: view.said[-1].startswith("hold"), "the hold")
    script.pause()
    view.spin(0.6)
    assert view.said[-1] == "hold no_chunk"
    view.until(lambda: view.count("epoch") > 0, "the reason on the status page")
    # The twin's stamps leap with its clock: speeds are taken on either side of it.
    before = measured_speeds(view, onset.pose_ns - 300_000_000, onset.pose_ns).max()
    leap = next(stamp for (last, _), (stamp, _) in zip(view.poses, view.poses[1:]) if stamp - last > 500_000_000)
    assert measured_speeds(view, leap + 60_000_000).max() <= 1.1 * before + 5e-3
    view.until(lambda: stands(view), "a robot that stands")
    with Script(view) as other:
        other.run(0.3)


def test_a_clock_that_stands_still_stops_the_robot(view: View, script: Script) -> None:
    onset = Onset.now(view)
    view.call(SetBool, "twin/set_pause", SetBool.Request(data=True))
    view.until(lambda: view.said[-1].startswith("fault"), "the fault")
    script.pause()
    count = len(view.sent)
    view.spin(0.3)
    assert not any((each.target != view.sent[count - 1].target).any() for each in view.sent[count:])
    view.call(SetBool, "twin/set_pause", SetBool.Request(data=False))
    view.spin(0.6)
    assert view.said[-1].startswith("fault"), "it does not go on by itself"
    require_gentle([each for each in view.sent if each.time_ns >= onset.time_ns], view)
