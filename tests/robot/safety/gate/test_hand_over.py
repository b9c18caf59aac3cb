"""Taking over is latched: from a take until a give the robot is the person's, whatever else happens meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.safety.gate import ChunkSample, GateOutput, Reason, Signal
from robot.safety.gate import inputs as events
from tests.robot.safety.gate.gates import FREE, MS, SETTINGS, Rig, along, line
from tests.robot.safety.gate.test_gate_laws import check_accelerations

TWIN = replace(SETTINGS, operator="none")
FORWARD = along(x=0.01)


def plan(rig: Rig, **changes: Any) -> ChunkSample:
    """The policy's newest chunk, from where the command is."""
    return rig.chunk(line(FORWARD, start=rig.state.command), **changes)


def target(rig: Rig, y: float = 0.004) -> ChunkSample:
    """The person's newest target, beside the command."""
    return rig.chunk((rig.state.command + along(y=y))[None], publisher="hand")


def driven(settings: Any = SETTINGS) -> Rig:
    """A policy is followed, at speed."""
    rig = Rig(settings).started()
    rig.tick(chunks=(plan(rig),))
    rig.run(20)
    assert rig.outputs[-1].source == "policy" and rig.velocities[-1].any()
    return rig


def taken(settings: Any = SETTINGS) -> Rig:
    """A person has taken it over from the policy."""
    rig = driven(settings)
    rig.taken = True
    rig.tick(chunks=(plan(rig),))
    assert rig.outputs[-1].reasons == (Reason.TAKEN,)
    return rig


def offer(rig: Rig, ticks: int = 100) -> list[GateOutput]:
    """The policy sends chunks, one in every tenth tick."""
    return [rig.tick(chunks=(plan(rig),) if tick % 10 == 0 else ()) for tick in range(ticks)]


def is_followed(rig: Rig) -> bool:
    """Whether a policy that goes on sending is followed."""
    return any(output.source == "policy" for output in offer(rig, 60))


# -- take -------------------------------------------------------------------------------------------------------------


def test_a_take_stops_the_policy_and_a_person_at_rest_keeps_the_robot() -> None:
    rig = taken()
    outputs = [rig.tick(chunks=(plan(rig, fault="no chunk"), plan(rig, period_s=1.0), plan(rig, publisher="x")))]
    outputs += offer(rig, 400)
    assert {output.reasons for output in outputs} == {(Reason.TAKEN,)}
    assert not any(output.rejected for output in outputs)
    assert not any(reason.name.startswith("CHUNK") for reason in rig.outputs[-1].counts)
    np.testing.assert_array_equal(outputs[60].target, outputs[-1].target)
    check_accelerations(rig)


def test_a_person_who_pauses_is_followed_again_from_where_the_robot_is() -> None:
    rig = taken()
    for _ in range(3):
        for _ in range(30):
            rig.tick(person=(target(rig),), chunks=(plan(rig),))
        assert rig.outputs[-1].source == "person"
        assert not any(output.source for output in offer(rig, 200)[40:])
    check_accelerations(rig)


def test_a_take_between_two_targets_of_a_person_does_not_interrupt_them() -> None:
    rig = driven()
    for tick in range(60):
        rig.taken = tick >= 20
        rig.tick(person=(target(rig),) if tick % 4 == 0 else ())
    assert {output.source for output in rig.outputs[-59:]} == {"person"}


@pytest.mark.parametrize("settings", [SETTINGS, TWIN])
def test_a_device_that_is_released_or_falls_silent_hands_nothing_back(settings: Any) -> None:
    rig = taken(settings)
    rig.held = False
    assert not any(output.source for output in offer(rig))
    rig.held = True
    assert not is_followed(rig)
    rig.tick(person=(target(rig),))
    assert rig.outputs[-1].source == "person"
    rig.muted = {"held"}
    assert not any(output.source == "policy" for output in offer(rig, 400))


