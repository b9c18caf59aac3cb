"""What becomes of a person's velocity, hand and leader arm: targets within the limits, without a jump."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from real.teleop.device import HandPose, Wish
from real.teleop.takeover import TakeOver
from real.teleop.targets.jogging import Jogging
from real.teleop.targets.motion import AHEAD_S
from real.teleop.targets.parts import Speeds
from robot.contract.loading import action_spec, describe, load_contract
from robot.control.rest import rest_target
from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import ACTIVATE, ENABLE, ChunkSample, DriverSample, GateInputs, Now, Signal, StateSample
from robot.safety.gate.reasons import Mode
from robot.safety.gate.state import GateState

pytestmark = pytest.mark.together
SENT = np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0, 0.08])
DT = 0.02


def jogging(contract: str = "panda_twin_crisp", **options: Any) -> Jogging:
    found = load_contract(contract)
    return Jogging(found, describe(found), **options)


def pushed(*motion: float, grip: float = 0.0, part: int = 0) -> Wish:
    return Wish(True, np.array([*motion, *(0.0,) * (6 - len(motion))]), grip, part)


def test_a_take_over_starts_where_the_gate_is_and_ends_when_the_sticks_are_let_go() -> None:
    jog, dt = jogging(), DT
    assert np.array_equal(jog.step(Wish(held=True), SENT, dt), SENT)
    assert np.array_equal(jog.step(Wish(False, np.ones(6)), SENT, dt), SENT)
    first = jog.step(pushed(1), SENT, dt)
    assert 0 < first[0] - SENT[0] < 1e-3 and np.array_equal(first[1:], SENT[1:]) and jog.moving
    sent = first
    for _ in range(50):
        before, sent = sent, jog.step(pushed(1), sent, dt)
    assert (sent - before)[0] / dt == pytest.approx(0.1)  # m/s, the default
    steps = 0
    while jog.moving:
        before, sent = sent, jog.step(Wish(held=True), sent, dt)
        assert 0 <= sent[0] - before[0] <= 0.1 * dt + 1e-12
        steps += 1
    assert 5 <= steps <= 11  # it slows down
    lagging = sent - [0.004, *(0,) * 9]
    assert all(np.array_equal(jog.step(Wish(held=True), lagging, dt), sent) for _ in range(20))  # and stays there
    assert np.array_equal(jog.step(Wish(), lagging, dt), lagging)
    assert jog.step(pushed(1), lagging, dt)[0] < lagging[0] + 1e-3  # held again, it goes on from what was sent


def test_a_target_waits_for_a_robot_that_is_kept_back() -> None:
    jog = jogging()
    for _ in range(300):
        target = jog.step(pushed(0, 0, 1, 1), SENT, 0.02)
    assert target[2] - SENT[2] == pytest.approx(0.1 * AHEAD_S)
    assert angle_between(matrix_from_6d(target[3:9]), matrix_from_6d(SENT[3:9])) == pytest.approx(0.5 * AHEAD_S)


def test_a_person_is_as_limited_as_the_contract_says() -> None:
    contract = load_contract("panda_twin_crisp")
    limits = contract.limits.tcp
    assert limits is not None and limits.workspace is not None
    jog, sent = jogging(speeds=Speeds(position=50.0, rotation=50.0, grip=50.0)), SENT
    fastest = turned = 0.0
    for _ in range(200):
        before, sent = sent, jog.step(pushed(1, 1, -1, 0, 1, 1, grip=1), sent, 0.02)
        fastest = max(fastest, float(np.linalg.norm(sent[:3] - before[:3])) / 0.02)
        turned = max(turned, float(angle_between(matrix_from_6d(sent[3:9]), matrix_from_6d(before[3:9]))) / 0.02)
        if contract.limits.tool.speed:
            assert abs(sent[9] - before[9]) / 0.02 <= contract.limits.tool.speed + 1e-9
    assert fastest <= limits.speed + 1e-9 and turned <= limits.turn_speed + 1e-6
    assert fastest > 0.9 * limits.speed
    assert (sent[:3] >= limits.workspace.low).all() and (sent[:3] <= limits.workspace.high).all()
    assert sent[9] == 0


def test_in_the_tool_frame_forward_is_where_the_hand_points() -> None:
    jog, sent = jogging(frame="tool"), SENT
    for _ in range(20):
        sent = jog.step(pushed(0, 0, 1), sent, 0.02)
    assert sent[2] < SENT[2] - 0.01 and sent[:2] == pytest.approx(SENT[:2])


def test_a_hand_closes_as_one_and_its_fingers_do_not_spread() -> None:
    contract = load_contract("leap")
    spec = action_spec(contract)
    jog = Jogging(contract, describe(contract))
    hand = spec.slices["hand.joints"]
    sent = np.concatenate([SENT[:9], np.zeros(16)])
    for _ in range(300):
        sent = jog.step(pushed(grip=1), sent, 0.02)
    limb = describe(contract).limbs[0]
    closed = dict(zip(limb.tool.joints, sent[hand]))
    assert closed["index_forward"] > 1.5 and closed["index_side"] == 0
    assert np.array_equal(sent[:9], SENT[:9])


def test_seven_joints_are_two_parts_in_joint_control() -> None:
    jog = jogging("xarm7")
    assert [len(part.columns) for part in jog.parts] == [6, 1]
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    target = jog.step(pushed(1, part=3), sent, 0.02)
    assert target[6] > 0 and not target[:6].any()


def test_the_gate_follows_a_person_without_a_jump_and_then_the_policy() -> None:
    contract = load_contract("panda_twin")
    settings = gate_settings(contract, describe(contract))
    gate, state, jog = Gate(settings), GateState(), jogging("panda_twin")
    names, period_s, tick_ns = settings.spec.component_names, contract.period_s, 5_000_000
    start = np.array([0.45, 0, 0.22, 1, 0, 0, 0, -1, 0, 0.04])
    joints = {f"joint{number + 1}": np.zeros(1) for number in range(7)}
    measured = {
        "arm": joints,
        "pose": {"tcp.position": start[:3], "tcp.rotation": start[3:9]},
        "gripper": {"gripper.width": start[9:]},
    }
    sent, seen = start, []
    for tick in range(600):
        now_ns, chunks, person = 10**9 + tick * tick_ns, (), ()
        held = 100 <= tick < 300  # half a second of the policy, a second of the person, then the policy again
        if tick % 10 == 0:
            rows = np.repeat(sent[None] if not held else start[None], 16, axis=0)
            chunks = (ChunkSample(names, rows, now_ns, period_s, tick, now_ns, "policy", "policy"),)
        if tick % 4 == 0 and held:
            target = jog.step(pushed(0, 1), sent, 4 * tick_ns * 1e-9)
            person = (ChunkSample(names, target[None], now_ns, period_s, tick, now_ns, "person", "person"),)
        inputs = GateInputs(
            {name: StateSample(values, now_ns, now_ns) for name, values in measured.items()},
            chunks,
            person,
            Signal(now_ns, now_ns),
            None,
            DriverSample("running", now_ns, now_ns),
            (ACTIVATE, ENABLE) if tick == 0 else (),
        )
        state, output = gate.step(state, inputs, Now(now_ns, now_ns))
        assert output.mode is not Mode.FAULT
        if output.target is not None:
            assert np.abs(output.target - sent).max() <= 0.1 * tick_ns * 1e-9 * 1.5  # never quicker than a person is
            sent = output.target
        seen.append(output.source)
    assert seen[90] == "policy" and set(seen[110:300]) == {"person"} and seen[-1] == "policy"
    assert 0.07 < sent[1] - start[1] < 0.11 and np.abs(np.delete(sent - start, 1)).max() < 1e-9


# -- a hand's pose ----------------------------------------------------------------------------------------------------


def hand(*position: float, turn: tuple[float, float, float] = (0, 0, 0), held: bool = True, grip: float = 0.0) -> Wish:
    return Wish(held, grip=grip, pose=HandPose(np.array(position, dtype=float), np.array(turn, dtype=float)))


def settled(jog: Jogging, wish: Wish, sent: np.ndarray, steps: int = 150) -> np.ndarray:
    """Where the robot is when it follows an input that does not change."""
    for _ in range(steps):
        sent = jog.step(wish, sent, DT)
    return sent


def test_the_tcp_follows_a_hand_from_where_the_clutch_closed_and_comes_to_rest_there() -> None:
    jog, speeds = jogging(scale=2.0), Speeds()
    sent, path = SENT, [SENT]
    for _ in range(300):
        sent = jog.step(hand(0.05, -0.02, 0.01, turn=(0, 0, 0.3)), sent, DT)
        path.append(sent)
    assert sent[:3] - SENT[:3] == pytest.approx([0.1, -0.04, 0.02], abs=1e-6)
    turned = matrix_from_rotvec(np.array([0, 0, 0.3])) @ matrix_from_6d(SENT[3:9])
    assert angle_between(matrix_from_6d(sent[3:9]), turned) == pytest.approx(0, abs=1e-5)
    steps = np.linalg.norm(np.diff(np.array(path)[:, :3], axis=0), axis=1)
    assert steps.max() <= speeds.position * DT + 1e-9 and steps[0] < 0.2 * speeds.position * DT
    along = (np.array(path)[:, :3] - SENT[:3]) @ [0.1, -0.04, 0.02] / np.linalg.norm([0.1, -0.04, 0.02])
    assert along.max() <= np.linalg.norm([0.1, -0.04, 0.02]) + 1e-4  # without going beyond it
    assert not jog.moving


def test_a_clutch_that_closes_again_counts_from_where_the_robot_is_then() -> None:
    jog = jogging()
    sent = settled(jog, hand(0.05, 0, 0), SENT)
    assert np.array_equal(jog.step(hand(0.3, 0, 0, held=False), sent, DT), sent)
    assert settled(jog, hand(0, 0, 0), sent) == pytest.approx(sent)
    assert settled(jog, hand(0.02, 0, 0), sent)[0] == pytest.approx(SENT[0] + 0.07, abs=1e-6)


def test_a_hand_moves_the_tcp_along_its_own_axes_in_the_tool_frame() -> None:
    sent = settled(jogging(frame="tool"), hand(0, 0, 0.05), SENT)
    assert sent[2] == pytest.approx(SENT[2] - 0.05, abs=1e-6)


def test_a_hand_does_not_lead_out_of_the_workspace_nor_far_ahead_of_a_robot_that_is_kept_back() -> None:
    limits = load_contract("panda_twin_crisp").limits.tcp
    assert limits is not None and limits.workspace is not None
    far = settled(jogging(), hand(3, 0, 0), SENT, steps=400)
    assert far[0] == pytest.approx(limits.workspace.high[0])
    kept, jog = SENT, jogging()
    for _ in range(60):
        kept = jog.step(hand(0.2, 0, 0), SENT, DT)
    assert kept[0] - SENT[0] == pytest.approx(0.1 * AHEAD_S)


def test_a_hand_that_trembles_takes_nothing_and_one_that_moves_does() -> None:
    takeover = TakeOver()
    assert not takeover.step(hand(0.001, 0, 0, turn=(0.01, 0, 0)))
    assert not takeover.step(hand(0.1, 0, 0, held=False))
    assert takeover.step(hand(0.005, 0, 0))


def test_a_hand_cannot_move_a_robot_whose_contract_controls_joints() -> None:
    jog = jogging("xarm7")
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    assert np.array_equal(jog.step(hand(0.1, 0, 0), sent, DT), sent)
    assert "joints" in jog.refused


# -- a leader arm -----------------------------------------------------------------------------------------------------


def led(joints: Any, held: bool = True) -> Wish:
    return Wish(held, joints=np.array(joints, dtype=float))


def test_the_arm_follows_a_leader_that_matched_it_when_the_clutch_closed() -> None:
    jog = jogging("xarm7")
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    leader = np.array([0.1, -0.1, 0.05, 0, 0, 0.1, -0.15])
    fastest, start = 0.0, sent
    for _ in range(200):
        before, sent = sent, jog.step(led(leader), sent, DT)
        fastest = max(fastest, float(np.abs(sent - before).max()) / DT)
    assert sent[:7] == pytest.approx(leader, abs=1e-6) and np.array_equal(sent[7:], start[7:])
    assert fastest <= 0.3 + 1e-9
    sent = settled(jog, led(leader + [0.5, 0, 0, 0, 0, 0, 0]), sent)  # once it leads it may go further
    assert sent[0] == pytest.approx(0.6, abs=1e-6) and not jog.refused


def test_a_leader_that_does_not_match_is_refused_with_a_table_until_the_clutch_closes_on_one_that_does() -> None:
    jog = jogging("xarm7")
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    assert np.array_equal(jog.step(led([0, 0, 0, 0.5, 0, 0, 0]), sent, DT), sent)
    lines = jog.refused.splitlines()
    assert "0.2 rad" in lines[0] and len(lines) == 9
    assert [line.split()[0] for line in lines if "*" in line and "rad" in line][1:] == ["joint4"]
    assert "0.50 rad" in next(line for line in lines if "joint4" in line)
    assert np.array_equal(jog.step(led(np.zeros(7)), sent, DT), sent) and jog.refused  # the clutch is still closed
    jog.step(led(np.zeros(7), held=False), sent, DT)
    assert not jog.refused
    assert settled(jog, led(np.full(7, 0.1)), sent)[0] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("joints", [np.zeros(6), np.full(7, np.nan)])
def test_a_leader_without_the_arms_joints_leads_nothing(joints: np.ndarray) -> None:
    jog = jogging("xarm7")
    sent = np.zeros(len(action_spec(load_contract("xarm7")).component_names))
    assert np.array_equal(jog.step(led(joints), sent, DT), sent) and "7 joint angles" in jog.refused
    cartesian = jogging()
    assert np.array_equal(cartesian.step(led(np.zeros(7)), SENT, DT), SENT) and "tcp" in cartesian.refused


# -- home -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ["panda_twin_crisp", "xarm7"])
def test_home_is_reached_at_the_persons_speed_and_is_the_rest_of_arm_and_tool(contract: str) -> None:
    found = load_contract(contract)
    jog, spec = jogging(contract), action_spec(found)
    rest = rest_target(describe(found), spec)
    sent = rest.copy()
    if contract == "xarm7":
        sent[:7] += [0.3, -0.2, 0.1, 0.2, 0, -0.3, 0.4]
    else:
        sent[:3] += [0.05, -0.1, 0.08]
        sent[-1] = 0.0
    jog.go_to(rest)
    steps, fastest = 0, 0.0
    while jog.homing:
        before, sent = sent, jog.step(Wish(held=True), sent, DT)
        fastest = max(fastest, float(np.linalg.norm(sent[:3] - before[:3])) / DT)
        steps += 1
        assert steps < 2000
    assert sent == pytest.approx(rest, abs=1e-5)
    assert fastest <= (0.1 + 1e-9 if contract != "xarm7" else 0.3 * 3**0.5 + 1e-9)
    assert np.array_equal(jog.step(Wish(held=True), sent, DT), sent)


@pytest.mark.parametrize("end", [Wish(), Wish(True, np.array([0, 0, 1.0, 0, 0, 0]))])
def test_letting_go_or_another_motion_ends_the_way_home(end: Wish) -> None:
    jog, rest = (
        jogging(),
        rest_target(describe(load_contract("panda_twin_crisp")), action_spec(load_contract("panda_twin_crisp"))),
    )
    jog.go_to(rest)
    sent = jog.step(Wish(held=True), SENT, DT)
    assert jog.homing
    jog.step(end, sent, DT)
    assert not jog.homing


# -- take and give ----------------------------------------------------------------------------------------------------


def test_the_first_motion_while_held_takes_the_robot_and_a_person_at_rest_keeps_it() -> None:
    takeover = TakeOver()
    assert not takeover.step(Wish(held=True))
    assert not takeover.step(Wish(False, np.ones(6)))
    assert takeover.step(pushed(1))
    assert takeover.step(Wish(held=True)) and takeover.step(Wish()) and takeover.step(Wish(connected=False))


def test_giving_back_in_the_midst_of_a_motion_takes_nothing_again_until_the_device_was_at_rest() -> None:
    takeover = TakeOver()
    assert takeover.step(pushed(1))
    assert not takeover.step(Wish(True, np.ones(6), events=("give",)))
    assert not takeover.step(pushed(1))
    assert not takeover.step(Wish(held=True))
    assert takeover.step(pushed(1))


def test_take_needs_no_motion_and_home_needs_the_enabling_device() -> None:
    assert TakeOver().step(Wish(events=("take",)))
    assert not TakeOver().step(Wish(events=("home",)))
    assert TakeOver().step(Wish(True, events=("home",)))
    assert not TakeOver().step(Wish(events=("take", "give")))
