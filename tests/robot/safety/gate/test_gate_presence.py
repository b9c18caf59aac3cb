"""Nothing moves while anything forbids it, and the command is where the robot is: in control of poses and of joints."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Callable

import numpy as np
import pytest

from robot.safety.gate import Mode, Reason
from robot.safety.gate import inputs as events
from robot.safety.gate.inputs import CHUNKS, ENABLE_HELD, NAMELESS, GateOutput, Signal
from tests.robot.safety.gate.gates import HOME, SETTINGS, Rig, along, line
from tests.robot.safety.gate.sequences import CONTRACTS, STOP_S, Life, live

JOINTS, POSES = "ur5e_jtc", "fr3_crisp"
ARMS = (JOINTS, POSES, "xarm7", "inspire")


def waiting(contract: str) -> Life:
    """A gate that has a state and that nobody has enabled."""
    return Life(contract, np.random.default_rng(0))


def moving(contract: str) -> Life:
    """A gate that follows a policy along the first component of the action, at half of its speed limit."""
    life = waiting(contract)
    life.step((events.ENABLE,))
    speed = 0.5 * life.settings.groups[0].parts[0].speed[0]
    rows = life.place + np.arange(1, 31)[:, None] * speed * life.settings.period_s * np.eye(len(life.place))[0]
    life.step(chunks=(life.chunk(rows),))
    for _ in range(60):
        output = life.step()
    assert output.mode is Mode.RUN and life.state.sent.velocity.any()
    return life


def after(life: Life, seconds: float) -> list[tuple[GateOutput, np.ndarray]]:
    """The outputs of a while, each with the command after it."""
    return [(life.step(), life.state.command) for _ in range(round(seconds / life.settings.tick_s))]


def let_go(life: Life) -> None:
    life.held = False


def mute(*what: str) -> Callable[[Life], None]:
    return lambda life: life.muted.update(what)


def stop_driver(life: Life) -> None:
    life.driver = "protective stop"


def disable(life: Life) -> None:
    life.step((events.DISABLE,))


def silence(life: Life) -> None:
    life.muted.update(life.settings.streams)


FORBIDDEN: dict[str, tuple[Callable[[Life], None], Reason]] = {
    "let go": (let_go, Reason.NOT_HELD),
    "disable": (disable, Reason.NOT_ENABLED),
    "no sign of life": (mute("alive"), Reason.ALIVE_LOST),
    "a device that is silent": (mute("held"), Reason.ENABLE_LOST),
    "a driver's stop": (stop_driver, Reason.DRIVER),
    "silent streams": (silence, Reason.STATE_STALE),
}


@pytest.mark.parametrize("contract", ARMS)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_command_stands_within_150_ms_of_whatever_forbids_it(contract: str, what: str) -> None:
    act, reason = FORBIDDEN[what]
    life = moving(contract)
    act(life)
    for _ in range(200):
        if reason in life.step().reasons:
            break
    assert reason in life.step().reasons
    rest = after(life, STOP_S + 1.0)
    commands = np.array([command for _, command in rest[round(STOP_S / life.settings.tick_s) :]])
    assert np.array_equal(commands, np.repeat(commands[:1], len(commands), axis=0))
    assert not life.state.sent.velocity.any()


@pytest.mark.parametrize("contract", [JOINTS, POSES])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_letting_go_of_a_contact_stops_with_whatever_forbids_it(contract: str, what: str) -> None:
    life = moving(contract)
    life.robot = "blocked"
    while Reason.TRACKING not in life.step().reasons:
        pass
    after(life, 0.1)
    assert life.state.sent.velocity.any(), "it lets go"
    act, reason = FORBIDDEN[what]
    act(life)
    seen = after(life, STOP_S + 1.0)
    onset = next(number for number, (output, _) in enumerate(seen) if reason in output.reasons)
    late = seen[onset + round(STOP_S / life.settings.tick_s) + 1 :]
    moved = [
        output
        for (_, before), (output, command) in pairwise(late)
        if not np.array_equal(before, command) and Reason.SEEDED not in output.reasons
    ]
    assert not moved


def test_a_measurement_that_is_right_again_is_not_left_for_an_old_goal() -> None:
    """The wrist of a UR is measured a whole turn off for 0.4 s."""
    life = moving(JOINTS)
    stood = life.state.command[5]
    life.wrong = "turn"
    outputs = after(life, 0.4)
    assert any(Reason.STATE_JUMP in output.reasons for output, _ in outputs)
    assert "2 pi" in next(o.details[Reason.STATE_JUMP] for o, _ in outputs if Reason.STATE_JUMP in o.reasons)
    life.wrong = ""
    after(life, 0.1)
    life.held = False
    commands = np.array([command for _, command in after(life, 9.0)])
    assert np.abs(commands[:, 5] - stood).max() < 1e-9
    assert np.array_equal(commands[-1], commands[-200])


def test_a_contact_is_let_go_of_when_the_person_holds_enable_again() -> None:
    life = moving(POSES)
    life.robot = "blocked"
    while Reason.TRACKING not in life.step().reasons:
        pass
    after(life, 1.5)
    assert np.abs(life.state.command[:3] - life.measured[:3]).max() < 1e-6
    pressed = life.state.command.copy()
    assert life.step(chunks=(life.chunk(np.repeat(pressed[None], 8, axis=0)),)).reasons[0] is Reason.TRACKING


@pytest.mark.parametrize("contract", [JOINTS, POSES, "panda_twin_crisp", "panda_twin"])
@pytest.mark.parametrize("ticks", [3, 100])
def test_zeros_of_a_driver_that_starts_are_not_commanded_for_ever(contract: str, ticks: int) -> None:
    life = Life(contract, np.random.default_rng(0), wrong="zeros", robot="blocked")
    for _ in range(max(ticks - life.outputs, 0)):
        life.step()
    life.wrong = ""
    seen = after(life, 3.0)
    late = [output for output, _ in seen[round(0.3 / life.settings.tick_s) :]]
    allowed = [limit for group in life.settings.groups for limit in group.apart]
    assert all(
        output.target is None or np.abs(output.target[:3] - life.place[:3]).max() <= max(allowed[:1]) for output in late
    )
    output = life.step((events.ENABLE,))
    output = life.step(chunks=(life.chunk(np.repeat(life.place[None], 8, axis=0)),))
    assert output.mode is Mode.RUN, output.reasons
    assert np.abs(life.state.command - life.place).max() < 1e-6


@pytest.mark.parametrize("contract", ARMS)
def test_a_robot_that_is_guided_by_hand_before_enable_is_not_pulled_back(contract: str) -> None:
    life = waiting(contract)
    life.robot, life.motion = "guided", 0.4 * life.settings.tick_s * np.eye(len(life.place))[0]
    seen = after(life, 1.0)  # 0.4 rad, or 0.4 m
    assert any(Reason.SEEDED in output.reasons for output, _ in seen)
    life.motion = np.zeros_like(life.motion)
    after(life, 0.3)
    far = life.settings.groups[0].apart[0]
    assert abs(life.state.command[0] - life.measured[0]) <= far
    stood = life.state.command.copy()
    after(life, 1.0)
    assert np.array_equal(life.state.command, stood)
    life.step((events.ENABLE,))
    output = life.step(chunks=(life.chunk(np.repeat(life.measured[None], 20, axis=0)),))
    assert output.mode is Mode.RUN, output.rejected
    life.robot = "follows"
    steps = np.abs(np.diff([command for _, command in after(life, 0.8)], axis=0)).max(axis=0)
    assert steps[0] <= life.settings.groups[0].parts[0].speed[0] * life.settings.tick_s * 1.001
    assert abs(life.state.command[0] - life.measured[0]) < 1e-3


def test_a_soft_arm_that_sags_within_the_allowed_distance_does_not_lead_the_command_down() -> None:
    life = waiting(POSES)
    life.robot = "sags"
    stood = life.state.command.copy()
    after(life, 5.0)
    assert np.array_equal(life.state.command, stood)


@pytest.mark.parametrize("contract", [JOINTS, POSES])
def test_a_jump_of_what_a_driver_reports_is_named_and_nothing_is_sent(contract: str) -> None:
    life = waiting(contract)
    after(life, 0.2)
    life.wrong, life.robot = "zeros", "blocked"
    seen = [output for output, _ in after(life, 1.0)]
    assert Reason.STATE_JUMP in seen[-1].reasons and "zeros" in seen[-1].details[Reason.STATE_JUMP]
    assert all(output.target is None for output in seen[5:]) and Reason.SILENT in seen[-1].reasons
    # Enabling does not make zeros true.
    assert life.step((events.ENABLE,)).target is None
    life.wrong = ""
    output = life.step()
    assert output.target is not None and Reason.STATE_JUMP not in output.reasons


def test_a_robot_that_its_driver_has_stopped_is_met_within_a_stop_and_its_release_is_not_felt() -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.008), rows=40)),))
    rig.run(30)
    stood = rig.state.command - along(x=0.008)  # the brakes close: it is a little behind
    rig.measured, rig.driver = stood, "user stop"
    rig.run(round(STOP_S / 0.005))
    assert np.array_equal(rig.state.command[:9], stood[:9])
    met = rig.state.command
    rig.run(200)
    assert np.array_equal(rig.state.command, met)


def test_a_stopped_arm_whose_state_is_silent_is_not_met_where_it_was_measured_last() -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.008), rows=40)),))
    rig.run(30)
    rig.measured, rig.driver = rig.state.command - along(x=0.008), "paused"
    rig.run(5)
    rig.muted.update(("pose", "gripper"))
    rig.run(60)
    assert not any(Reason.SEEDED in output.reasons for output in rig.outputs)


# -- several publishers -----------------------------------------------------------------------------------------------


def test_a_state_topic_with_two_publishers_holds_and_says_whose_they_are() -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.004), rows=60)),))
    rig.run(20)
    output = rig.tick(crowds={"pose": "'/current_pose': /driver, /joint_state_gui"})
    assert output.mode is Mode.HOLD and output.reasons[0] is Reason.CROWD
    assert "/joint_state_gui" in output.details[Reason.CROWD]
    assert rig.run(20).mode is Mode.HOLD, "until somebody has looked again"
    assert rig.tick(crowds={}).reasons == (Reason.NO_CHUNK,)


@pytest.mark.parametrize("publisher, mode", [("policy", Mode.RUN), (NAMELESS, Mode.HOLD)])
def test_several_sources_of_chunks_are_told_apart_by_their_names_alone(publisher: str, mode: Mode) -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.004), rows=60), publisher=publisher),))
    assert rig.run(5).mode is Mode.RUN
    assert rig.tick(crowds={CHUNKS: "'/policy/chunk': /a, /b"}).mode is mode


@pytest.mark.parametrize("publisher, mode", [("hand", Mode.RUN), ("", Mode.HOLD)])
def test_two_enabling_devices_without_names_hold(publisher: str, mode: Mode) -> None:
    rig = Rig()
    rig.muted.add("held")

    def hand() -> Signal:
        return Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher=publisher)

    for event in ("activate", "enable"):
        rig.tick(events=(event,), enable_held=hand())
    chunk = rig.chunk(line(along(x=0.004), rows=60))
    for number in range(10):
        output = rig.tick(
            enable_held=hand(), chunks=(chunk,) if not number else (), crowds={ENABLE_HELD: "'/enable_held': /a, /b"}
        )
    assert output.mode is mode


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_rotations_of_any_length_are_followed_as_rotations() -> None:
    plain, long = Rig().started(), Rig().started()
    turned = np.repeat(HOME[None], 20, axis=0)
    turned[:, 3:9] = [np.cos(0.3), np.sin(0.3), 0, np.sin(0.3), -np.cos(0.3), 0]
    scaled = turned.copy()
    scaled[:, 3:6] *= 4e5
    scaled[:, 6:9] += 0.3 * scaled[:, 3:6] / 4e5  # no right angle either
    for rig, rows in ((plain, turned), (long, scaled)):
        rig.tick(chunks=(rig.chunk(rows),))
        rig.run(120)
    assert np.allclose(plain.commands, long.commands, atol=1e-9)
    assert np.linalg.norm(long.commands[:, 3:6], axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [1e155, 1e308, -1.7e308, 2e6])
@pytest.mark.parametrize("column", [0, 4, 9])
def test_a_chunk_beyond_a_million_of_its_unit_is_refused(value: float, column: int) -> None:
    rig = Rig().started()
    values = line(along(x=0.004))
    values[3:, column] = value
    output = rig.tick(chunks=(rig.chunk(values),))
    assert [each.reason for each in output.rejected] == [Reason.CHUNK_HUGE]
    assert np.array_equal(output.target, HOME)


def test_a_measured_position_beyond_a_million_of_its_unit_holds() -> None:
    rig = Rig().started()
    rig.changes = {"values": {"tcp.position": np.array([0.4, 1e308, 0.2]), "tcp.rotation": HOME[3:9]}}
    output = rig.tick()
    assert output.reasons[0] is Reason.STATE_BAD and "1e+06" in output.details[Reason.STATE_BAD]
    assert np.array_equal(output.target, HOME)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9, 5.0])
def test_a_target_that_may_not_be_sent_is_a_fault_of_ours_and_not_sent(
    bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.004), rows=60)),))
    rig.run(10)
    before = rig.state.command
    follow = rig.gate.parts.motion.follow

    def broken(*args: object) -> object:
        moved = follow(*args)  # type: ignore[arg-type]
        moved.target[1] = bad
        return moved

    monkeypatch.setattr(rig.gate.parts.motion, "follow", broken)
    output = rig.tick()
    monkeypatch.undo()
    assert output.mode is Mode.FAULT and output.reasons[:2] == (Reason.INTERNAL, Reason.LATCHED) and output.dump
    assert np.array_equal(output.target, before)
    rig.tick(events=(events.RESET,))
    rig.tick(events=(events.ENABLE,))
    assert rig.tick(chunks=(rig.chunk(line(along(x=0.004), start=rig.state.command)),)).mode is Mode.RUN


def test_more_than_ten_seconds_of_rows_are_refused() -> None:
    rig = Rig().started()
    assert rig.tick(chunks=(rig.chunk(line(along(x=1e-4), rows=201)),)).rejected[0].reason is Reason.CHUNK_LONG
    assert rig.tick(chunks=(rig.chunk(line(along(x=1e-4), rows=200)),)).mode is Mode.RUN


@pytest.mark.parametrize("period_s", [np.nan, np.inf, 1e300, -0.05])
def test_rows_that_are_not_evenly_spaced_are_refused(period_s: float) -> None:
    rig = Rig().started()
    output = rig.tick(chunks=(rig.chunk(line(along(x=1e-3)), period_s=period_s),))
    assert output.rejected[0].reason is Reason.CHUNK_PERIOD


@pytest.mark.parametrize("names", [(), ("x",) * 9, ("x" * 10_000,) * 10])
def test_other_names_are_refused_in_a_sentence(names: tuple[str, ...]) -> None:
    rig = Rig().started()
    chunk = rig.chunk(line(along(x=1e-3)))
    for each in (names, (*chunk.names, "nothing"), chunk.names[:-1]):
        output = rig.tick(chunks=(replace(chunk, names=each),))
        assert output.rejected[0].reason is Reason.CHUNK_NAMES and len(output.rejected[0].detail) < 200


def test_a_chunk_that_could_not_be_read_is_refused_with_the_reason() -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=1e-3))),))
    output = rig.tick(chunks=(rig.chunk(line(along(x=1e-3)), fault="epoch '--5' is no number", publisher=NAMELESS),))
    assert output.rejected[0].reason is Reason.CHUNK_UNREADABLE and "--5" in output.rejected[0].detail
    assert output.mode is Mode.RUN


def test_a_state_that_could_not_be_read_holds_with_the_reason() -> None:
    rig = Rig().started()
    rig.changes = {"values": {}, "fault": "not a JointState"}
    output = rig.tick()
    assert output.reasons[0] is Reason.STATE_BAD and "not a JointState" in output.details[Reason.STATE_BAD]


def test_a_node_that_failed_at_its_own_work_is_a_fault_until_reset() -> None:
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(line(along(x=0.004), rows=60)),))
    rig.run(10)
    output = rig.tick(events=(events.FAILED,))
    assert output.mode is Mode.FAULT and output.reasons[0] is Reason.INTERNAL and output.dump
    rig.run(40)
    assert not rig.state.sent.velocity.any()
    assert rig.tick(events=(events.RESET,)).reasons == (Reason.NOT_ENABLED,)
    assert SETTINGS.tail_s == STOP_S


# -- whatever happens -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(8))
def test_no_command_moves_away_from_the_robot_while_anything_forbids_motion(part: int) -> None:
    for seed in range(part * 250, (part + 1) * 250):
        live(seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(100))
def test_no_command_moves_away_from_the_robot_in_a_hundred_thousand_lives(part: int) -> None:
    for seed in range(10_000 + part * 1000, 10_000 + (part + 1) * 1000):
        live(seed)


def test_every_contract_of_an_arm_is_lived() -> None:
    assert {JOINTS, POSES, "xarm7", "inspire"} <= set(CONTRACTS)
