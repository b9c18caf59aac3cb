"""Experts act differently in the same state, and as smoothly as they say."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

import sim
from benchmarks.action_spread import action_spread, motion, tool_part
from sim.experts.motion import ACCELERATION
from sim.experts.twin.lift import LiftExpert


@pytest.fixture(scope="module")
def lift() -> Iterator[Any]:
    env = sim.make("twin/lift")
    yield env
    env.close()


def test_ways_spread_from_the_same_start(lift: Any) -> None:
    found = action_spread(lift, range(3), ways=6)
    assert found.distinct == 6 and found.position_mm > 10


def test_one_way_alone_does_not_spread(lift: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    way = {"approach": "above", "side": 1, "speed": 0.3, "hover": 0.06, "height": 0.0, "aim": [0.0, 0.0], "pause": 0}
    monkeypatch.setattr(LiftExpert, "draw", lambda self, observation, random: dict(way))
    found = action_spread(lift, range(2), ways=4)
    assert found.distinct == 1 and found.position_mm < 1e-9


def test_commands_keep_to_the_pace_of_a_person(lift: Any) -> None:
    found = motion(lift, range(5))
    assert found.speed_p99 <= 0.36, "the fastest speed that is drawn, m/s"
    assert found.acceleration_p99 <= ACCELERATION * 1.02
    assert 1.0 < found.duration_s < 4.0


def test_the_tool_is_what_is_not_the_tcp(lift: Any) -> None:
    names = lift.action_spec.component_names
    assert [names[number] for number in tool_part(lift.action_spec)] == ["gripper.width"]
