"""Several enabling devices at one gate: none hides what another takes or gives."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from real.gate.devices import EnablingDevices
from robot.safety.gate import Reason, Signal
from tests.robot.safety.gate.gates import MS, START_NS, Rig

TICK_NS = 5 * MS


def signal(device: str, at: int, taken: bool = False, held: bool = True) -> Signal:
    """Of a device, in a tick."""
    at_ns = START_NS + at * TICK_NS
    return Signal(at_ns, at_ns, held, device, taken)


def passed(*ticks: tuple[Signal, ...]) -> list[tuple[str, bool, str] | None]:
    """Device, take and taker of the signal that is passed on in each tick."""
    devices, found = EnablingDevices(), list[tuple[str, bool, str] | None]()
    for signals in ticks:
        for each in signals:
            devices.add(each)
        one = devices.take()
        found.append(None if one is None else (one.publisher, one.taken, one.taker))
    return found


def test_a_take_of_another_device_is_passed_on_with_its_name_until_it_gives() -> None:
    assert passed(
        (signal("pad", 1), signal("tablet", 1, taken=True)),
        (signal("pad", 2),),
        (signal("pad", 3), signal("tablet", 3)),
        (signal("pad", 4),),
    ) == [("pad", True, "tablet"), ("pad", True, "tablet"), ("pad", False, "tablet"), ("pad", False, "")]


def test_a_give_of_one_device_gives_nothing_while_another_has_the_robot() -> None:
    both = (signal("pad", 1, taken=True), signal("tablet", 1, taken=True))
    assert passed(both, (signal("pad", 2),)) == [("pad", True, ""), ("pad", True, "tablet")]


def test_a_give_of_another_device_waits_until_the_one_in_force_is_held() -> None:
    assert passed(
        (signal("pad", 1),),
        (signal("pad", 2, held=False), signal("tablet", 2, taken=True)),
        (signal("pad", 3, held=False), signal("tablet", 3)),
        (signal("pad", 4),),
        (signal("pad", 5),),
    )[1:] == [("pad", True, "tablet"), ("pad", False, "tablet"), ("pad", False, "tablet"), ("pad", False, "")]


def test_a_device_that_fell_silent_with_the_robot_gives_nothing() -> None:
    first = (signal("pad", 1), signal("tablet", 1, taken=True))
    found = passed(first, *((signal("pad", tick),) for tick in range(2, 60)))
    assert found[20] == ("pad", True, "tablet") and found[-1] == ("pad", False, "")


def test_a_robot_that_is_taken_and_given_within_a_tick_is_seen_to_be_taken_first() -> None:
    assert passed((signal("pad", 1, taken=True), signal("pad", 1)), ()) == [("pad", True, ""), ("pad", False, "")]
    assert passed((signal("pad", 1, taken=True), signal("pad", 1), signal("pad", 1, taken=True)), ()) == [
        ("pad", True, ""),
        None,
    ]


def test_a_release_is_passed_on_at_once_though_a_give_waits_for_the_next_tick() -> None:
    devices = EnablingDevices()
    devices.add(signal("pad", 1, taken=True))
    devices.add(signal("pad", 1, held=False))
    devices.add(signal("pad", 1, held=True))
    one, two = devices.take(), devices.take()
    assert one is not None and not one.held and one.taken
    assert two is not None and two.held and not two.taken


def test_a_flood_of_devices_is_bounded() -> None:
    devices = EnablingDevices()
    for tick in range(1, 400):
        devices.add(signal(f"device {tick}", tick, taken=True))
        devices.take()
    assert len(devices._takers) <= 16


says = st.tuples(st.sampled_from(["pad", "tablet"]), st.booleans(), st.booleans())


@settings(max_examples=60, deadline=None)
@given(lives=st.lists(st.lists(says, max_size=3), min_size=5, max_size=60))
def test_the_gate_is_taken_while_a_device_that_sends_says_so_and_until_it_gives(
    lives: list[list[tuple[str, bool, bool]]],
) -> None:
    rig, devices = Rig().started(), EnablingDevices()
    newest: dict[str, Signal] = {}
    for signals in lives:
        for device, held, taken in signals:
            said = replace(rig.hand(), publisher=device, held=held, taken=taken)
            devices.add(said)
            newest[device] = said
        rig.tick(enable_held=devices.take())
        taken_by = rig.state.latch.taken_by
        sending = [each for each in newest.values() if rig.now.monotonic_ns - each.received_ns <= 150 * MS]
        if any(each.taken for each in sending):
            assert taken_by is not None
        if taken_by is None:
            assert Reason.TAKEN not in rig.outputs[-1].reasons
    for _ in range(3):  # whoever sends and has nothing gives, one after another
        for device in newest:
            devices.add(replace(rig.hand(), publisher=device, taken=True))
            rig.tick(enable_held=devices.take())
    for _ in range(3):
        for device in newest:
            devices.add(replace(rig.hand(), publisher=device, taken=False))
            rig.tick(enable_held=devices.take())
    assert rig.state.latch.taken_by is None
