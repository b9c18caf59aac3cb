"""A tool that takes goals gets to where the source asked, whatever it does with them, or it is said that it did not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.contract.contract import Contract
from robot.contract.loading import describe, load_contract
from robot.contract.wiring import Sink
from robot.control.goals import TRIES, GoalTracker, goal_tracker
from robot.control.sinks import SinkEncoder
from robot.errors import InputError
from robot.safety.gate.reasons import lets_move
from sim.drivers import Command, SlowGripper
from tests.robot.safety.gate.gates import HOME, Rig

NEAR_M, WITHIN_S = 0.002, 2.0
CONTRACT = load_contract("panda_twin_crisp")
GOAL_CONTRACTS = ("fr3_crisp", "ur5e_jtc", "ur5e_twin_jtc", "xarm7", "panda_twin_crisp")
HABITS: dict[str, dict[str, Any]] = {
    "refuses in flight": {},
    "loses every second goal": {"loses": 2},
    "ends every second goal half-way": {"shortens": 2},
    "preempts": {"preempts": True},
}


def tracker() -> GoalTracker:
    description = describe(CONTRACT)
    return goal_tracker(CONTRACT, description, SinkEncoder(CONTRACT, description, "gripper"))


class Loop:
    """A gate that follows a policy, the tracker, and a gripper that is measured at 15 Hz.

    Args:
        gripper: that gets the goals.
        asked: seconds -> width that the policy asks for, m.
        width: where the fingers are at first, m.
        object_m: width of what is between the fingers.
        measures: whether anything measures the fingers.
    """

    def __init__(
        self,
        gripper: SlowGripper,
        asked: Callable[[float], float],
        *,
        width: float = 0.08,
        object_m: float = 0.0,
        measures: bool = True,
    ) -> None:
        self.gripper, self.asked, self.object_m, self.measures = gripper, asked, object_m, measures
        self.rig, self.tracker = Rig().started(), tracker()
        self.width = width
        self.rig.measured = np.append(HOME[:9], width)
        self.start_ns, self.ticks = self.rig.now.ros_ns, 0
        gripper.start(np.array([width]), 0)
        self.goals: list[tuple[float, float]] = []
        self.widths: list[float] = []
        self.commands: list[float] = []
        # The rig's gate begins where its own fingers are.
        sent = replace(self.rig.state.sent, command=np.append(HOME[:9], width))
        self.rig.state = replace(self.rig.state, sent=sent)

    @property
    def time_s(self) -> float:
        return (self.rig.now.ros_ns - self.start_ns) * 1e-9

    def run(self, seconds: float, **told: Any) -> Loop:
        for _ in range(round(seconds * 200)):
            self.tick(**told)
        return self

    def tick(self, **told: Any) -> None:
        if self.ticks % 80 == 0 and "chunks" not in told:
            rows = np.repeat(HOME[None], 16, axis=0)
            rows[:, 9] = [self.asked(self.time_s + 0.05 * (row + 1)) for row in range(16)]
            told["chunks"] = (self.rig.chunk(rows),)
        now_ns = self.rig.now.monotonic_ns
        if self.ticks % 13 == 0:
            self.rig.measured = np.append(HOME[:9], self.width)
        output = self.rig.tick(**told)
        assert output.target is not None
        command = output.target[9:]
        measured = self.rig.measured[9:] if self.measures else np.full(1, np.nan)  # type: ignore[index]
        if self.tracker.step(command, measured, now_ns, lets_move(output.mode, output.reasons)):
            self.goals.append((self.time_s, float(command[0])))
            self.gripper.receive(Command(command.copy()), now_ns)
        told_m = self.gripper.update(np.array([self.width]), now_ns, 0.005)
        self.width = max(float(told_m[0]), self.object_m)
        self.widths.append(self.width)
        self.commands.append(float(command[0]))
        self.ticks += 1


def ramp(first: float, last: float, seconds: float, start_s: float = 0.2) -> Callable[[float], float]:
    """Widths from `first` to `last` in so many seconds; a step where they are 0."""
    return lambda time_s: float(np.interp(time_s, [start_s, start_s + max(seconds, 1e-3)], [first, last]))


# -- it gets there ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.5, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("habit", HABITS)
def test_a_close_ends_closed(habit: str, seconds: float) -> None:
    """From the end of a slow ramp on, and from the start of a step or of a quick one."""
    loop = Loop(SlowGripper(**HABITS[habit]), ramp(0.08, 0.0, seconds))
    loop.run(0.2 + WITHIN_S + (seconds if seconds > 0.3 else 0.0))
    assert loop.width < NEAR_M, loop.goals
    assert not loop.tracker.failed
    loop.run(0.5)
    assert loop.tracker.line == "asked 0.000 m, reached"


@pytest.mark.parametrize("noise_m", [0.0005, 0.001])
@pytest.mark.parametrize("habit", HABITS)
def test_a_policys_noise_keeps_no_lost_goal_from_being_sent_again(habit: str, noise_m: float) -> None:
    """A command that is never the same twice had never settled: the fingers stayed at 38 mm."""
    close = ramp(0.08, 0.0, 0.2)
    loop = Loop(SlowGripper(**HABITS[habit]), lambda time_s: close(time_s) + noise_m * (round(time_s / 0.05) % 2))
    loop.run(4.0)
    assert loop.width < NEAR_M + noise_m, loop.goals
    goals = len(loop.goals)
    loop.run(2.0)
    assert len(loop.goals) == goals, "who is there is sent no more goals"


@pytest.mark.parametrize("noise_m", [0.0, 0.0003])
def test_an_object_is_held_without_more_goals_however_the_policy_hesitates(noise_m: float) -> None:
    """A command that changes by tenths of a millimetre was a new goal each time: 74 of them in a minute."""
    random = np.random.default_rng(3)
    held = tracker()
    now_ns, command, goals = 10**10, 0.0, 0
    for tick in range(60 * 200):
        now_ns += 5_000_000
        if tick % 100 == 0:
            command = abs(random.normal(0, 0.0003))
        if tick % 13 == 0:
            measured = 0.08 if tick < 100 else 0.04 + random.normal(0, noise_m)
        goals += held.step(np.array([command]), np.array([measured]), now_ns, True)
    assert goals <= 2 * TRIES and held.failed


@pytest.mark.parametrize("chatter_m", [0.0014, 0.002])
def test_fingers_whose_measurement_chatters_are_at_rest(chatter_m: float) -> None:
    """To and fro by a millimetre was motion: a goal that was lost was never sent again."""
    described = tracker()
    now_ns, at, goal, lost = 10**10, 0.08, 0.08, 0
    for tick in range(2000):
        now_ns += 5_000_000
        measured = at + chatter_m * (tick // 13 % 2)
        command = max(0.08 - 0.4 * max(tick * 0.005 - 1, 0.0), 0.0)
        if described.step(np.array([command]), np.array([measured]), now_ns, True):
            if command < 0.003 and not lost:
                lost += 1
            else:
                goal = command
        at += float(np.clip(goal - at, -0.0005, 0.0005))
    assert lost and at < NEAR_M


@settings(max_examples=12, deadline=None)
@given(
    habit=st.sampled_from(sorted(HABITS)),
    first=st.floats(0.0, 0.08),
    last=st.floats(0.0, 0.08),
    seconds=st.floats(0.0, 2.0),
)
def test_any_ramp_ends_where_it_was_asked_to(habit: str, first: float, last: float, seconds: float) -> None:
    loop = Loop(SlowGripper(**HABITS[habit]), ramp(first, last, seconds), width=first)
    loop.run(0.2 + seconds + WITHIN_S)
    assert abs(loop.width - last) < NEAR_M, loop.goals


@settings(max_examples=12, deadline=None)
@given(
    habit=st.sampled_from(sorted(HABITS)),
    widths=st.lists(st.floats(0.0, 0.08), min_size=2, max_size=5),
    pause_s=st.floats(0.05, 1.0),
)
def test_whatever_was_asked_before_the_last_counts(habit: str, widths: list[float], pause_s: float) -> None:
    """The fingers may be on their way to an older goal, which they end first."""

    def asked(time_s: float) -> float:
        return widths[min(int(time_s / pause_s), len(widths) - 1)]

    loop = Loop(SlowGripper(**HABITS[habit]), asked, width=0.08)
    loop.run(pause_s * len(widths) + 2 * WITHIN_S)
    assert abs(loop.width - widths[-1]) < NEAR_M, loop.goals


@pytest.mark.parametrize("habit", HABITS)
def test_a_goal_is_not_sent_again_while_the_fingers_move(habit: str) -> None:
    """A server that preempts would begin the motion anew each time, and never end it."""
    loop = Loop(SlowGripper(**HABITS[habit]), ramp(0.08, 0.0, 0.0))
    for _ in range(800):
        before, moved = len(loop.goals), np.ptp([*loop.widths[-20:], loop.width]) > 1e-3
        loop.tick()
        assert not (len(loop.goals) > before and moved), loop.goals
    assert len(loop.goals) <= 3


def test_no_goal_goes_further_than_the_gates_own_command() -> None:
    loop = Loop(SlowGripper(), ramp(0.08, 0.0, 1.0)).run(3.0)
    assert all(goal in loop.commands for _, goal in loop.goals)
    for time_s, goal in loop.goals:
        assert goal >= min(loop.commands[: round(time_s * 200) + 1])


def test_a_slow_motion_is_followed_on_the_way() -> None:
    loop = Loop(SlowGripper(), ramp(0.08, 0.0, 2.0)).run(1.7)
    assert 0.0 < loop.width < 0.05 and len(loop.goals) >= 2


def test_a_difference_below_the_change_is_told_once_the_command_has_settled() -> None:
    loop = Loop(SlowGripper(), lambda time_s: 0.04 if time_s < 1.5 else 0.0387, width=0.08).run(1.5)
    assert loop.goals[-1][1] == pytest.approx(0.04)
    loop.run(1.0)
    assert loop.goals[-1][1] == pytest.approx(0.0387) and loop.width == pytest.approx(0.0387)


def test_fingers_that_are_where_the_source_wants_them_are_told_nothing() -> None:
    """A gate that starts with an object in the gripper leaves it there."""
    assert not Loop(SlowGripper(), lambda time_s: 0.04, width=0.04).run(1.0).goals


# -- or it is said that it does not -----------------------------------------------------------------------------------


def test_an_object_between_the_fingers_is_reported_and_no_more_goals_are_sent() -> None:
    loop = Loop(SlowGripper(), ramp(0.08, 0.0, 0.0), object_m=0.041).run(8.0)
    assert loop.width == 0.041 and loop.tracker.failed
    assert loop.tracker.line == "asked 0.000 m, stands at 0.041 m"
    count = len(loop.goals)
    assert count == 1 + TRIES
    waits = np.diff([time_s for time_s, _ in loop.goals[1:]])
    assert waits[0] >= 0.3 and (waits[1:] / waits[:-1] == pytest.approx(1.5, abs=0.05)), "a server may wait for a stall"
    loop.run(4.0)
    assert len(loop.goals) == count


def test_an_object_that_is_taken_out_and_a_new_goal_end_the_report() -> None:
    loop = Loop(SlowGripper(), lambda time_s: 0.0 if time_s < 10 else 0.08, object_m=0.041).run(8.0)
    assert loop.tracker.failed
    loop.object_m = 0.0
    loop.run(2.0)
    assert loop.width < NEAR_M and not loop.tracker.failed
    loop.run(2.0)
    assert loop.width == pytest.approx(0.08) and loop.tracker.line == "asked 0.080 m, reached"


def test_fingers_that_somebody_else_has_moved_are_sent_back() -> None:
    loop = Loop(SlowGripper(), lambda time_s: 0.0).run(2.0)
    loop.gripper.start(np.array([0.05]), loop.rig.now.monotonic_ns)
    loop.width = 0.05
    loop.run(1.5)
    assert loop.width < NEAR_M


def test_a_gripper_that_takes_nothing_is_reported() -> None:
    loop = Loop(SlowGripper(loses=1), ramp(0.08, 0.0, 0.0)).run(8.0)
    assert loop.tracker.failed and len(loop.goals) == TRIES
    assert loop.tracker.line == "asked 0.000 m, stands at 0.080 m"


def test_without_a_measurement_a_goal_is_sent_twice_and_reported() -> None:
    loop = Loop(SlowGripper(loses=2), ramp(0.08, 0.0, 0.0), measures=False).run(4.0)
    assert [goal for _, goal in loop.goals] == [0.08, 0.0, 0.0], "at first nobody knows where they are"
    first, second = (time_s for time_s, goal in loop.goals if goal == 0)
    assert second - first == pytest.approx(1.0, abs=0.02)
    assert loop.tracker.failed and loop.tracker.line == "asked 0.000 m, nothing measures it"


# -- nothing moves while anything forbids it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("muted", "events"),
    [
        ({"held"}, ()),
        ({"alive"}, ()),
        ({"pose"}, ()),
        ({"gripper"}, ()),
        ({"driver"}, ()),
        (set(), ("disable",)),
        (set(), ("deactivate", "activate")),
    ],
    ids=str,
)
@pytest.mark.parametrize("habit", ["refuses in flight", "loses every second goal"])
def test_nothing_is_sent_while_anything_holds_the_gate(muted: set[str], events: tuple[str, ...], habit: str) -> None:
    """In the middle of a close; what the gripper has taken it ends by itself."""
    loop = Loop(SlowGripper(**HABITS[habit]), ramp(0.08, 0.0, 1.0)).run(0.9)
    assert loop.goals and loop.goals[-1][1] > 0.01
    loop.rig.muted = muted
    if events:
        loop.rig.tick(events=events)
    loop.run(0.0 if events else 0.6)  # a stream that is silent is noticed after half a second
    count = len(loop.goals)
    loop.run(3.0)
    assert len(loop.goals) == count
    assert not lets_move(loop.rig.outputs[-1].mode, loop.rig.outputs[-1].reasons)


def test_a_source_that_has_ended_is_finished() -> None:
    """The last row of a chunk is where the gripper was asked to be; the arm stands meanwhile."""
    loop = Loop(SlowGripper(loses=2), ramp(0.08, 0.0, 0.3)).run(0.45)
    loop.run(3.0, chunks=())
    assert loop.rig.outputs[-1].reason.value == "starved"
    assert loop.width < NEAR_M


def test_who_takes_hold_again_has_the_goal_tried_again() -> None:
    loop = Loop(SlowGripper(), ramp(0.08, 0.0, 0.0), object_m=0.041).run(8.0)
    count = len(loop.goals)
    loop.rig.muted = {"held"}
    loop.run(1.0)
    loop.rig.muted = set()
    for event in ("reset", "enable"):
        loop.run(0.1)
        loop.rig.tick(events=(event,))
    loop.run(8.0)
    assert len(loop.goals) == count + TRIES and loop.tracker.failed


# -- which sinks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOAL_CONTRACTS)
def test_the_tracker_of_every_contract_compares_in_metres(name: str) -> None:
    contract: Contract = load_contract(name)
    description = describe(contract)
    assert [sink for sink, each in contract.sinks.items() if each.takes_goals] == ["gripper"]
    encoder = SinkEncoder(contract, description, "gripper")
    dim = description.action_spec(contract.period_s, contract.control).dim
    assert encoder.part(np.arange(dim)).tolist() == [dim - 1]
    assert encoder.change == pytest.approx([0.01 * 0.10575 if name == "xarm7" else 0.02 * 0.08])
    found = goal_tracker(contract, description, encoder)
    assert found.step(np.array([0.04]), np.array([np.nan]), 0, True) is False
    assert found.step(np.array([0.04]), np.array([np.nan]), 10**9, True) and "0.040 m" in found.line


def test_a_hand_with_a_change_takes_goals_too_and_names_the_joint_that_is_off() -> None:
    hand = GoalTracker("hand", ("rad", "rad"), ("thumb", "index"), np.full(2, 0.05))
    for tick in range(1000):
        hand.step(np.array([0.5, 0.8]), np.array([0.5, 0.1]), tick * 5_000_000, True)
    assert hand.failed and hand.line == "asked index 0.800 rad, stands at 0.100 rad"


@pytest.mark.parametrize("via", ["crisp_pose", "twin"])
def test_a_change_of_a_sink_that_is_streamed_to_is_refused(via: str) -> None:
    with pytest.raises(InputError, match=r"change.*0 for via"):
        Sink(via, "command", ("tcp.position", "tcp.rotation"), 100.0, change=0.01)
