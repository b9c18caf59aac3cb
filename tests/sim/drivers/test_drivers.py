"""What real controllers do, good and bad, as their emulations do it."""

from __future__ import annotations

from typing import Iterator, TypeVar

import numpy as np
import pytest

from robot.control.rotation import angle_between, matrix_from_6d
from robot.errors import InputError
from sim.drivers import (
    RUNNING,
    Command,
    CrispJoint,
    CrispPose,
    DrivenTwin,
    Driver,
    Exact,
    Fault,
    Faults,
    Forward,
    JointStateHand,
    JointTrajectory,
    Pacer,
    Port,
    SlowGripper,
    parse_fault,
)
from sim.twin import make_twin

STEP_S, STEP_NS = 0.002, 2_000_000
POSE = np.array([0.45, 0.0, 0.22, 1, 0, 0, 0, -1, 0], dtype=float)
DOWN = np.array([1.0, 0.0, 0.0, 0.0])  # xyzw of that rotation
ARM, GRIPPER = ("tcp.position", "tcp.rotation"), ("gripper.width",)
LINE = ("a", "b")


def pose_command(position: tuple[float, ...], quat: np.ndarray = DOWN, **more: object) -> Command:
    return Command(np.concatenate([position, quat]), **more)  # type: ignore[arg-type]


def line_command(
    times_s: list[float],
    values: list[list[float]],
    velocities: list[list[float]] | None = None,
    stamp_s: float = 0.0,
    names: tuple[str, ...] = LINE,
) -> Command:
    return Command(
        np.array(values),
        names,
        np.array(velocities) if velocities else np.empty(0),
        round(stamp_s * 1e9),
        (np.array(times_s) * 1e9).astype(np.int64),
    )


