"""What comes between two ticks of the gate: a stop that was taken back before a tick saw it is seen nevertheless."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from rclpy.serialization import serialize_message

from real.gate.subscriptions import GateSubscriptions
from real.ros.signals import driver_message, enable_message
from tests.real.fuzzed_nodes import fuzzed
from tests.real.fuzzing import subscriptions

pytestmark = pytest.mark.together

Say = Callable[[str, Any], None]


@pytest.fixture
def gate(ros_environment: dict[str, str]) -> Iterator[tuple[GateSubscriptions, Say]]:
    with fuzzed("gate fr3_crisp") as found:
        topics = {topic: callback for topic, _, callback in subscriptions(found.node)}
        found.node._gate_subscriptions.take(0)
        yield found.node._gate_subscriptions, lambda topic, message: topics[topic](serialize_message(message))


def test_a_drivers_stop_between_two_ticks_is_seen_and_what_followed_in_the_next(
    gate: tuple[GateSubscriptions, Say],
) -> None:
    inputs, say = gate
    for state in ("reflex", "running"):
        say("driver_state", driver_message(state, time.time_ns()))
    states = [inputs.take(0).driver for _ in range(3)]
    assert [each.state if each else None for each in states] == ["reflex", "running", None]


def test_a_hand_that_was_off_between_two_ticks_is_seen(gate: tuple[GateSubscriptions, Say]) -> None:
    inputs, say = gate
    for held in (True, False, True):
        say("enable_held", enable_message(held, time.time_ns(), "hand"))
    signals = [inputs.take(0).enable_held for _ in range(3)]
    assert [each.held if each else None for each in signals] == [False, True, None]


def test_a_device_that_sends_right_behind_another_does_not_hide_it(gate: tuple[GateSubscriptions, Say]) -> None:
    inputs, say = gate
    seen = []
    for _ in range(5):
        for device in ("hand", "another"):
            say("enable_held", enable_message(True, time.time_ns(), device))
        seen.append(inputs.take(0).enable_held)
    assert [each.publisher if each else None for each in seen] == ["hand"] * 5


def test_another_device_that_is_let_go_hides_no_signal_of_the_one_that_is_held(
    gate: tuple[GateSubscriptions, Say],
) -> None:
    inputs, say = gate
    say("enable_held", enable_message(False, time.time_ns(), "another"))
    say("enable_held", enable_message(True, time.time_ns(), "hand"))
    signal = inputs.take(0).enable_held
    assert signal is not None and signal.held and signal.publisher == "hand"