def test_the_detail_of_a_hold_is_its_own_while_the_robot_is_taken() -> None:
    rig = taken()
    rig.held = False
    assert rig.tick().reason is Reason.NOT_HELD
    rig.held = True
    assert rig.tick().reason is Reason.TAKEN


# -- give -------------------------------------------------------------------------------------------------------------


def test_after_a_give_the_policy_goes_on_with_a_chunk_that_was_made_after_it() -> None:
    rig = taken()
    rig.run(60)
    old = plan(rig)
    rig.tick(person=(target(rig),), chunks=(old,))
    rig.taken = False
    assert rig.tick(chunks=(old,)).reasons == (Reason.NO_CHUNK,)
    late = replace(old, values=line(FORWARD, start=rig.state.command), received_ns=rig.now.monotonic_ns)
    assert rig.tick(chunks=(late,)).reasons == (Reason.NO_CHUNK,)
    new = plan(rig)
    assert rig.tick(chunks=(new,)).chunk_id == new.chunk_id
    rig.run(100)
    check_accelerations(rig)


@pytest.mark.parametrize("late_ms", [0, 5, 45, 70])
def test_after_a_give_the_first_row_takes_its_whole_period(late_ms: int) -> None:
    """What was left of the row was 5 ms, in which a robot without limits covered all of its way."""
    rig = taken(FREE)
    rig.run(60)
    rig.taken = False
    rig.tick()
    rig.run(20)
    new = plan(rig, start_ns=rig.now.ros_ns - late_ms * MS)
    rig.tick(chunks=(new,))
    rig.run(60)
    step = np.linalg.norm(np.diff(rig.commands[-60:, :3], axis=0), axis=1)
    rows = 1 + -(-late_ms // 50)
    assert step.max() <= rows * 0.01 / 10 * (1 + 1e-6)
    np.testing.assert_allclose(
        rig.state.command[0],
        np.interp(rig.now.ros_ns - rig.dt_ns, new.start_ns + 50 * MS * np.arange(1, 17), new.values[:, 0]),
        atol=1e-9,
    )


def test_a_chunk_that_came_in_the_tick_of_the_give_but_before_it_is_not_followed() -> None:
    rig = taken()
    rig.taken = False
    ahead = plan(rig, start_ns=rig.now.ros_ns + 40 * MS, received_ns=rig.now.monotonic_ns - 1)
    assert rig.tick(chunks=(ahead,)).reasons == (Reason.NO_CHUNK,)
    rig.run(20)
    assert rig.outputs[-1].reasons == (Reason.NO_CHUNK,)


def test_a_chunk_that_came_right_behind_the_give_is_followed_at_once() -> None:
    rig = taken()
    rig.tick(person=(target(rig),))
    rig.taken = False
    given = rig.hand(received_ns=rig.now.monotonic_ns - 2)
    assert rig.tick(enable_held=given, chunks=(plan(rig),)).source == "policy"


def test_after_a_give_another_run_of_the_teleoperation_is_followed_too() -> None:
    rig = taken()
    rig.tick(person=(target(rig),))
    rig.taken = False
    rig.tick()
    assert rig.tick(person=(replace(target(rig), publisher="another run"),)).source == "person"


def test_a_target_from_before_the_give_takes_nothing_back() -> None:
    rig = taken()
    last = target(rig)
    rig.tick(person=(last,))
    rig.taken = False
    rig.tick()
    rig.tick(person=(replace(last, received_ns=rig.now.monotonic_ns),))
    assert is_followed(rig)


def test_a_person_who_goes_on_after_the_give_still_wins_and_lets_go_by_silence() -> None:
    rig = taken()
    rig.taken = False
    rig.tick()
    for _ in range(20):
        rig.tick(person=(target(rig),), chunks=(plan(rig),))
    assert rig.outputs[-1].source == "person"
    rig.run(40)
    assert is_followed(rig)


@pytest.mark.parametrize("person", [False, True])
def test_a_chattering_take_lets_no_chunk_through(person: bool) -> None:
    rig = taken()
    for tick in range(200):
        rig.taken = tick % 2 == 0
        rig.tick(chunks=(plan(rig),), person=(target(rig),) if person and tick % 8 == 0 else ())
    assert not any(output.source == "policy" for output in rig.outputs[-200:])
    check_accelerations(rig)


def test_a_clock_that_jumps_neither_gives_nor_keeps_a_later_chunk_out() -> None:
    rig = taken()
    for jump_s in (-100, 100):
        rig.now = replace(rig.now, ros_ns=rig.now.ros_ns + jump_s * 10**9, epoch=rig.now.epoch + 1)
        rig.run(5)
        assert not is_followed(rig)
        rig.taken = False
        rig.tick()
        rig.now = replace(rig.now, ros_ns=rig.now.ros_ns - jump_s * 10**9, epoch=rig.now.epoch + 1)
        rig.run(5)
        assert is_followed(rig)
        rig.taken = True
        rig.tick()


@pytest.mark.parametrize("settings", [SETTINGS, TWIN])
def test_a_device_that_ends_gives_nothing_with_its_last_signal(settings: Any) -> None:
    rig = taken(settings)
    rig.taken = rig.held = False
    rig.tick()
    rig.muted = {"held"}
    assert not is_followed(rig)


# -- other ends, and other devices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [SETTINGS, TWIN])
def test_a_restarted_device_that_says_nothing_is_taken_gives_nothing(settings: Any) -> None:
    rig = taken(settings)
    rig.taken, rig.session = False, "another run"
    assert not is_followed(rig)
    rig.tick(events=(events.DISABLE,))
    rig.run(150)
    rig.tick(events=(events.ENABLE,))
    assert is_followed(rig), "enable that is given anew is a fresh act of a person"


def test_a_restarted_device_takes_and_gives_like_any_other() -> None:
    rig = taken(TWIN)
    rig.taken, rig.session = False, "another run"
    rig.run(200)
    rig.taken = True
    rig.run(2)
    rig.taken = False
    rig.tick()
    assert is_followed(rig)


def test_a_device_without_a_session_takes_and_gives_nothing() -> None:
    rig = Rig().started()
    rig.session = ""
    rig.tick(events=(events.DISABLE,))
    rig.run(120)
    rig.tick(events=(events.ENABLE,))
    assert is_followed(rig)
    rig.taken = True
    rig.tick()
    rig.taken = False
    assert not is_followed(rig)
    rig.tick(events=(events.DISABLE,))
    rig.tick(events=(events.ENABLE,))
    assert is_followed(rig)


def test_the_last_of_several_devices_gives() -> None:
    rig = taken()
    rig.tick(enable_held=rig.hand(taker="tablet"))
    rig.taken = False
    rig.tick(enable_held=rig.hand(taken=True, taker="tablet"))
    assert not is_followed(rig)
    rig.tick(enable_held=rig.hand(taker="tablet"))
    assert is_followed(rig)


@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize(
    "ending", [(events.DISABLE,), (events.DEACTIVATE, events.ACTIVATE), (events.FAILED,), ("driver",)]
)
def test_a_take_ends_with_whatever_ends_a_run_unless_the_device_still_reports_it(
    ending: tuple[str, ...], reports: bool
) -> None:
    rig = taken()
    rig.taken, rig.session = reports, "person" if reports else "another run"
    if ending == ("driver",):
        rig.driver = "reflex"
    for event in ending:
        rig.tick(events=(event,) if event in events.EVENTS else ())
    rig.run(150)
    rig.driver = "running"
    rig.tick(events=(events.RESET,))
    for _ in range(120):
        assert rig.tick(chunks=(plan(rig),)).source == ""
    assert rig.tick(events=(events.ENABLE,), enable_held=None, chunks=(plan(rig),)).source != "policy" or not reports
    assert is_followed(rig) is not reports


def test_enable_given_anew_ends_the_take_of_a_device_that_has_fallen_silent() -> None:
    rig = taken(TWIN)
    rig.muted = {"held"}
    rig.run(10)
    for ticks, ends in ((0, False), (40, True)):
        rig.run(ticks)
        rig.tick(events=(events.DISABLE,))
        rig.tick(events=(events.ENABLE,))
        assert is_followed(rig) is ends


def test_enable_on_enable_ends_no_take() -> None:
    rig = taken(TWIN)
    rig.muted = {"held"}
    rig.run(200)
    rig.tick(events=(events.ENABLE,))
    assert not is_followed(rig)


# -- whatever comes ---------------------------------------------------------------------------------------------------


@dataclass
class Owner:
    """Who has the robot, from the messages alone.

    Args:
        taker: the device that took it; None while nobody has.
        taken_ns: monotonic, when it said so last.
        given_ns: monotonic, of the last give.
    """

    taker: str | None = None
    taken_ns: int = 0
    given_ns: int = 0

    def enable(self, now_ns: int) -> None:
        if now_ns - self.taken_ns > 150 * MS:
            self.taker = None

    def hear(self, signal: Signal | None) -> None:
        if signal is not None and signal.taken:
            self.taker, self.taken_ns = signal.publisher, signal.received_ns
        elif signal is not None and signal.held and signal.publisher == self.taker:
            self.taker, self.given_ns = None, signal.received_ns


ACTS = ("take", "give", "grip", "release", "mute", "restart", "tablet", "plan", "old plan", "stranger", "hand", "far")
ENDS = (events.ENABLE, events.ENABLE, events.DISABLE, events.RESET, events.FAILED, "reflex")


def act(rig: Rig, what: str, kept: list[ChunkSample]) -> dict[str, Any]:
    """Change the world, and return the messages of this tick."""
    rig.taken = {"take": True, "give": False}.get(what, rig.taken)
    rig.held = {"grip": True, "release": False}.get(what, rig.held)
    if what == "mute":
        rig.muted ^= {"held"}
    elif what == "restart":
        rig.session, rig.taken = f"{rig.session}+", False
    elif what == "reflex":
        rig.driver = "reflex" if rig.driver == "running" else "running"
    elif what == "tablet":
        return {"enable_held": rig.hand(publisher="tablet", taken=not rig.taken)}
    elif what == "stranger":
        return {"chunks": (plan(rig, publisher="stranger"),)}
    elif what in ("hand", "far"):
        return {"person": (target(rig, 0.004 if what == "hand" else 0.2),)}
    elif what == "plan":
        kept.append(plan(rig))
        return {"chunks": (kept[-1],)}
    elif what == "old plan" and kept:
        return {"chunks": (replace(kept[-1], received_ns=rig.now.monotonic_ns),)}
    return {"events": (what,)} if what in events.EVENTS else {}


@pytest.mark.parametrize("operator", ["required", "none"])
@settings(max_examples=35, deadline=None)
@given(
    acts=st.lists(
        st.tuples(st.one_of(st.sampled_from(ACTS), st.sampled_from(ACTS), st.sampled_from(ENDS)), st.integers(1, 8)),
        min_size=10,
        max_size=40,
    )
)
def test_the_policy_never_has_a_robot_that_was_taken(operator: str, acts: list[tuple[str, int]]) -> None:
    rig = driven(replace(SETTINGS, operator=operator))
    owner, kept = Owner(), list[ChunkSample]()
    for what, ticks in acts:
        given = act(rig, what, kept)
        for tick in range(ticks):
            latch, inputs = rig.state.latch, rig.inputs(**(given if tick == 0 else {}))
            if events.ENABLE in inputs.events and not latch.enabled:
                owner.enable(rig.now.monotonic_ns)
            owner.hear(inputs.enable_held)
            output = rig.tick(**(given if tick == 0 else {}))
            assert owner.taker is None or (output.source != "policy" and Reason.POLICY not in output.reasons)
            if output.source == "policy":
                followed = rig.state.plan.followed
                assert followed is not None
                assert min(followed.received_ns, followed.start_ns) > owner.given_ns
    check_accelerations(rig)