def run(driver: Driver, seconds: float, measured: np.ndarray, start_s: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Set-points (steps, size) while the robot stands at `measured`; at `start_s` a whole number of steps."""
    first = round(start_s / STEP_S)
    return np.array(
        [
            driver.update(measured, (first + step) * STEP_NS, STEP_S, scale).copy()
            for step in range(round(seconds / STEP_S))
        ]
    )


Kind = TypeVar("Kind", bound=Driver)


def started(driver: Kind, measured: np.ndarray) -> Kind:
    driver.start(measured, 0)
    return driver


# crisp


@pytest.fixture
def crisp() -> CrispPose:
    driver = CrispPose()
    driver.start(POSE, 0)
    return driver


def test_crisp_stands_where_it_was_activated(crisp: CrispPose) -> None:
    assert run(crisp, 0.1, POSE)[-1] == pytest.approx(POSE)


def test_crisp_approaches_a_target_by_a_tenth_a_millisecond(crisp: CrispPose) -> None:
    crisp.receive(pose_command((0.46, 0.0, 0.22)), 0)
    path = run(crisp, 0.1, POSE)[:, 0]
    assert path[:3] == pytest.approx(0.46 - 0.01 * 0.9 ** np.array([2, 4, 6]))
    assert path[-1] == pytest.approx(0.46, abs=1e-5)


def test_crisp_clips_the_error_in_place_and_angle(crisp: CrispPose) -> None:
    half_turn = np.array([1.0, 0.0, 0.0, 1.0]) / np.sqrt(2)
    crisp.receive(pose_command((0.45, 0.5, 0.22), half_turn), 0)
    wanted = run(crisp, 0.3, POSE)[-1]
    assert wanted[:3] == pytest.approx([0.45, 0.1, 0.22])
    assert angle_between(matrix_from_6d(POSE[3:]), matrix_from_6d(wanted[3:])) == pytest.approx(0.5, abs=1e-6)


def test_crisp_ignores_frame_and_stamp_of_a_pose(crisp: CrispPose) -> None:
    crisp.receive(pose_command((0.5, 0.0, 0.22), frame="camera", stamp_ns=-5_000_000_000), 0)
    assert run(crisp, 0.2, POSE)[-1, 0] == pytest.approx(0.5, abs=1e-6)


def test_crisp_is_mute_while_a_topic_has_two_publishers(crisp: CrispPose) -> None:
    crisp.receive(pose_command((0.5, 0.0, 0.22), publishers=2), 0)
    assert run(crisp, 0.2, POSE)[-1] == pytest.approx(POSE)
    assert crisp.refused == {"several publishers": 1}
    crisp.receive(pose_command((0.5, 0.0, 0.22)), 0)
    assert run(crisp, 0.2, POSE)[-1, 0] == pytest.approx(0.5, abs=1e-6)


def test_crisp_holds_its_last_target_for_ever(crisp: CrispPose) -> None:
    crisp.receive(pose_command((0.5, 0.0, 0.22)), 0)
    run(crisp, 0.2, POSE)
    assert run(crisp, 0.2, POSE, start_s=3600)[-1, 0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("quat", [DOWN * np.nan, DOWN * 0])
def test_crisp_does_not_notice_nonsense_and_the_hardware_stops(crisp: CrispPose, quat: np.ndarray) -> None:
    crisp.receive(pose_command((0.5, 0.0, 0.22), quat), 0)
    assert crisp.state == RUNNING
    assert run(crisp, 0.1, POSE)[-1] == pytest.approx(POSE)
    assert crisp.state == "error: set-point not finite"
    crisp.receive(pose_command((0.5, 0.0, 0.22)), 0)
    assert run(crisp, 0.1, POSE)[-1] == pytest.approx(POSE)


def test_crisp_reads_joints_by_position_whatever_their_names() -> None:
    driver = started(CrispJoint(2), np.zeros(2))
    driver.receive(Command(np.array([0.1, 0.2]), ("b", "a")), 0)
    assert run(driver, 0.2, np.zeros(2))[-1] == pytest.approx([0.1, 0.2], abs=1e-6)


# forward


def test_forward_passes_a_jump_on_as_a_jump_and_never_times_out() -> None:
    driver = started(Forward(2), np.zeros(2))
    driver.receive(Command(np.array([1.0, -1.0])), 0)
    assert run(driver, STEP_S, np.zeros(2))[0].tolist() == [1, -1]
    assert run(driver, STEP_S, np.zeros(2), start_s=3600)[0].tolist() == [1, -1]


def test_forward_stops_for_good_on_a_wrong_size() -> None:
    driver = started(Forward(2), np.zeros(2))
    driver.receive(Command(np.array([1.0, -1.0])), 0)
    run(driver, STEP_S, np.zeros(2))
    driver.receive(Command(np.zeros(3)), 0)
    assert driver.state == "error: command of 3 values for 2 joints"
    driver.receive(Command(np.zeros(2)), 0)
    assert run(driver, STEP_S, np.zeros(2))[0].tolist() == [1, -1]
    driver.start(np.zeros(2), 0)
    assert driver.state == RUNNING and run(driver, STEP_S, np.zeros(2))[0].tolist() == [0, 0]


def test_forward_drops_what_is_not_finite() -> None:
    driver = started(Forward(2), np.zeros(2))
    driver.receive(Command(np.array([1.0, np.inf])), 0)
    assert driver.refused["not finite"] == 1 and driver.state == RUNNING
    assert run(driver, STEP_S, np.zeros(2))[0].tolist() == [0, 0]


def test_a_hand_ignores_names_and_takes_a_short_message() -> None:
    driver = started(JointStateHand(3), np.zeros(3))
    driver.receive(Command(np.array([0.1, 0.2]), ("c", "b")), 0)
    assert run(driver, STEP_S, np.zeros(3))[0].tolist() == [0.1, 0.2, 0]


# joint trajectory controller


@pytest.fixture
def jtc() -> JointTrajectory:
    driver = JointTrajectory(LINE)
    driver.start(np.zeros(2), 0)
    return driver


def test_a_trajectory_without_stamp_starts_now_and_is_read_by_name(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([0.1], [[2.0, 1.0]], names=("b", "a")), 0)
    path = run(jtc, 0.2, np.zeros(2))
    assert path[24] == pytest.approx([0.5, 1.0])  # half way on a line
    assert path[-1] == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize("names", [("a", "c"), ("a",), ("a", "b", "c")])
def test_a_trajectory_of_other_joints_is_refused(jtc: JointTrajectory, names: tuple[str, ...]) -> None:
    jtc.receive(line_command([0.1], [[1.0] * len(names)], names=names), 0)
    assert jtc.refused == {"other joints": 1}


def test_points_in_the_past_are_dropped(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([0.1, 0.2], [[5.0, 5.0], [1.0, 1.0]], stamp_s=0.85), round(1e9))
    path = run(jtc, 0.1, np.zeros(2), start_s=1.0)
    assert path.max() <= 1.0 and path[-1] == pytest.approx([1, 1])


def test_a_trajectory_that_is_past_altogether_is_refused_and_the_old_one_goes_on(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([0.1], [[1.0, 1.0]]), 0)
    run(jtc, 0.05, np.zeros(2))
    jtc.receive(line_command([0.01, 0.02], [[9.0, 9.0], [9.0, 9.0]], stamp_s=0.01), round(0.05e9))
    assert jtc.refused == {"all points past": 1}
    assert run(jtc, 0.1, np.zeros(2), start_s=0.05)[-1] == pytest.approx([1, 1])


def test_the_old_trajectory_goes_on_until_the_stamp_of_the_new_and_speed_is_kept(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([1.0], [[1.0, 0.0]]), 0)
    run(jtc, 0.2, np.zeros(2))
    new = line_command([0.5, 0.6], [[2.0, 0.0], [2.1, 0.0]], [[1.0, 0.0], [0.0, 0.0]], stamp_s=0.4)
    jtc.receive(new, round(0.2e9))
    path = run(jtc, 1.0, np.zeros(2), start_s=0.2)[:, 0]
    assert path[:99] == pytest.approx(0.2 + STEP_S * np.arange(1, 100))
    speeds = np.diff(path) / STEP_S
    assert np.abs(np.diff(speeds)).max() < 0.2  # no jump of the speed anywhere
    assert path[-1] == pytest.approx(2.1)


def test_a_trajectory_that_ends_at_speed_is_refused_unless_that_is_allowed(jtc: JointTrajectory) -> None:
    rushing = line_command([0.1], [[1.0, 1.0]], [[5.0, 5.0]])
    jtc.receive(rushing, 0)
    assert jtc.refused == {"velocity at the end": 1}
    daring = started(JointTrajectory(LINE, allow_last_velocity=True), np.zeros(2))
    daring.receive(rushing, 0)
    path = run(daring, 0.2, np.zeros(2))[:, 0]
    speeds = np.diff(path) / STEP_S
    assert speeds[48] > 4.5 and speeds[50:].max() == 0  # and there it stops dead


def test_a_trajectory_needs_times_that_increase(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([0.1, 0.1], [[1.0, 1.0], [2.0, 2.0]]), 0)
    assert jtc.refused == {"times not increasing": 1}


def test_a_speed_slider_slows_the_time_of_a_trajectory(jtc: JointTrajectory) -> None:
    jtc.receive(line_command([1.0], [[1.0, 1.0]]), 0)
    assert run(jtc, 1.0, np.zeros(2), scale=0.3)[-1] == pytest.approx([0.3, 0.3])


# gripper


def test_a_gripper_takes_one_goal_at_a_time_at_its_own_speed() -> None:
    gripper = started(SlowGripper(), np.array([0.08]))
    gripper.receive(Command(np.array([0.02])), 0)
    gripper.receive(Command(np.array([0.06])), 0)
    assert gripper.refused == {"goal in flight": 1}
    path = np.empty(500)
    measured = np.array([0.08])
    for step in range(500):
        measured = gripper.update(measured, step * STEP_NS, STEP_S)
        path[step] = measured[0]
    assert path[99] == pytest.approx(0.06) and path[-1] == pytest.approx(0.02)
    assert not gripper.busy


def test_a_gripper_that_holds_something_ends_its_goal_and_keeps_pressing() -> None:
    gripper = started(SlowGripper(), np.array([0.08]))
    gripper.receive(Command(np.array([0.0])), 0)
    told = run(gripper, 2.0, np.array([0.04]))
    assert not gripper.busy and told[-1, 0] == 0


# the exact sink


def test_the_exact_sink_reaches_each_target_when_it_is_due() -> None:
    spec = make_twin("panda").action_spec
    driver = started(Exact(spec, 0.01), np.append(POSE, 0.08))
    there = np.append(POSE, 0.04)
    driver.receive(Command(there, stamp_ns=20_000_000), 0)
    path = run(driver, 0.03, POSE)[:, -1]
    assert path[4] == pytest.approx(0.06) and path[9] == pytest.approx(0.04) and path[-1] == pytest.approx(0.04)


def test_the_exact_sink_refuses_another_epoch_and_nonsense() -> None:
    spec = make_twin("panda").action_spec
    driver = started(Exact(spec, 0.01), np.append(POSE, 0.08))
    for values, stamp_ns in (
        (np.append(POSE, 0.04), 10**10),
        (np.zeros(10), 0),
        (np.full(10, np.nan), 0),
        (np.zeros(3), 0),
    ):
        driver.receive(Command(values, stamp_ns=stamp_ns), 0)
    assert driver.refused == {"another epoch": 1, "no rotation": 1, "not finite": 1, "wrong size": 1}


# faults of messages


def message(value: float) -> Command:
    return Command(np.array([value, -value], dtype=float), LINE, stamp_ns=int(value))


def through(line: str, count: int = 4, period_s: float = 0.01) -> list[tuple[float, float]]:
    """(value, stamp) of what comes out of `s` when 1, 2, 3... go in."""
    faults = Faults((parse_fault(line, ["s"]),))
    found: list[tuple[float, float]] = []
    for index in range(count):
        now_ns = round(index * period_s * 1e9)
        found += [(m.values[0], m.stamp_ns) for m in faults.due("s", now_ns)]
        found += [(m.values[0], m.stamp_ns) for m in faults.passed("s", message(index + 1), now_ns)]
    return found


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("drop s", []),
        ("drop s from 0.02", [(1, 1), (2, 2)]),
        ("delay s 0.02", [(1, 1), (2, 2)]),
        ("freeze s from 0.01 for 0.02", [(1, 1), (1, 1), (1, 1), (4, 4)]),
        ("stuck s from 0.01", [(1, 1), (1, 2), (1, 3), (1, 4)]),
        ("overtake s", [(2, 2), (1, 1), (4, 4), (3, 3)]),
        ("overtake s for 0.01", [(1, 1), (2, 2), (3, 3), (4, 4)]),
    ],
)
def test_a_fault_of_messages_does_what_it_says(line: str, out: list[tuple[float, float]]) -> None:
    assert through(line) == out


def test_half_of_the_messages_are_lost() -> None:
    assert 420 < len(through("drop s 0.5", 1000)) < 580


def test_named_values_are_reordered_with_their_names_left_out_or_made_nonsense() -> None:
    def out(kind: str) -> Command:
        return Faults((Fault(kind, "s"),)).passed("s", message(3), 0)[0]

    assert out("reorder").names == ("b", "a") and out("reorder").values.tolist() == [-3, 3]
    assert out("missing").names == ("a",) and out("missing").values.tolist() == [3]
    assert np.isnan(out("nan").values).all() and out("nan").names == LINE


def test_another_stream_is_left_alone() -> None:
    faults = Faults((parse_fault("nan s", ["s", "t"]),))
    assert faults.passed("t", message(1), 0)[0].values.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("freze s", "freeze"),
        ("freeze x", "one of s"),
        ("freeze s 3", "no size"),
        ("speed half", "number"),
        ("speed 0.3 at 2", "'from S' or 'for S'"),
        ("speed 0.3 from", "'from S' or 'for S'"),
        ("", "one of drop"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_fault(line, ["s"])


# the twin behind its drivers


@pytest.fixture(scope="module")
def robot() -> object:
    return make_twin("panda")


@pytest.fixture
def driven(robot: object) -> Iterator[DrivenTwin]:
    robot.reset()  # type: ignore[attr-defined]
    twin = DrivenTwin(robot, {"arm": Port(CrispPose(), ARM), "gripper": Port(SlowGripper(), GRIPPER)})  # type: ignore
    yield twin
    twin.brake(False)


def tell(twin: DrivenTwin, *lines: str) -> None:
    streams = [f"command/{name}" for name in twin.ports]
    twin.faults = Faults(tuple(parse_fault(line, streams) for line in lines), twin.now_ns)


def test_the_arm_goes_where_crisp_is_told(driven: DrivenTwin) -> None:
    driven.receive("arm", pose_command((0.5, 0.1, 0.3)))
    driven.advance(1000)
    assert driven.robot.hold_target[:3] == pytest.approx([0.5, 0.1, 0.3], abs=2e-3)
    assert driven.state == RUNNING


@pytest.mark.parametrize("kind", ["brakes", "silent_brakes"])
def test_brakes_stand_the_arm_while_its_controller_goes_on_and_on_release_it_jumps(
    driven: DrivenTwin, kind: str
) -> None:
    before = driven.robot.hold_target[:3]
    tell(driven, f"{kind} for 2")
    driven.receive("arm", pose_command((0.5, 0.1, 0.3)))
    driven.advance(999)
    assert driven.robot.hold_target[:3] == pytest.approx(before, abs=1e-4)
    assert driven.state == ("user stop" if kind == "brakes" else RUNNING)
    driven.advance(500)
    assert driven.robot.hold_target[:3] == pytest.approx([0.5, 0.1, 0.3], abs=5e-3)
    assert driven.state == RUNNING


def test_a_speed_slider_at_a_third_keeps_the_arm_behind_its_targets(driven: DrivenTwin) -> None:
    tell(driven, "speed 0.3")
    driven.receive("arm", pose_command((0.45, 0.2, 0.22)))
    driven.advance(250)
    assert driven.robot.hold_target[1] < 0.3 * 0.5 * 0.5 + 0.01


def test_a_lost_command_moves_nothing(driven: DrivenTwin) -> None:
    before = driven.robot.hold_target[:3]
    tell(driven, "drop command/arm")
    driven.receive("arm", pose_command((0.5, 0.1, 0.3)))
    driven.advance(100)
    assert driven.robot.hold_target[:3] == pytest.approx(before, abs=1e-3)


def test_a_delayed_command_is_obeyed_late(driven: DrivenTwin) -> None:
    tell(driven, "delay command/arm 0.2")
    driven.receive("arm", pose_command((0.5, 0.0, 0.22)))
    driven.advance(100)
    assert driven.robot.hold_target[0] == pytest.approx(0.45, abs=2e-3)
    driven.advance(600)
    assert driven.robot.hold_target[0] == pytest.approx(0.5, abs=2e-3)


def test_a_reset_is_due_once(driven: DrivenTwin) -> None:
    tell(driven, "reset from 0.1")
    assert not driven.faults.reset_due(driven.now_ns)
    driven.advance(50)
    assert driven.faults.reset_due(driven.now_ns) and not driven.faults.reset_due(driven.now_ns)


def test_drivers_may_not_share_a_field(robot: object) -> None:
    with pytest.raises(InputError, match=r"gripper\.width"):
        DrivenTwin(robot, {"a": Port(SlowGripper(), GRIPPER), "b": Port(SlowGripper(), GRIPPER)})  # type: ignore


# time


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_pacer_loses_no_time_whatever_the_ticks(factor: float) -> None:
    pacer, random, now = Pacer(STEP_NS, factor, 0), np.random.default_rng(0), 0
    steps = 0
    while now < 10_000_000_000:
        now += int(random.integers(1_000_000, 90_000_000))
        steps += pacer.due(now)
    assert steps == int(now * factor // STEP_NS) and pacer.lost_ns == 0


def test_a_pacer_does_not_catch_up_with_a_long_stall() -> None:
    pacer = Pacer(STEP_NS, 1.0, 0)
    assert pacer.due(3_000_000_000) == 50 and pacer.lost_ns == 2_900_000_000
