"""Who acts, from the reason of a command on the wire."""

from __future__ import annotations

import pytest

from robot.safety.gate import Kind, Reason
from robot.safety.gate.actor import Actor, actor_of


@pytest.mark.parametrize("reason", list(Reason))
def test_whatever_stops_the_robot_is_a_hold_but_for_a_person_at_rest(reason: Reason) -> None:
    if reason.kind in (Kind.HOLD, Kind.FAULT):
        assert actor_of(reason.value) is (Actor.PERSON if reason is Reason.TAKEN else Actor.HOLD)


def test_a_source_that_is_followed_acts_and_an_unknown_name_does_not() -> None:
    assert actor_of("policy") is Actor.POLICY and actor_of("person") is Actor.PERSON
    assert {actor_of(name) for name in ("", "POLICY", "policy ", "of a newer gate")} == {Actor.HOLD}
