"""What holds of the gate whatever comes: speeds, accelerations, stops, straightness, determinism."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.control.trajectory import Trajectory
from robot.description.chunk import ActionChunk
from robot.safety.gate import Mode, Now, Reason
from robot.safety.gate.core import Gate
from robot.safety.gate.flight_record import output_bytes
from robot.safety.gate.limits import gauge, write_difference
from robot.safety.gate.state import Grip
from tests.robot.safety.gate.gates import (
    ACCELERATION,
    DECELERATION,
    DOWN,
    FREE,
    HIGH,
    HOME,
    LOW,
    MS,
    SETTINGS,
    SPEC,
    SPEED,
    Rig,
    along,
    line,
)

TICK_S = SETTINGS.tick_s
steps = st.tuples(*[st.floats(-0.04, 0.04)] * 3)


@st.composite
def plans(draw: st.DrawFn, rows: int = 12) -> np.ndarray:
    """A path that wanders, turns and opens and closes, not too tame and not too wild."""
    moves = np.array(draw(st.lists(steps, min_size=rows, max_size=rows)))
    widths = np.array(draw(st.lists(st.sampled_from([0.0, 0.08]), min_size=rows, max_size=rows)))
    angle = np.cumsum(draw(st.lists(st.floats(-0.15, 0.15), min_size=rows, max_size=rows)))
    turn = np.stack([np.cos(angle), np.sin(angle), 0 * angle, np.sin(angle), -np.cos(angle), 0 * angle], axis=1)
    return np.concatenate([HOME[:3] + np.cumsum(moves, axis=0), turn, widths[:, None]], axis=1)


def check_accelerations(rig: Rig) -> None:
    """No change of speed above the limits, no speed above its own, no command outside."""
    limits = rig.gate.limits
    for before, after in zip(rig.velocities[1:], rig.velocities[2:]):
        faster = gauge(limits, 0, 0, after) > gauge(limits, 0, 0, before) * (1 + 1e-9) + 1e-9
        change = gauge(limits, 0, 1 if faster else 2, after - before)
        assert change <= TICK_S * (1 + 1e-6)
        assert gauge(limits, 0, 0, after) <= 1 + 1e-9
    places = rig.commands[:, :3]
    assert (places >= np.array(LOW)).all() and (places <= np.array(HIGH)).all()


@settings(max_examples=40, deadline=None)
@given(first=plans(), second=plans(), switch=st.integers(0, 30))
def test_speed_acceleration_and_workspace_hold_whatever_is_asked(first: np.ndarray, second: np.ndarray, switch: int):
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(first),))
    rig.run(switch)
    rig.tick(chunks=(rig.chunk(second),))
    rig.run(90)
    check_accelerations(rig)
    limits = rig.gate.limits
    way = np.empty(limits.tangent)
    for before, after, velocity in zip(rig.commands[1:], rig.commands[2:], rig.velocities[2:]):
        write_difference(limits, before, after, way)
        assert np.allclose(way, velocity * TICK_S, atol=1e-9)  # the velocity that is limited is that of the commands


@settings(max_examples=60, deadline=None)
@given(plan=plans(), ticks=st.integers(1, 12), onward=st.sampled_from([-1.0, 0.0, 1.0]), bound=st.floats(0.0, 0.08))
def test_a_step_in_one_call_is_the_step_in_parts(plan: np.ndarray, ticks: int, onward: float, bound: float):
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(plan),))
    rig.run(ticks)
    motion, sent = rig.gate.parts.motion, rig.state.sent
    tool = np.zeros(SPEC.dim)
    tool[-1] = 1.0
    grip = Grip(sent.command, onward * tool, tool, np.where(tool > 0, bound, np.nan))
    measurement = replace(rig.state.measurement, grip=grip, efforts=np.full(SPEC.dim, 3.0))
    still = np.zeros(rig.gate.limits.tangent)
    for row in plan:
        # The larger tracking error takes the way in parts; without a displacement it changes nothing else.
        one, parts = (motion.follow(sent, measurement, row, TICK_S, still, (excess, 0.0)) for excess in (0.0, 0.9))
        assert all(np.array_equal(*pair) for pair in zip(one[:3], parts[:3]))
        assert list(one.cuts.items()) == list(parts.cuts.items())
        pressed = (np.clip(row[-1], 0.0, 0.08) - bound) * onward > 0
        assert (Reason.FORCE in one.cuts) == pressed
        assert (one.path_position[-1] == bound) or not pressed


@settings(max_examples=30, deadline=None)
@given(plan=plans(), ticks=st.integers(5, 60))
def test_without_limits_the_target_is_the_path_of_the_chunk_bit_for_bit(plan: np.ndarray, ticks: int):
    rig = Rig(FREE).started()
    begin = rig.state.sent.time_ns
    chunk = rig.chunk(plan)
    path = Trajectory.hold(SPEC, HOME, begin).spliced(ActionChunk(plan, chunk.start_ns, 0.05, 1, SPEC), begin)
    output = rig.tick(chunks=(chunk,))
    for _ in range(ticks):
        assert output.target is not None and output.requested is not None
        assert output.mode is Mode.RUN and output.reasons == (Reason.POLICY,)
        assert output.target.tobytes() == output.requested.tobytes()
        assert output.target.tobytes() == path.at(rig.now.ros_ns - rig.dt_ns).tobytes()
        output = rig.tick()


def test_a_gentle_chunk_is_followed_bit_for_bit_within_limits():
    values = HOME + np.array([along(x=0.001 * i * i) for i in range(1, 9)])  # 0.8 m/s^2 at most
    free, held = Rig(FREE).started(), Rig().started()
    for rig in (free, held):
        rig.tick(chunks=(rig.chunk(values),))
        rig.run(70)
    same = [a.target.tobytes() == b.target.tobytes() for a, b in zip(held.outputs[2:], free.outputs[2:])]
    # A knot of the chunk is a small jump of speed: some ticks behind it, then on the path itself again.
    assert np.mean(same) > 0.6 and same[-1]
    assert np.abs(held.commands[2:] - free.commands[2:]).max() < 0.0005


@settings(max_examples=30, deadline=None)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.3),
    distance=st.floats(0.02, 0.15),
)
def test_a_straight_path_stays_straight_and_ends_where_it_should(direction: tuple[float, ...], distance: float):
    unit = np.array(direction) / np.linalg.norm(direction)
    end = HOME.copy()
    end[:3] += unit * distance
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(np.repeat(end[None], 20, axis=0)),))
    rig.run(180)
    off = rig.commands[:, :3] - HOME[:3]
    along_path = off @ unit
    assert np.abs(off - along_path[:, None] * unit).max() < 1e-9
    assert (np.diff(along_path) > -1e-9).all()  # and never overshoots
    assert along_path[-1] == pytest.approx(distance, abs=1e-9)


FAULTS: dict[str, tuple[Any, Mode, Reason, float]] = {
    # what is muted or changed: the mode after it, its reason, and after how long it must be noticed
    "pose": ("pose", Mode.HOLD, Reason.STATE_STALE, 0.05),
    "alive": ("alive", Mode.HOLD, Reason.ALIVE_LOST, 0.15),
    "held": ("held", Mode.HOLD, Reason.ENABLE_LOST, 0.15),
    "driver": ("driver", Mode.FAULT, Reason.DRIVER_SILENT, 0.5),
}


@pytest.mark.parametrize("what", FAULTS)
@settings(max_examples=12, deadline=None)
@given(plan=plans(rows=40), onset=st.integers(3, 60))
def test_after_a_fault_speed_never_rises_and_the_way_is_bounded(what: str, plan: np.ndarray, onset: int):
    muted, mode, reason, detection = FAULTS[what]
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(plan),))
    rig.run(onset)
    rig.muted.add(muted)
    noticed = next(n for n in range(200) if reason in rig.tick().reasons)
    assert noticed * TICK_S <= detection + 2 * TICK_S
    found = len(rig.outputs) - 1
    rig.run(60)
    assert rig.outputs[found].mode is mode
    before = rig.velocities[found - 1]
    speeds = [rig.speed(each) for each in (before, *rig.velocities[found:])]
    assert all(after <= earlier + 1e-12 for earlier, after in pairwise(speeds))
    assert speeds[-1] == 0.0
    limits = rig.gate.limits
    stopping_s = gauge(limits, 0, 2, before)
    places = np.array([each.target[:3] for each in rig.outputs[found - 1 :]])
    way = np.linalg.norm(np.diff(places, axis=0), axis=1).sum()
    assert way <= np.linalg.norm(before[:3]) * stopping_s / 2 + 1e-12
    assert stopping_s <= SETTINGS.tail_s
    # From the onset on: what it went before anyone could notice, at its speed limit, and the stop.
    since = np.array([each.target[:3] for each in rig.outputs[found - noticed - 1 :]])
    assert np.linalg.norm(np.diff(since, axis=0), axis=1).sum() <= (
        SPEED * (detection + 2 * TICK_S) + SPEED**2 / (2 * DECELERATION)
    )
    check_accelerations(rig)


def spoiled(rig: Rig, how: str) -> Any:
    """A chunk that must not be taken."""
    values = line(along(y=0.01))
    return {
        "past": lambda: rig.chunk(values, start_ns=rig.now.ros_ns - 900 * MS),
        "future": lambda: rig.chunk(values, start_ns=rig.now.ros_ns + 60 * MS),
        "older": lambda: rig.chunk(values, start_ns=rig.now.ros_ns - 300 * MS),
        "narrow": lambda: rig.chunk(values[:, :9]),
        "no rows": lambda: rig.chunk(values[:0]),
        "flat": lambda: rig.chunk(values[0]),
        "other names": lambda: rig.chunk(values, names=tuple(reversed(SPEC.component_names))),
        "fewer names": lambda: rig.chunk(values, names=SPEC.component_names[:-1]),
        "nan": lambda: rig.chunk(np.where(np.arange(10) == 2, np.nan, values)),
        "inf": lambda: rig.chunk(np.where(np.arange(10) == 9, np.inf, values)),
        "no rotation": lambda: rig.chunk(np.where((np.arange(10) > 2) & (np.arange(10) < 9), 0.0, values)),
        "another period": lambda: rig.chunk(values, period_s=0.1),
        "another epoch": lambda: rig.chunk(values, epoch=rig.now.epoch + 1),
    }[how]()


BAD = {
    "past": Reason.CHUNK_PAST,
    "future": Reason.CHUNK_FUTURE,
    "older": Reason.CHUNK_ORDER,
    "narrow": Reason.CHUNK_SIZE,
    "no rows": Reason.CHUNK_SIZE,
    "flat": Reason.CHUNK_SIZE,
    "other names": Reason.CHUNK_NAMES,
    "fewer names": Reason.CHUNK_NAMES,
    "nan": Reason.CHUNK_NOT_FINITE,
    "inf": Reason.CHUNK_NOT_FINITE,
    "no rotation": Reason.CHUNK_ROTATION,
    "another period": Reason.CHUNK_PERIOD,
    "another epoch": Reason.CHUNK_EPOCH,
}


@pytest.mark.parametrize("how", BAD)
def test_a_chunk_that_cannot_be_followed_changes_nothing(how: str):
    rigs = (Rig().started(), Rig().started())
    for rig in rigs:
        rig.tick(chunks=(rig.chunk(line(along(x=0.005))),))
        rig.run(20)
    good, bad = rigs
    good.tick()
    output = bad.tick(chunks=(spoiled(bad, how),))
    assert [each.reason for each in output.rejected] == [BAD[how]]
    assert output.rejected[0].detail
    assert output.counts[BAD[how]] == 1
    good.run(60)
    bad.run(60)
    assert good.commands.tobytes() == bad.commands.tobytes()
    assert [each.mode for each in good.outputs] == [each.mode for each in bad.outputs]


@settings(max_examples=10, deadline=None)
@given(plan=plans(), muted=st.sampled_from(["", "pose", "alive", "held"]), onset=st.integers(0, 30))
def test_the_same_inputs_give_the_same_bytes(plan: np.ndarray, muted: str, onset: int):
    rig = Rig().started()
    rig.tick(chunks=(rig.chunk(plan),))
    rig.run(onset)
    rig.muted.add(muted)
    rig.run(60)
    other = Gate(SETTINGS)
    state = rig.ticks[0][0]
    for before, inputs, now, output in rig.ticks:
        kept = output_bytes(other.step(before, inputs, now)[1])  # a step leaves the state that it is given alone
        state, again = other.step(state, inputs, now)
        assert output_bytes(again) == output_bytes(output) == kept


@settings(max_examples=20, deadline=None)
@given(plan=plans(rows=8), periods=st.integers(8, 12))
def test_in_lock_step_a_tick_takes_exactly_the_next_row(plan: np.ndarray, periods: int):
    rig = Rig(replace(FREE, lock_step=True, tick_s=0.05))
    rig.tick(events=("activate", "enable"))
    rig.now = Now(rig.now.monotonic_ns + 3_000_000_000, rig.now.ros_ns)  # thinking takes wall time
    first = rig.tick(chunks=(rig.chunk(plan),))
    taken = [first, *(rig.tick() for _ in range(periods - 1))]
    for row, output in enumerate(taken):
        if row < len(plan):
            assert output.mode is Mode.RUN and output.row == row
            assert output.target is not None and output.target.tobytes() == plan[row].tobytes()
        else:
            assert output.target is None and output.reason is Reason.STARVED


def test_in_lock_step_no_row_is_taken_twice():
    rig = Rig(replace(FREE, lock_step=True, tick_s=0.05))
    rig.tick(events=("activate", "enable"))
    assert rig.tick(chunks=(rig.chunk(line(along(x=0.01))),)).row == 0
    rig.now = replace(rig.now, ros_ns=rig.now.ros_ns - 50 * MS)
    assert rig.tick().target is None
    assert rig.tick().row == 1


def test_rotations_are_slowed_down_like_positions():
    rig = Rig().started()
    turned = HOME.copy()
    turned[3:9] = [np.cos(1.2), np.sin(1.2), 0, np.sin(1.2), -np.cos(1.2), 0]
    turned[0] += 0.02
    rig.tick(chunks=(rig.chunk(np.repeat(turned[None], 30, axis=0)),))
    rig.run(280)
    check_accelerations(rig)
    angle = np.arctan2(rig.commands[:, 4], rig.commands[:, 3])
    gone = rig.commands[:, 0] - HOME[0]
    assert np.allclose(angle / 1.2, gone / 0.02, atol=1e-6)  # turn and way keep together
    assert angle[-1] == pytest.approx(1.2, abs=1e-9)
    assert not np.allclose(DOWN, rig.commands[-1, 3:9]) and ACCELERATION < DECELERATION
