"""What an adversary with publishers of its own, and drivers that misbehave, found: each was a wrong command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.control.rotation import span_rotations
from robot.safety.gate import Mode, Reason
from robot.safety.gate import inputs as events
from robot.safety.gate.inputs import Signal
from robot.safety.gate.reasons import lets_move
from tests.robot.safety.gate.gates import Rig, line
from tests.robot.safety.gate.sequences import Life

TICKS_S = 200


def life(contract: str, enabled: bool = True) -> Life:
    made = Life(contract, np.random.default_rng(0))
    if enabled:
        made.step((events.ENABLE,))
    return made


# -- rotations that are none ------------------------------------------------------------------------------------------

directions = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(direction=directions, first=st.floats(1e-6, 1e6), second=st.floats(1e-6, 1e6), sign=st.sampled_from([-1, 1]))
def test_parallel_columns_of_any_length_span_no_rotation(
    direction: np.ndarray, first: float, second: float, sign: int
) -> None:
    assert not span_rotations(np.concatenate([first * direction, sign * second * direction]))


@given(first=directions, second=directions, lengths=st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6)))
def test_columns_at_an_angle_span_one_at_any_length(
    first: np.ndarray, second: np.ndarray, lengths: tuple[float, float]
) -> None:
    sine = np.linalg.norm(np.cross(first, second)) / np.linalg.norm(first) / np.linalg.norm(second)
    columns = np.concatenate([lengths[0] * first, lengths[1] * second])
    assert span_rotations(columns) == (sine > 1e-6) or abs(sine - 1e-6) < 1e-9


@pytest.mark.parametrize(
    "columns", [np.zeros(6), np.full(6, np.nan), np.full(6, np.inf), np.full(6, 1e200), [1e-9, 0, 0, 0, 1, 0]]
)
def test_what_has_no_direction_spans_no_rotation(columns: Any) -> None:
    assert not span_rotations(np.array(columns))


@pytest.mark.parametrize("size", [0.0, 3.0, 5.0, 5.5, 5.6])
@pytest.mark.parametrize("seed", range(8))
def test_no_rotation_of_a_chunk_turns_the_command_faster_than_its_limit(seed: int, size: float) -> None:
    """Columns of 1e5 and more that are parallel were taken for a rotation: 168 degrees from one message to the next."""
    random = np.random.default_rng(seed)
    rig = Rig().started()
    own = rig.state.command[3:6]
    rows = line(np.zeros(10), rows=20)
    scales = 10.0**size * random.uniform(0.5, 2.0, (20, 2)) * random.choice([-1, 1], (20, 2))
    rows[:, 3:6] = scales[:, :1] * own
    rows[:, 6:9] = scales[:, 1:] * own * (1 + random.uniform(-1, 1, (20, 3)) * 1e-12)
    output = rig.tick(chunks=(rig.chunk(rows),))
    assert [each.reason for each in output.rejected] == [Reason.CHUNK_ROTATION]
    for _ in range(20):
        rig.tick()
    for command in rig.commands:
        np.testing.assert_allclose(command[3:9], [1, 0, 0, 0, -1, 0], atol=1e-9)


# -- tools ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0.0, 40.0, 9e5, -9e5])
def test_what_a_tools_driver_says_at_first_is_not_commanded_for_ever(wrong: float) -> None:
    rig = Rig()
    home = np.concatenate([np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0]), [wrong]])
    rig.measured = home.copy()
    rig.tick(events=("activate",))
    rig.run(40)
    for command in rig.commands:
        assert 0.0 <= command[9] <= 0.08, "within its limits from the first tick on"
    rig.measured[9] = 0.05
    rig.run(60)
    assert rig.commands[-1][9] == pytest.approx(0.05), "the tool leads until a source has commanded it"


def test_a_tool_that_holds_something_keeps_its_command_once_it_was_commanded() -> None:
    rig = Rig().started()
    rows = line(np.zeros(10), rows=20)
    rows[:, 9] = 0.0
    rig.tick(chunks=(rig.chunk(rows),))
    rig.run(150)
    assert rig.commands[-1][9] < 0.01
    rig.measured = rig.state.command.copy()
    rig.measured[9] = 0.04  # an object
    rig.run(400)
    assert rig.outputs[-1].mode is Mode.HOLD and rig.commands[-1][9] < 0.01


# -- the robot leads while nobody may drive it ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["silent", "bad", "flickers"])
def test_a_bad_stream_of_the_tool_does_not_keep_the_arm_from_leading(fault: str) -> None:
    rig = Rig()
    rig.tick(events=("activate",))
    rig.run(40)
    start = rig.state.command.copy()
    if fault == "silent":
        rig.muted.add("gripper")
        rig.run(60)
    longest, since = 0, None
    for tick in range(300):
        rig.measured = start.copy()
        rig.measured[1] = min(tick * 0.005, 0.4)
        if fault == "bad" or (fault == "flickers" and tick % 18 == 0):
            rig.measured[9] = np.nan
        output = rig.tick()
        apart = output.target is not None and abs(output.target[1] - rig.measured[1]) > 0.15
        since = (since if since is not None else tick) if apart else None
        longest = max(longest, 0 if since is None else tick - since)
    assert longest < 0.3 * TICKS_S
    assert rig.commands[-1][1] == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("cause", ["alive", "driver", "crowd"])
def test_the_robot_leads_while_something_else_than_a_persons_hand_forbids_motion(cause: str) -> None:
    rig = Rig().started()
    rig.run(40)
    start = rig.state.command.copy()
    if cause == "driver":
        rig.driver = "protective stop"
    if cause == "alive":
        rig.muted.add("alive")
    rig.run(60)
    crowds = {events.ALIVE: "'/alive': /a, /b"} if cause == "crowd" else None
    if cause == "crowd":
        rig.muted.add("alive")
    for tick in range(300):
        rig.measured = start.copy()
        rig.measured[1] = min(tick * 0.005, 0.4)
        alive = {"alive": Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher="")} if cause == "crowd" else {}
        output = rig.tick(crowds=crowds, **alive)
        assert not lets_move(output.mode, output.reasons)
    assert rig.commands[-1][1] == pytest.approx(0.4, abs=0.1)


# -- a leash that exceeds a speed limit -------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ["fr3_crisp", "inspire", "panda_twin_crisp"])
@pytest.mark.parametrize("speed", [0.35, 0.6, 1.5])
def test_a_tool_that_is_carried_faster_than_the_limit_is_no_internal_fault(contract: str, speed: float) -> None:
    carried = life(contract)
    carried.robot = "blocked"
    dt = carried.settings.tick_s
    velocities = []
    for tick in range(round(0.8 / dt)):
        if tick * dt < 0.3:
            carried.measured = carried.measured.copy()
            carried.measured[0] += speed * dt
        output = carried.step()
        assert output.reason is not Reason.INTERNAL, output.details
        velocities.append(carried.state.sent.velocity[:3].copy())
    assert carried.state.command[0] > 0.46, "the leash followed the tool"
    change = np.linalg.norm(np.diff(velocities, axis=0), axis=1) / dt
    release = max(leash.release[0] for leash in carried.settings.leashes)
    assert change.max() <= 1.01 * release, "no stop in a single tick"


# -- enabling ---------------------------------------------------------------------------------------------------------


def test_a_second_enabling_device_does_not_take_the_place_of_one_that_has_died() -> None:
    rig = Rig().started()
    rig.run(10)
    rig.muted.add("held")
    modes = []
    for tick in range(200):
        other = Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher="hand2")
        chunks = (rig.chunk(line(np.eye(10)[0] * 0.002, rows=30)),) if tick % 20 == 0 else ()
        modes.append(rig.tick(enable_held=other, chunks=chunks).mode)
    assert modes[-1] is Mode.FAULT and rig.outputs[-1].reasons[0] in (Reason.ENABLE_GONE, Reason.LATCHED)
    assert Mode.RUN not in modes[40:]
    rig.tick(events=("reset",), enable_held=Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher="hand2"))
    rig.tick(events=("enable",), enable_held=Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher="hand2"))
    chunk = rig.chunk(line(np.eye(10)[0] * 0.002, rows=30))
    output = rig.tick(enable_held=Signal(rig.now.ros_ns, rig.now.monotonic_ns, publisher="hand2"), chunks=(chunk,))
    assert output.mode is Mode.RUN, "somebody has enabled it again"


@pytest.mark.parametrize(
    ("happened", "leads"),
    [
        (("enable",), True),
        (("enable", "enable"), True),
        (("enable", "disable"), False),
        (("disable", "enable"), True),
        (("enable", "disable", "enable"), True),
    ],
)
def test_enable_twice_in_a_tick_is_as_once_and_enable_that_is_taken_back_is_none(
    happened: tuple[str, ...], leads: bool
) -> None:
    rig = Rig()
    rig.tick(events=("activate",))
    rig.run(40)
    rig.carry(np.eye(10)[1] * 0.2, 15)  # for less than the time after which the robot leads by itself
    assert rig.commands[-1][1] == pytest.approx(0.0)
    output = rig.tick(events=happened)
    assert output.target is not None
    assert (abs(output.target[1] - 0.2) < 1e-9) == leads


# -- jumps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ["ur5e_jtc", "xarm7"])
def test_a_ramp_of_steps_that_no_arm_makes_is_a_jump(contract: str) -> None:
    ramped = life(contract, enabled=False)
    ramped.robot = "blocked"
    for _ in range(40):
        ramped.step()
    before = ramped.state.command.copy()
    reasons = set()
    for tick in range(100):
        if tick < 4:
            ramped.measured = ramped.measured.copy()
            ramped.measured[0] += 0.95 * min(ramped.settings.groups[0].apart)
        reasons |= set(ramped.step().reasons)
    assert Reason.STATE_JUMP in reasons
    np.testing.assert_array_equal(ramped.state.command, before)


@pytest.mark.parametrize("contract", ["ur5e_jtc", "xarm7", "fr3_crisp", "inspire"])
@pytest.mark.parametrize("offset", [40.0, 9e5])
def test_an_arm_that_is_measured_far_outside_of_its_limits_is_no_first_command(contract: str, offset: float) -> None:
    started = life(contract, enabled=False)
    started.robot = "blocked"
    true = started.measured.copy()
    started.step((events.DEACTIVATE,))
    started.measured = true + offset * np.eye(len(true))[0]
    outputs = [started.step((events.ACTIVATE,) if not tick else ()) for tick in range(60)]
    assert all(output.target is None for output in outputs)
    assert "outside of its limits" in outputs[-1].details[Reason.NO_STATE]
    started.measured = true
    for _ in range(60):
        output = started.step()
    assert output.target is not None and output.target[0] == pytest.approx(true[0])
