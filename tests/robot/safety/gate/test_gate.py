"""Who is followed, when the gate stops, and how it goes on: every reason that it can give, by what brings it about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import numpy as np
import pytest

from robot.errors import InputError
from robot.safety.gate import (
    GateInputs,
    GateSettings,
    GroupSettings,
    Kind,
    Mode,
    Now,
    PartSettings,
    Reason,
    Signal,
    StateSample,
    StreamSettings,
)
from tests.robot.safety.gate.gates import HOME, MS, SETTINGS, SPEC, Rig, along, blocked_springs, line, near_collisions

FORWARD = along(x=0.008)


def moving(settings: GateSettings = SETTINGS) -> Rig:
    """A rig that follows a policy at 0.16 m/s."""
    rig = Rig(settings).started()
    rig.tick(chunks=(rig.chunk(line(FORWARD, rows=40)),))
    rig.run(30)
    assert rig.outputs[-1].mode is Mode.RUN
    return rig


def jumped(rig: Rig, **changes: int) -> None:
    rig.now = replace(rig.now, **{name: getattr(rig.now, name) + by for name, by in changes.items()})


# -- the life of a gate -----------------------------------------------------------------------------------------------


def test_a_gate_sends_nothing_until_it_is_active_and_then_stands_where_the_robot_is():
    rig = Rig()
    assert rig.tick().target is None and rig.outputs[-1].reasons[0] is Reason.NOT_ACTIVE
    rig.measured = HOME + along(y=0.1)
    output = rig.tick(events=("activate",))
    assert output.mode is Mode.HOLD and np.array_equal(output.target, rig.measured)
    assert rig.tick(events=("deactivate",)).target is None


def test_nothing_moves_before_enable_and_a_chunk_that_came_before_is_then_followed():
    rig = Rig()
    rig.tick(events=("activate",))
    rig.tick(chunks=(rig.chunk(line(FORWARD)),))
    assert rig.run(10).reasons == (Reason.NOT_ENABLED,)
    assert np.array_equal(rig.commands, np.repeat(HOME[None], len(rig.commands), axis=0))
    assert rig.tick(events=("enable",)).mode is Mode.RUN


def test_disable_stops_and_drops_the_plan():
    rig = moving()
    assert rig.tick(events=("disable",)).mode is Mode.HOLD
    rig.run(50)
    assert rig.tick(events=("enable",)).reasons == (Reason.NO_CHUNK,)


def test_a_fault_is_latched_until_reset_and_enable():
    rig = moving()
    rig.driver = "reflex"
    output = rig.tick()
    assert output.mode is Mode.FAULT and output.reasons[0] is Reason.DRIVER and output.dump
    assert not rig.tick().dump
    assert rig.tick(events=("enable",)).mode is Mode.FAULT
    refused = rig.tick(events=("reset",))
    assert refused.mode is Mode.FAULT and Reason.RESET_REFUSED in refused.reasons and not refused.dump
    rig.driver = "running"
    still = rig.tick(chunks=(rig.chunk(line(FORWARD)),))
    assert still.mode is Mode.FAULT and still.reasons[:2] == (Reason.DRIVER, Reason.LATCHED)
    assert rig.tick(events=("reset",)).reasons == (Reason.NOT_ENABLED,)
    assert rig.tick(events=("enable",)).reasons == (Reason.NO_CHUNK,)
    assert rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),)).mode is Mode.RUN


def test_what_would_be_a_fault_only_holds_while_nobody_has_enabled():
    rig = Rig()
    rig.driver = "booting"
    assert rig.tick(events=("activate",)).mode is Mode.HOLD
    rig.driver = "running"
    assert rig.tick(events=("enable",)).reasons == (Reason.NO_CHUNK,)


def test_letting_go_of_enable_stops_at_once_and_taking_hold_goes_on():
    rig = moving()
    rig.muted.add("held")
    let_go = Signal(rig.now.ros_ns, rig.now.monotonic_ns, held=False, publisher="person")
    assert rig.tick(enable_held=let_go).reasons[0] is Reason.NOT_HELD
    rig.muted.clear()
    rig.run(40)
    assert rig.outputs[-1].reasons == (Reason.NO_CHUNK,)


def test_a_late_message_of_the_enabling_device_does_not_count():
    rig = moving()
    rig.muted.add("held")
    for _ in range(40):  # they come, but were sent long ago
        old = Signal(rig.now.ros_ns - 300 * MS, rig.now.monotonic_ns, publisher="person")
        rig.tick(enable_held=old)
    assert rig.outputs[-1].reasons[0] is Reason.ENABLE_LOST


def test_warming_up_changes_nothing():
    rig, cold = Rig(), Rig()
    rig.gate.warm_up()
    for each in (rig, cold):
        each.started().tick(chunks=(each.chunk(line(FORWARD)),))
        each.run(20)
    assert rig.commands.tobytes() == cold.commands.tobytes()


# -- sources ----------------------------------------------------------------------------------------------------------


def test_a_person_always_wins_and_hand_over_is_without_a_jump():
    rig = moving()
    target = rig.state.command + along(y=0.02)
    for _ in range(60):
        rig.tick(
            person=(rig.chunk(target[None], publisher="hand"),),
            chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),),
        )
        assert rig.outputs[-1].reasons[0] is Reason.PERSON and rig.outputs[-1].source == "person"
    assert rig.state.command[1] == pytest.approx(target[1], abs=1e-3)
    rig.run(35)
    assert rig.outputs[-1].reasons == (Reason.NO_CHUNK,)
    rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),))
    assert rig.outputs[-1].reasons[0] is Reason.POLICY
    rig.run(40)
    steps = np.diff(rig.commands[:, :3], axis=0)
    assert np.linalg.norm(steps, axis=1).max() < 0.5 * 0.005 + 1e-9
    assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 5.0 * 0.005**2 + 1e-9


def test_a_chunk_of_another_publisher_stops_the_gate_until_enable_is_given_anew():
    rig = moving()
    output = rig.tick(chunks=(rig.chunk(line(FORWARD), publisher="stranger"),))
    assert output.rejected[0].reason is Reason.CHUNK_PUBLISHER and output.mode is Mode.HOLD
    assert output.reasons == (Reason.PUBLISHER_CHANGED,)
    rig.run(5)
    rig.tick(chunks=(rig.chunk(line(FORWARD)),))
    assert rig.outputs[-1].reasons == (Reason.PUBLISHER_CHANGED,)
    rig.tick(events=("disable",))
    rig.tick(events=("enable",))
    rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.state.command), publisher="stranger"),))
    assert rig.outputs[-1].mode is Mode.RUN


def test_a_neighbour_that_publishes_the_same_state_is_not_heard():
    rig = moving()
    for _ in range(20):
        own = rig.inputs().states
        foreign = replace(
            own["pose"], values={name: value + 9 for name, value in own["pose"].values.items()}, publisher="neighbour"
        )
        rig.tick(states=own)
        rig.tick(states={"pose": foreign})
        assert rig.outputs[-1].mode is Mode.RUN and max(rig.state.measured[:3]) < 1


def test_a_chunk_that_starts_too_far_away_is_not_followed():
    arm, gripper = SETTINGS.groups
    near = replace(
        SETTINGS,
        groups=(replace(arm, parts=(replace(arm.parts[0], start=0.05), replace(arm.parts[1], start=0.3))), gripper),
    )
    rig = Rig(near).started()
    output = rig.tick(chunks=(rig.chunk(line(FORWARD, start=HOME + along(z=0.1))),))
    assert output.mode is Mode.HOLD and output.rejected[0].reason is Reason.CHUNK_TOO_FAR
    turned = HOME.copy()
    turned[3:9] = [0, 1, 0, 1, 0, 0]
    output = rig.tick(chunks=(rig.chunk(line(FORWARD, start=turned)),))
    assert output.rejected[0].reason is Reason.CHUNK_TOO_FAR and "rotation" in output.rejected[0].detail
    assert rig.tick(chunks=(rig.chunk(line(FORWARD)),)).mode is Mode.RUN


def test_rows_that_have_passed_are_dropped():
    rig = Rig().started()
    values = line(FORWARD, rows=16)
    rig.tick(chunks=(rig.chunk(values, start_ns=rig.now.ros_ns - 500 * MS),))
    rig.run(80)
    assert rig.outputs[2].row == 10
    assert rig.commands[-1][0] == pytest.approx(values[-1, 0], abs=0.01)


def test_after_the_last_row_the_arm_is_brought_to_a_stand_and_the_gripper_finishes():
    rig = Rig().started()
    values = line(FORWARD, rows=8)
    values[-1, 9] = 0.0
    rig.tick(chunks=(rig.chunk(values),))
    rig.run(200)
    tail = [output for output in rig.outputs if Reason.TAIL in output.reasons]
    assert tail and len(tail) * 0.005 <= 0.3 and all(output.mode is Mode.HOLD for output in tail)
    assert rig.outputs[-1].reasons == (Reason.STARVED,)
    assert rig.commands[-1][9] == 0.0
    assert 0 < rig.commands[-1][0] - values[-1, 0] < 0.16**2 / (2 * 5.0) + 0.16 * 0.005
    assert rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),)).mode is Mode.RUN


# -- the robot --------------------------------------------------------------------------------------------------------


def test_a_blocked_arm_is_held_where_it_is_and_let_go_of_slowly():
    rig = moving()
    rig.measured = rig.state.command.copy()  # a wall
    while rig.tick().mode is Mode.RUN:
        assert len(rig.outputs) < 300
    assert rig.outputs[-1].reasons[0] is Reason.TRACKING and "arm" in rig.outputs[-1].details[Reason.TRACKING]
    pressed = rig.outputs[-1].errors["tcp.position"]
    assert pressed > 0.05
    rig.run(200)
    assert rig.outputs[-1].errors["tcp.position"] < 1e-9
    back = np.diff(rig.commands[:, 0])[-180:]
    assert -back.min() <= 0.25 * 0.5 * 0.005 * (1 + 1e-9)
    # A gripper on an object is never opened by that.
    assert rig.commands[-1][9] == HOME[9]
    rig.tick(chunks=(rig.chunk(line(FORWARD)),))
    assert rig.outputs[-1].reasons[0] is Reason.TRACKING
    rig.tick(events=("disable",))
    rig.measured = None
    rig.tick(events=("enable",), chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),))
    assert rig.outputs[-1].mode is Mode.RUN


def test_a_gripper_on_an_object_is_no_tracking_error():
    rig = Rig().started()
    rig.measured = HOME.copy()
    closing = np.repeat(HOME[None], 40, axis=0)
    closing[:, 9] = 0.0
    rig.tick(chunks=(rig.chunk(closing),))
    assert rig.run(300).errors["gripper.width"] == pytest.approx(0.08)
    assert all(Reason.TRACKING not in output.reasons for output in rig.outputs)


def test_a_reset_twin_is_followed_from_where_it_stands_and_old_chunks_are_gone():
    rig = moving(replace(SETTINGS, resets=True))
    old = rig.chunk(line(FORWARD, rows=100))
    rig.now = Now(rig.now.monotonic_ns, 5 * MS, epoch=1)
    rig.measured = HOME + along(z=0.1)
    output = rig.tick()
    assert Reason.EPOCH in output.reasons and output.reasons[0] is Reason.NO_CHUNK
    assert np.array_equal(output.target, rig.measured)
    assert rig.tick(chunks=(old,)).rejected[0].reason is Reason.CHUNK_EPOCH
    assert rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.measured)),)).mode is Mode.RUN


def test_a_clock_that_jumps_on_a_robot_stops_it_along_its_way():
    rig = moving()
    jumped(rig, ros_ns=-3_000 * MS, epoch=1)
    speeds = [rig.speed(rig.state.sent.velocity)]
    for _ in range(50):
        assert rig.tick().mode is Mode.HOLD
        speeds.append(rig.speed(rig.state.sent.velocity))
    assert Reason.EPOCH in rig.outputs[-50].reasons
    assert speeds == sorted(speeds, reverse=True) and speeds[1] > 0 and speeds[-1] == 0


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_path_goes_by_the_source_s_time_whatever_its_rate(factor: float):
    rig = Rig().started()
    values = line(FORWARD, rows=20)
    rig.tick(chunks=(rig.chunk(values),))
    begin = rig.now.ros_ns
    for _ in range(100):
        rig.tick()
        rig.now = replace(rig.now, ros_ns=rig.now.ros_ns + round((factor - 1) * 5 * MS))
    assert rig.outputs[-1].mode is Mode.RUN
    passed = (rig.now.ros_ns - begin) * 1e-9
    assert rig.commands[-1][0] - HOME[0] == pytest.approx(0.16 * passed, abs=0.004)


def test_missed_ticks_are_counted_and_not_made_up_for_at_once():
    rig = moving()
    jumped(rig, ros_ns=40 * MS, monotonic_ns=40 * MS)
    before = rig.state.command
    output = rig.tick()
    assert Reason.TICKS_MISSED in output.reasons and output.counts[Reason.TICKS_MISSED] == 1
    assert np.linalg.norm(output.target[:3] - before[:3]) <= 0.5 * 2 * 0.005


def test_the_lead_samples_the_path_ahead():
    early, now = Rig(replace(SETTINGS, lead_s=0.02)).started(), Rig().started()
    for rig in (early, now):
        rig.tick(chunks=(rig.chunk(line(FORWARD, rows=30)),))
        rig.run(80)
    assert early.commands[-5][0] == pytest.approx(now.commands[-1][0], abs=1e-9)


# -- every reason -----------------------------------------------------------------------------------------------------


def frozen(rig: Rig) -> None:
    rig.changes = {"stamp_ns": rig.now.ros_ns}
    rig.run(15)


def silenced(*what: str, ticks: int) -> Callable[[Rig], None]:
    def act(rig: Rig) -> None:
        rig.muted.update(what)
        rig.run(ticks)

    return act


def broken(rig: Rig) -> None:
    rig.changes = {"values": {"tcp.position": np.array([0.4, np.nan, 0.2]), "tcp.rotation": HOME[3:9]}}
    rig.run(1)


def lacking(rig: Rig) -> None:
    rig.changes = {"values": {"tcp.position": HOME[:3]}}
    rig.run(1)


def ahead(rig: Rig) -> None:
    rig.changes = {"stamp_ns": rig.now.ros_ns + 500 * MS}
    rig.run(1)


def backwards(rig: Rig) -> None:
    for number in range(15):
        rig.changes = {"stamp_ns": rig.now.ros_ns - (10 + 10 * number) * MS}
        rig.tick()


STOPS: dict[str, tuple[Callable[[Rig], None], Mode, Reason]] = {
    "state that stops": (silenced("pose", ticks=12), Mode.HOLD, Reason.STATE_STALE),
    "state that stays away": (silenced("pose", ticks=105), Mode.FAULT, Reason.STATE_GONE),
    "a frozen state": (frozen, Mode.HOLD, Reason.STATE_FROZEN),
    "a state that runs backwards": (backwards, Mode.HOLD, Reason.STATE_FROZEN),
    "a state that is not finite": (broken, Mode.HOLD, Reason.STATE_BAD),
    "a state without a joint": (lacking, Mode.HOLD, Reason.STATE_BAD),
    "a state of the future": (ahead, Mode.HOLD, Reason.STATE_BAD),
    "a silent supervisor": (silenced("alive", ticks=35), Mode.HOLD, Reason.ALIVE_LOST),
    "a silent enabling device": (silenced("held", ticks=35), Mode.HOLD, Reason.ENABLE_LOST),
    "an enabling device that stays silent": (silenced("held", ticks=105), Mode.FAULT, Reason.ENABLE_GONE),
    "a silent driver": (silenced("driver", ticks=105), Mode.FAULT, Reason.DRIVER_SILENT),
}


@pytest.mark.parametrize("what", STOPS)
def test_it_stops_for(what: str):
    act, mode, reason = STOPS[what]
    rig = moving()
    act(rig)
    output = rig.outputs[-1]
    assert output.mode is mode and output.reasons[0] is reason
    assert output.counts[reason] >= 1
    rig.run(40)
    assert not rig.state.sent.velocity.any()


def test_it_goes_on_when_the_state_is_back():
    rig = moving()
    silenced("pose", ticks=30)(rig)
    rig.muted.clear()
    rig.tick()
    assert rig.outputs[-1].reasons == (Reason.NO_CHUNK,)  # the old plan is gone
    assert rig.tick(chunks=(rig.chunk(line(FORWARD, start=rig.state.command)),)).mode is Mode.RUN


def test_every_reason_can_be_reached():
    seen: set[Reason] = set()

    def look(rig: Rig) -> None:
        for output in rig.outputs:
            seen.update(output.reasons)
            seen.update(each.reason for each in output.rejected)

    from tests.robot.safety.gate.test_gate_laws import BAD, spoiled

    for act, _, _ in STOPS.values():
        rig = moving()
        act(rig)
        look(rig)
    for how in BAD:
        rig = moving()
        rig.tick(chunks=(spoiled(rig, how),))
        look(rig)
    rig = Rig(muted={"alive", "pose"})
    rig.tick()
    rig.tick(events=("activate",))
    rig.muted.clear()
    rig.tick(events=("enable",))
    wild = line(along(x=0.2), rows=20)
    rig.tick(chunks=(rig.chunk(wild),))
    rig.run(250)
    rig.tick(chunks=(rig.chunk(wild, publisher="stranger"),))
    rig.run(3)
    look(rig)
    rig = Object(holding(5.0)).started()
    rig.tick(chunks=(rig.chunk(line(along(width=-0.01))),))
    rig.run(100)
    look(rig)
    rig = moving()
    rig.muted.add("held")
    rig.tick(enable_held=Signal(rig.now.ros_ns, rig.now.monotonic_ns, held=False, publisher="person"))
    rig.muted = {"pose"}
    rig.run(6)
    rig.muted.clear()
    rig.tick(person=(rig.chunk(line(FORWARD)[:1], publisher="hand"),))
    rig.run(2)
    jumped(rig, ros_ns=40 * MS, monotonic_ns=40 * MS, epoch=1)
    rig.run(2)
    rig.driver = "stopped"
    rig.run(2)
    rig.tick(events=("reset",))
    rig.driver = "running"
    rig.run(2)
    look(rig)
    rig = Rig(
        replace(
            SETTINGS,
            groups=(
                replace(
                    SETTINGS.groups[0],
                    parts=(replace(SETTINGS.groups[0].parts[0], start=0.01), SETTINGS.groups[0].parts[1]),
                ),
                SETTINGS.groups[1],
            ),
        )
    ).started()
    rig.tick(chunks=(rig.chunk(wild),))
    look(rig)
    rig = moving()
    rig.carry(along(x=-0.3), ticks=100)
    rig.run(60)
    look(rig)
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(FORWARD, rows=4)),))
    rig.run(50)
    look(rig)
    for rig in (*near_collisions(), *blocked_springs()):
        look(rig)
    rig = Rig().started()
    huge, long = (rig.chunk(line(FORWARD) * 1e9), rig.chunk(line(FORWARD * 0.01, rows=300)))
    rig.tick(chunks=(huge, long, rig.chunk(line(FORWARD), fault="no chunk")))
    rig.tick(crowds={"pose": "two of them"})
    rig.tick(crowds={}, events=("failed",))
    rig.carry(along(y=0.2), ticks=60)
    rig.run(30)
    rig.measured = rig.measured + along(y=1.0)
    rig.run(2)
    look(rig)
    rig = Rig().started()
    rig.taken = True
    rig.tick()
    look(rig)
    assert set(Reason) - seen == set()
    assert all(reason.text for reason in Reason) and {reason.kind for reason in Reason} == set(Kind)


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda: replace(SETTINGS, groups=SETTINGS.groups[:1]),
        lambda: replace(SETTINGS, groups=(SETTINGS.groups[0], replace(SETTINGS.groups[1], measured=()))),
        lambda: replace(SETTINGS, operator="somebody"),
        lambda: replace(SETTINGS, tail_s=0.5),
        lambda: replace(SETTINGS, enable_hold_s=0.6),
        lambda: StreamSettings(("tcp.position",), 0.05, 0.05, 0.5),
        lambda: PartSettings("tcp.position", (0.0,)),
        lambda: PartSettings("tcp.position", (0.5,), (4.0,), (2.0,)),
        lambda: PartSettings("tcp.position", low=(0.0,), high=(-1.0,)),
        lambda: replace(
            SETTINGS,
            groups=(
                GroupSettings(
                    "all",
                    (
                        PartSettings("tcp.position", (1.0,), (2.0,), (2.0,)),
                        PartSettings("tcp.rotation"),
                        PartSettings("gripper.width"),
                    ),
                    ("tcp.position", "tcp.rotation", "gripper.width"),
                ),
            ),
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: Callable[[], object]):
    with pytest.raises(InputError):
        change()


def test_fields_that_nothing_measures_start_at_rest():
    arm, gripper = SETTINGS.groups
    blind = replace(
        SETTINGS,
        groups=(arm, replace(gripper, measured=())),
        rest=tuple(HOME.tolist()),
        streams={"pose": SETTINGS.streams["pose"]},
    )
    rig = Rig(blind)
    place = HOME + along(y=0.05)
    pose = StateSample({"tcp.position": place[:3], "tcp.rotation": place[3:9]}, rig.now.ros_ns, rig.now.monotonic_ns)
    output = rig.tick(states={"pose": pose}, events=("activate",))
    assert np.array_equal(output.target, place) and SPEC.dim == len(place)


def test_the_command_is_where_a_stopped_arm_was_moved_to() -> None:
    rig = moving()
    rig.driver = "user stop"
    assert rig.tick().reason is Reason.DRIVER
    rig.carry(along(x=-0.03, z=0.12), ticks=100)  # guided by hand, while the brakes are off
    rig.measured[9] = 0.03
    assert rig.run(60).errors["tcp.position"] <= SETTINGS.groups[0].apart[0]
    assert any(Reason.SEEDED in output.reasons for output in rig.outputs)
    stood = rig.state.command
    rig.carry(along(x=0.02), ticks=20)  # within what is allowed it stands
    assert np.array_equal(rig.run(100).target, stood)
    # What the hand holds is not let go of.
    assert rig.commands[-1][9] == HOME[9]
    rig.driver, rig.measured = "running", None
    rig.tick()
    rig.tick(events=("reset",))
    rig.run(20)
    assert np.array_equal(rig.state.command, stood)


class Object(Rig):
    """A gripper whose fingers meet an object 0.04 m wide, behind a drive of 500 N/m that tells its effort."""

    def inputs(self, **given: Any) -> GateInputs:
        inputs = super().inputs(**given)
        command = self.state.command[9] if len(self.state.command) else HOME[9]
        width = max(float(command), 0.04)
        values = {"gripper.width": np.array([width]), "gripper.width.effort": np.array([500.0 * (command - width)])}
        return replace(inputs, states={**inputs.states, "gripper": replace(inputs.states["gripper"], values=values)})


def holding(force: float | None) -> GateSettings:
    arm, gripper = SETTINGS.groups
    names = ("gripper.width",) if force is None else ("gripper.width", "gripper.width.effort")
    streams = {**SETTINGS.streams, "gripper": replace(SETTINGS.streams["gripper"], names=names)}
    return replace(SETTINGS, groups=(arm, replace(gripper, force=force)), streams=streams)


@pytest.mark.parametrize("force", [2.0, 10.0, None])
def test_fingers_press_no_harder_than_they_may(force: float | None) -> None:
    rig = Object(holding(force)).started()
    closing = np.repeat(HOME[None], 80, axis=0)
    closing[:, 9] = 0.0
    rig.tick(chunks=(rig.chunk(closing),))
    rig.run(400)
    assert rig.outputs[-1].mode is Mode.RUN
    pressed = 500.0 * (0.04 - rig.commands[-1][9])
    if force is None:
        assert pressed == pytest.approx(20.0)
        return
    assert 0.95 * force <= pressed <= 1.05 * force
    assert Reason.FORCE in rig.outputs[-1].reasons and "gripper.width" in rig.outputs[-1].details[Reason.FORCE]
    # To open is always allowed.
    rig.tick(chunks=(rig.chunk(np.repeat(HOME[None], 40, axis=0)),))
    rig.run(100)
    assert rig.commands[-1][9] == HOME[9]


def test_a_force_that_is_not_told_stops_the_robot() -> None:
    rig = Rig(holding(10.0)).started()
    assert rig.tick().reasons[0] is Reason.STATE_BAD
    assert "gripper.width.effort" in rig.outputs[-1].details[Reason.STATE_BAD]


@pytest.mark.parametrize("ahead_s", [0.08, 0.0, -0.03])
def test_a_slow_gripper_is_told_early_and_the_arm_in_its_own_time(ahead_s: float) -> None:
    arm, gripper = SETTINGS.groups
    parts = (replace(gripper.parts[0], speed=(10.0,)),)
    settings = replace(SETTINGS, groups=(arm, replace(gripper, parts=parts, ahead_s=ahead_s)), lead_s=0.02)
    rig = Rig(settings).started()
    rig.run(20)
    sent_ns = rig.now.ros_ns
    path = line(along(x=0.004), rows=30)
    path[10:, 9] = 0.02  # closes in the eleventh row, which begins half a second after the start
    rig.tick(chunks=(rig.chunk(path),))
    rig.run(180)
    said = [(tick.ros_ns + 20 * MS, output.target) for _, _, tick, output in rig.ticks if output.target is not None]
    halfway = next(time_ns for time_ns, target in said if target[9] <= 0.05)
    assert (halfway - sent_ns) * 1e-9 == pytest.approx(0.525 - ahead_s, abs=0.011)  # a tick, and rows of a period
    assert said[-1][1][9] == 0.02
    arms = [target for time_ns, target in said if time_ns == sent_ns + 500 * MS]
    assert arms[0][0] == pytest.approx(path[9, 0], abs=1e-3)


def test_an_arm_that_gives_way_under_its_load_does_not_lead_the_command_down():
    rig = moving()
    rig.driver = "gripper: error"
    for _ in range(800):
        rig.tick()
        rig.measured = rig.state.command + along(z=-0.005)
    stood = rig.commands[-1]
    assert stood[2] > HOME[2] - 0.05  # no more than in the time of a stop
    for _ in range(1000):
        rig.tick()
        rig.measured = rig.state.command + along(z=-0.005)
    assert np.array_equal(rig.commands[-1], stood)
    rig.carry(along(y=0.1), ticks=50)  # and when it is moved, the command comes after it all the same
    rig.run(40)
    assert abs(rig.commands[-1][1] - rig.measured[1]) < SETTINGS.groups[0].apart[0]


def test_a_command_that_meets_a_moved_arm_outside_of_the_workspace_comes_back_from_there_within_limits():
    rig = moving()
    rig.driver = "guiding"
    rig.run(40)
    rig.carry(along(y=0.5), ticks=200)  # the workspace ends at 0.4
    rig.run(100)
    assert abs(rig.commands[-1][1] - rig.measured[1]) <= 0.05
    assert rig.commands[-1][1] > 0.4, "an arm that stands outside is not driven back by itself"
