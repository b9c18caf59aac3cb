"""Moments in which some of the robot is unknown: they end no wait, begin no command, and move nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import yaml

from robot.contract.loading import contract_folder, load_contract
from robot.control.observation.streams import StreamReader
from robot.safety.gate import Mode, Reason
from robot.safety.gate import inputs as events
from robot.safety.gate.inputs import GateOutput, StateSample
from tests.robot.safety.gate.sequences import Life

JOINTS, POSES = "xarm7", "fr3_crisp"
ARMS = {"xarm7": "arm", "ur5e_jtc": "arm", "fr3_crisp": "pose", "inspire": "pose"}  # streams that lead the arm
TOOLS = {"xarm7": "gripper", "ur5e_jtc": "gripper", "fr3_crisp": "gripper", "inspire": "hand"}


def life(contract: str, enabled: bool = False, robot: str = "blocked") -> Life:
    made = Life(contract, np.random.default_rng(0))
    if enabled:
        made.step((events.ENABLE,))
    for _ in range(40):
        made.step()
    made.robot = robot
    return made


def changed(name: str, folder: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """A contract of the user's own: ours with something changed."""
    contract = yaml.safe_load((contract_folder() / f"{name}.yaml").read_text())
    change(contract)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(contract))
    return str(path)


def along(made: Life, component: int, size: float) -> np.ndarray:
    result = np.zeros_like(made.place)
    result[component] = size
    return result


def spoil(made: Life, stream: str, when: Callable[[int], bool], values: dict[str, np.ndarray] | None = None) -> None:
    """Change the messages of a stream in some ticks: to `values`, or to one that is not finite."""
    states, count = made._states, [0]

    def spoiled() -> dict[str, StateSample]:
        found, count[0] = states(), count[0] + 1
        if stream in found and when(count[0]):
            sample = found[stream]
            name = next(iter(sample.values))
            wrong = {name: sample.values[name] * np.nan} if values is None else values
            found[stream] = replace(sample, values={**sample.values, **wrong})
        return found

    made._states = spoiled  # type: ignore[method-assign]


def sent(outputs: list[GateOutput]) -> list[np.ndarray]:
    return [output.target for output in outputs if output.target is not None]


# -- the tracking error -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", [*ARMS, "panda_twin_crisp"])
@pytest.mark.parametrize("every", [0, 7, 36])
def test_a_blocked_arm_is_reported_however_often_a_stream_of_its_tool_hiccups(contract: str, every: int) -> None:
    """Each NaN of the gripper let the arm's time begin anew: the command went 5 rad ahead of a blocked arm."""
    made = life(contract, enabled=True)
    if every:
        spoil(made, TOOLS.get(contract, "gripper"), lambda tick: tick % every == 0)
    step = 0.5 * made.settings.groups[0].parts[0].speed[0] * made.settings.period_s
    for tick in range(600):
        rows = made.state.command + np.arange(1, 30)[:, None] * along(made, 0, step)
        output = made.step(chunks=(made.chunk(rows),) if tick % 10 == 0 else ())
        if Reason.TRACKING in output.reasons:
            break
    assert Reason.TRACKING in output.reasons
    assert abs(made.state.command - made.measured)[0] < 6 * made.settings.groups[0].apart[0]


@pytest.mark.parametrize("contract", [JOINTS, POSES])
@pytest.mark.parametrize("doubt", ["late", "crowd", "clock", "hand"])
def test_a_blocked_arm_is_reported_through_moments_of_doubt(contract: str, doubt: str) -> None:
    made = life(contract, enabled=True)
    step = 0.5 * made.settings.groups[0].parts[0].speed[0] * made.settings.period_s
    farthest = 0.0
    for tick in range(1200):
        made.muted = {ARMS[contract]} if doubt == "late" and tick % 36 < 13 else set()
        made.crowds = {ARMS[contract]: "two of them"} if doubt == "crowd" and tick % 40 < 20 else {}
        made.held = not (doubt == "hand" and tick % 36 == 0)
        if doubt == "clock" and tick % 36 == 0:
            made.now = replace(made.now, epoch=made.now.epoch + 1)
        rows = made.state.command + np.arange(1, 30)[:, None] * along(made, 0, step)
        output = made.step(chunks=(made.chunk(rows),) if tick % 10 == 0 else ())
        farthest = max(farthest, abs(made.state.command - made.measured)[0])
        if Reason.TRACKING in output.reasons:
            break
    # A hand that is off for a moment lets the robot lead: then the command is where the arm is.
    assert Reason.TRACKING in output.reasons or farthest < 3 * made.settings.groups[0].apart[0]


@pytest.mark.parametrize("contract", [JOINTS, "panda_twin"])
def test_without_a_tracking_limit_an_arm_that_is_pushed_away_leads(contract: str, tmp_path: Path) -> None:
    path = changed(contract, tmp_path, lambda each: each["limits"]["tracking"].update(arm=None))
    made = life(path, enabled=True)
    at = made.measured.copy()
    for tick in range(300):
        made.measured = at + along(made, 1, min(tick * 0.004, 0.5))
        made.step()
    assert abs(made.state.command - made.measured)[1] <= made.settings.groups[0].apart[0]


def test_a_strangers_chunks_renew_no_release_of_a_contact() -> None:
    made = life(JOINTS, enabled=True)
    allowed, start = made.settings.groups[0].apart[0], made.state.command.copy()
    made.step(chunks=(made.chunk(np.repeat(start[None], 20, axis=0)),))
    for tick in range(1500):
        made.measured = made.state.command - along(made, 1, min(tick * 0.0005, 1.2 * allowed))
        rows = np.repeat(made.state.command[None], 20, axis=0)
        made.step(chunks=(made.chunk(rows), made.chunk(rows, "stranger")))
    assert (start - made.state.command)[1] <= 1.5 * 1.2 * allowed


@pytest.mark.parametrize("contract, acceleration", [(JOINTS, 0.5), ("ur5e_jtc", 0.2)])
def test_a_low_acceleration_keeps_no_command_going_after_tracking(
    contract: str, acceleration: float, tmp_path: Path
) -> None:
    path = changed(contract, tmp_path, lambda each: each["limits"]["joints"].update(acceleration=acceleration))
    made = life(path, enabled=True)
    step = 0.2 * made.settings.groups[0].parts[0].speed[0] * made.settings.period_s
    made.step(chunks=(made.chunk(made.place + np.arange(1, 190)[:, None] * along(made, 0, step)),))
    while Reason.TRACKING not in made.step().reasons:
        assert made.outputs < 5000
    away = []
    for _ in range(300):
        before = made.state.command[0]
        made.step()
        away.append(made.state.command[0] - before > 1e-9)
    assert sum(away) * made.settings.tick_s <= 0.15


# -- the first command, and enable ------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ARMS)
@pytest.mark.parametrize("doubt", ["gone", "bad", "frozen", "crowd"])
def test_an_arm_of_which_only_an_old_or_doubtful_value_is_known_has_no_first_command(contract: str, doubt: str) -> None:
    arm = ARMS[contract]
    made = Life(contract, np.random.default_rng(0), robot="blocked")
    made.step((events.DEACTIVATE,))
    arms = {name for name in made.settings.streams if name in ("arm", "pose")}
    tools = set(made.settings.streams) - arms
    made.muted = set(tools)
    made.step((events.ACTIVATE,))
    for _ in range(40):
        made.step()  # the arm is known, its tool is not
    made.measured = made.measured + along(made, 0, 0.6)
    if doubt == "bad":
        spoil(made, arm, lambda tick: True)
    elif doubt == "frozen":
        states = made._states
        made._states = lambda: {  # type: ignore[method-assign]
            name: replace(each, stamp_ns=10**18) if name == arm else each for name, each in states().items()
        }
    elif doubt == "crowd":
        made.crowds = {arm: "two of them"}
    made.muted = set(made.settings.streams) if doubt == "gone" else set(tools)
    for _ in range(400):
        made.step()
    made.muted = arms if doubt == "gone" else set()
    assert not sent([made.step() for _ in range(100)])


@pytest.mark.parametrize("contract", ARMS)
def test_enable_while_the_arm_is_unknown_does_not_release_the_old_command(contract: str) -> None:
    made = life(contract)
    made.measured = made.measured + along(made, 1, 0.6)
    assert Reason.STATE_JUMP in [made.step() for _ in range(60)][-1].reasons
    made.muted = {ARMS[contract]}
    outputs = [made.step() for _ in range(20)]
    outputs += [made.step((events.ENABLE,)), *[made.step() for _ in range(10)]]
    made.muted = set()
    outputs += [made.step() for _ in range(200)]
    apart = [target for target in sent(outputs) if abs(target - made.measured)[1] > 0.11]
    assert len(apart) * made.settings.tick_s <= 0.3


@pytest.mark.parametrize("contract", ARMS)
def test_enable_during_a_silence_meets_the_arm_when_it_is_seen_again(contract: str) -> None:
    made = life(contract)
    at = made.measured.copy()
    made.muted = {ARMS[contract]}
    for tick in range(60):
        made.measured = at + along(made, 1, min(tick, 50) * 0.004)
        made.step((events.ENABLE,) if tick == 58 else ())
    made.muted = set()
    outputs = [made.step() for _ in range(20)]
    assert Reason.SEEDED in outputs[0].reasons
    made.step(chunks=(made.chunk(np.repeat(made.measured[None], 40, axis=0)),))
    assert made.step().mode is Mode.RUN


@pytest.mark.parametrize(
    "contract, offset", [("xarm7", 15.0), ("ur5e_jtc", 15.0), ("fr3_crisp", 6.0), ("inspire", 6.0)]
)
@pytest.mark.parametrize("ramp", [False, True])
def test_no_command_follows_an_arm_that_is_measured_where_none_can_be(contract: str, offset: float, ramp: bool) -> None:
    made = life(contract)
    at, limits = made.measured.copy(), made.gate.limits
    made.muted = set() if ramp else {ARMS[contract]}
    for tick in range(750):
        made.measured = at + along(made, 0, min(tick * 0.02, offset) if ramp else 0.0)
        made.step()
    made.muted, made.measured = set(), at + along(made, 0, offset)
    outputs = [made.step() for _ in range(100)]
    outside = [np.maximum(target - limits.high, limits.low - target).max() for target in sent(outputs)]
    assert max(outside, default=0.0) <= (0.1 if ARMS[contract] == "arm" else 2.0)
    assert Reason.STATE_JUMP in outputs[-1].reasons
    made.measured = at.copy()  # at its command nothing has to be accepted; elsewhere a person does
    outputs = [made.step() for _ in range(100)]
    if ramp:
        outputs += [made.step((events.ENABLE,)), *[made.step() for _ in range(10)]]
        assert abs(made.state.command - made.measured)[0] <= made.settings.groups[0].apart[0]
    assert Reason.STATE_JUMP not in outputs[-1].reasons


@pytest.mark.parametrize("contract", ["xarm7", "ur5e_jtc"])
def test_a_robot_that_is_guided_out_of_its_limits_is_not_told_its_old_command(contract: str) -> None:
    """Enabled, but without a sign of life: the robot leads, as far as its limits."""
    made = life(contract, enabled=True)
    made.muted = {"alive"}
    at, high, outputs = made.measured.copy(), made.gate.limits.high[0], []
    for tick in range(600):
        made.measured = at + along(made, 0, min(tick * 0.015, high + 0.2 - at[0]))
        outputs.append(made.step())
    apart = [target for target in sent(outputs[-100:]) if abs(target - made.measured)[0] > 0.11]
    assert not apart and Reason.STATE_JUMP in outputs[-1].reasons


@pytest.mark.parametrize("contract, joint", [("xarm7", "joint2"), ("ur5e_jtc", "shoulder_lift_joint")])
@pytest.mark.parametrize("late", [False, True])
def test_zeros_on_the_wire_are_zeros_whatever_offset_a_joint_has(
    contract: str, joint: str, late: bool, tmp_path: Path
) -> None:
    def offset(each: dict[str, Any]) -> None:
        next(row for row in each["maps"]["arm"] if row["name"] == joint)["offset"] = -1.57

    path = changed(contract, tmp_path, offset)
    reader = StreamReader(load_contract(path), "arm")
    zeros = reader.read(reader.map.wire, np.zeros(len(reader.map.wire)))
    made = life(path)
    if late:
        made.muted = {"arm"}
        for _ in range(400):
            made.step()
        made.muted = set()
    else:
        made.step((events.DEACTIVATE,))
    spoil(made, "arm", lambda tick: True, zeros)
    outputs = [made.step(() if late else (events.ACTIVATE,)), *[made.step() for _ in range(100)]]
    arm = np.concatenate([zeros[name] for name in made.settings.groups[0].measured])
    assert not any(np.allclose(target[: len(arm)], arm) for target in sent(outputs))


# -- stops that come and go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract, axis, sag", [("fr3_crisp", 2, 0.02), ("xarm7", 1, 0.05), ("ur5e_jtc", 1, 0.05)])
def test_a_driver_that_stops_again_and_again_lets_no_arm_creep(contract: str, axis: int, sag: float) -> None:
    made = life(contract, enabled=True)
    start = made.state.command.copy()
    for tick in range(1600):
        made.driver = "reflex" if tick // 30 % 2 == 0 else "running"
        made.measured = made.state.command - along(made, axis, sag)
        made.step()
    assert (start - made.state.command)[axis] <= made.settings.groups[0].apart[0]


@pytest.mark.parametrize("contract", ["panda_twin", "panda_twin_crisp", "ur5e_twin_jtc"])
def test_a_twin_whose_state_jumps_again_and_again_is_not_followed(contract: str) -> None:
    """Each jump began the time anew in which a twin that was reset may jump."""
    made = life(contract, enabled=True)
    made._move = lambda output: None  # type: ignore[method-assign]
    rows = made.place + np.arange(1, 200)[:, None] * along(made, 0, 0.002)
    made.step(chunks=(made.chunk(rows),))
    at = made.measured.copy()
    outputs = []
    for tick in range(200):
        made.measured = at + along(made, 1, 0.3 + 0.3 * (tick % 2))
        outputs.append(made.step())
    assert Reason.STATE_JUMP in outputs[-1].reasons and outputs[-1].mode is not Mode.RUN


@pytest.mark.parametrize("contract", ["panda_twin", "panda_twin_crisp", "ur5e_twin_jtc"])
@pytest.mark.parametrize("old", [0, 1, 3])
def test_a_state_from_before_a_reset_that_comes_after_its_notice_is_soon_forgotten(contract: str, old: int) -> None:
    made = life(contract, enabled=True)
    made.now = replace(made.now, epoch=made.now.epoch + 1)
    for _ in range(old):
        made.step()
    made.measured = made.measured + along(made, 1, 0.5)
    for _ in range(100):
        made.step()
    made.step(chunks=(made.chunk(np.repeat(made.measured[None], 40, axis=0)),))
    assert made.step().mode is Mode.RUN


@pytest.mark.parametrize("contract", ["fr3_crisp", "inspire", "leap"])
@pytest.mark.parametrize("speed", [0.3, 1.0, 1.5])
@pytest.mark.parametrize("cause", ["hand", "driver"])
def test_a_command_that_a_leash_has_made_fast_stands_as_soon(contract: str, speed: float, cause: str) -> None:
    made = life(contract, enabled=True)
    tick_s = made.settings.tick_s
    for _ in range(round(0.25 / tick_s)):
        made.measured = made.measured + along(made, 1, speed * tick_s)
        made.step()
    made.robot, made.held, made.driver = "follows", cause != "hand", "reflex" if cause == "driver" else "running"
    standing_s = 0.0
    for tick in range(200):
        before = made.state.command.copy()
        output = made.step()
        if Reason.SEEDED not in output.reasons and np.abs(made.state.command - before).max() > 1e-9:
            standing_s = (tick + 1) * tick_s
    assert standing_s <= 0.16


# -- several parts ----------------------------------------------------------------------------------------------------

UR_JOINTS = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)


def two_arms(folder: Path) -> str:
    contract: dict[str, Any] = {
        "robot": "two_ur5e", "control": "joint", "period_s": 0.05, "plant": "robot", "evidence": "example",
        "operator": "required", "maps": {}, "sinks": {},
        "state": {"driver": {"topic": "driver_state", "type": "driver_state", "rate_hz": 10}},
        "limits": {
            "joints": {"speed_scale": 0.3, "acceleration": 5.0, "margin": 0.05}, "tool": {"speed": 0.4},
            "tracking": {}, "capsules": False,
        },
    }  # fmt: skip
    for side in ("left", "right"):
        width = f"{side}.gripper.width"
        contract["maps"] |= {
            f"{side}_arm": [{"name": f"{side}_{each}", "ros": f"{side}_{each}"} for each in UR_JOINTS],
            f"{side}_fingers": [{"name": width, "ros": f"{side}_finger", "scale": 2.0}],
            f"{side}_gripper": [{"name": width, "ros": "gripper", "scale": 0.08}],
        }
        state, arm = {"type": "joint_state"}, {"rate_hz": 200, "map": f"{side}_arm"}
        contract["state"] |= {
            f"{side}_arm": {**state, **arm, "topic": f"{side}/joint_states"},
            f"{side}_gripper": {**state, "topic": f"{side}/gripper", "rate_hz": 30, "map": f"{side}_fingers"},
        }
        contract["sinks"] |= {
            f"{side}_arm": {
                "via": "jtc", "topic": f"{side}/jtc", "fields": [f"{side}.arm.joints"], "rate_hz": 100,
                "map": f"{side}_arm", "latency_s": 0.03,
            },
            f"{side}_gripper": {
                "via": "gripper", "topic": f"{side}/goal", "fields": [width], "rate_hz": 10,
                "map": f"{side}_gripper", "latency_s": 0.1, "change": 0.02,
            },
        }  # fmt: skip
        contract["limits"]["tracking"] |= {f"{side}_arm": [0.1], f"{side}_gripper": None}
    path = folder / "two.yaml"
    path.write_text(yaml.safe_dump(contract))
    return str(path)


def test_an_arm_brakes_within_its_limits_while_the_other_begins_anew(tmp_path: Path) -> None:
    made = Life(two_arms(tmp_path), np.random.default_rng(0))
    settings, tick_s = made.settings, made.settings.tick_s
    made.step((events.ENABLE,))
    left, right = (settings.spec.slices[f"{side}.arm.joints"] for side in ("left", "right"))
    speed = 0.99 * min(settings.groups[2].parts[0].speed)
    rows = np.arange(1, 60)[:, None] * speed * settings.period_s
    rows = made.place + rows * (along(made, right.start, 1.0) + along(made, left.start, 0.5))
    behind = [0.0]

    def lag(output: GateOutput) -> None:
        made.measured = made.state.command - along(made, left.start, behind[0])

    made._move = lag  # type: ignore[method-assign]
    made.step(chunks=(made.chunk(rows),))
    for _ in range(100):
        made.step()
    while behind[0] < 0.13:
        behind[0] += 0.003
        made.step()
    made.held = False
    velocity, outputs, hardest = made.state.sent.velocity[right].copy(), [], 0.0
    for _ in range(60):
        before = made.state.command.copy()
        outputs.append(made.step())
        after = (made.state.command - before)[right] / tick_s
        hardest, velocity = max(hardest, float(np.abs(after - velocity).max()) / tick_s), after
    assert any(Reason.SEEDED in output.reasons for output in outputs)
    assert hardest <= 1.05 * max(settings.groups[2].parts[0].deceleration)


@pytest.mark.parametrize("how", ["bad", "beyond"])
def test_a_tool_does_not_take_off_the_arms_leash(how: str, tmp_path: Path) -> None:
    path = changed(POSES, tmp_path, lambda each: each["sinks"]["arm"]["energy"].update(budget="near"))
    made = life(path)
    leash, limits = made.settings.leashes[0], made.gate.limits
    width = made.settings.spec.slices[made.settings.groups[1].parts[0].field]
    at = made.measured.copy()
    at[width] = limits.high[width] + 0.006 if how == "beyond" else 0.5 * (limits.low[width] + limits.high[width])
    made.measured = at.copy()
    made.step()
    if how == "bad":
        spoil(made, "gripper", lambda tick: True)
    for _ in range(100):
        made.step()
    outputs = []
    for tick in range(400):
        made.measured = at + along(made, 1, min(tick * 0.0005, 0.047))
        outputs.append(made.step())
    deflection = abs(made.state.command - made.measured)[1]
    assert leash.stiffness[0] * deflection <= 1.01 * leash.force_n
    assert 0.5 * leash.stiffness[0] * deflection**2 <= 1.01 * leash.spring_j
    assert sum(Reason.SEEDED in output.reasons for output in outputs) <= 1


@pytest.mark.parametrize("behind", [0.0, 1e-4, -1e-4])
def test_a_finger_whose_driver_reports_its_command_closes_no_further_at_the_cap(behind: float, tmp_path: Path) -> None:
    path = changed(POSES, tmp_path, lambda each: each["limits"]["tool"].update(force=1.0))
    made = Life(path, np.random.default_rng(0))
    width = made.settings.spec.slices["gripper.width"].start
    effort = {"gripper.width.effort": np.zeros(1)}
    spoil(made, "gripper", lambda tick: True, effort)
    made.step((events.ENABLE,))
    start, goal = made.state.command.copy(), made.state.command.copy()
    goal[width] = 0.0 if start[width] > 0.04 else 0.08
    onward = np.sign(goal[width] - start[width])

    def echo(output: GateOutput) -> None:
        made.measured = made.state.command - along(made, width, behind * onward)

    made._move = echo  # type: ignore[method-assign]
    for tick in range(5):
        made.step(chunks=(made.chunk(np.repeat(goal[None], 60, axis=0)),) if tick == 0 else ())
    effort["gripper.width.effort"] = np.array([2.0])
    at = made.state.command[width]
    for tick in range(200):
        made.step(chunks=(made.chunk(np.repeat(goal[None], 60, axis=0)),) if tick % 20 == 0 else ())
    assert (made.state.command[width] - at) * onward <= 0.002
    for tick in range(200):  # to open is always allowed
        made.step(chunks=(made.chunk(np.repeat(start[None], 60, axis=0)),) if tick % 20 == 0 else ())
    assert made.state.command[width] == pytest.approx(start[width], abs=1e-6)


@pytest.mark.parametrize("late", [0, 1, 2, 3])
@pytest.mark.parametrize("caps_per_m", [100.0, 1000.0, 4000.0])
@pytest.mark.parametrize("saturates", [1e9, 2.0])
def test_a_capped_finger_settles_at_its_cap(late: int, caps_per_m: float, saturates: float, tmp_path: Path) -> None:
    """On an object of 40 mm, measured 50 times a second and so many measurements late, however stiff the drive."""
    path = changed(POSES, tmp_path, lambda each: each["limits"]["tool"].update(force=1.0))
    made = Life(path, np.random.default_rng(0))
    width = made.settings.spec.slices["gripper.width"].start
    effort, past = {"gripper.width.effort": np.zeros(1)}, [(0.08, 0.0)] * (late + 1)
    spoil(made, "gripper", lambda tick: True, effort)

    def hold(output: GateOutput) -> None:
        reported = made.measured[width]
        made.measured = made.state.command.copy()
        made.measured[width] = reported
        made.muted = {"gripper"} if made.outputs % 4 else set()
        if made.outputs % 4 == 0:
            command = float(made.state.command[width])
            past.append((max(command, 0.04), min(max(0.04 - command, 0.0) * caps_per_m, saturates)))
            made.measured[width], effort["gripper.width.effort"] = past[-1 - late][0], np.array([past[-1 - late][1]])

    made._move = hold  # type: ignore[method-assign]
    made.step((events.ENABLE,))
    goal = made.state.command.copy()
    for target in (0.08, 0.0):
        goal[width] = target
        for tick in range(600):
            made.step(chunks=(made.chunk(np.repeat(goal[None], 60, axis=0)),) if tick % 20 == 0 else ())
    assert all(0.9 < share < 1.1 for _, share in past[-50:])
    goal[width] = 0.08
    for tick in range(300):
        made.step(chunks=(made.chunk(np.repeat(goal[None], 60, axis=0)),) if tick % 20 == 0 else ())
    assert made.state.command[width] == pytest.approx(0.08)


@pytest.mark.parametrize("effort_at_first", [1.0, 1.3])
def test_a_gripper_that_holds_something_from_the_start_opens(effort_at_first: float, tmp_path: Path) -> None:
    path = changed(POSES, tmp_path, lambda each: each["limits"]["tool"].update(force=1.0))
    made = Life(path, np.random.default_rng(0))
    width = made.settings.spec.slices["gripper.width"].start
    effort = {"gripper.width.effort": np.array([effort_at_first])}
    spoil(made, "gripper", lambda tick: True, effort)

    def held(output: GateOutput) -> None:
        if len(made.state.command):
            made.measured = made.state.command.copy()
            released = made.state.command[width] > 0.037
            made.measured[width] = made.state.command[width] if released else 0.032
            effort["gripper.width.effort"] = np.array([0.0 if released else effort_at_first])

    made._move = held  # type: ignore[method-assign]
    made.step((events.DEACTIVATE,))
    made.measured[width] = 0.032
    made.step((events.ACTIVATE,))
    for _ in range(60):
        made.step()
    made.step((events.ENABLE,))
    goal = made.state.command.copy()
    goal[width] = 0.08
    for tick in range(400):
        made.step(chunks=(made.chunk(np.repeat(goal[None], 60, axis=0)),) if tick % 20 == 0 else ())
    assert made.state.command[width] == pytest.approx(0.08)


# -- two senders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", [JOINTS, POSES])
def test_two_programs_that_send_chunks_are_held_and_named(contract: str) -> None:
    made = life(contract, enabled=True, robot="follows")
    made.crowds = {events.CHUNKS: "'/policy/chunk': /a, /b"}
    for tick in range(200):
        rows = np.repeat((made.place + along(made, 0, 0.03 * (-1) ** (tick // 10)))[None], 20, axis=0)
        chunk = made.chunk(rows, ("mine", "another")[tick // 10 % 2])
        output = made.step(chunks=(chunk,) if tick % 10 == 0 else ())
    assert output.mode is Mode.HOLD
    assert output.details[Reason.PUBLISHER_CHANGED] == "'/policy/chunk': /a, /b"


@pytest.mark.parametrize("contract, component, size", [("xarm7", 0, 0.5), ("ur5e_jtc", 0, 0.5), ("fr3_crisp", 1, 0.2)])
@pytest.mark.parametrize("pressed_s, released_s", [(0.005, 0.09), (0.01, 0.085), (0.02, 0.06)])
def test_an_enabling_device_that_chatters_keeps_no_command_in_force(
    contract: str, component: int, size: float, pressed_s: float, released_s: float
) -> None:
    made = life(contract, enabled=True)
    tick_s, allowed = made.settings.tick_s, made.settings.groups[0].apart[0]
    start, stood = made.measured.copy(), 0.0
    on, off = (max(round(span / tick_s), 1) for span in (pressed_s, released_s))
    for tick in range(round(2.0 / tick_s)):
        made.measured = start + along(made, component, size * min(tick * tick_s, 1.0))
        made.held = tick % (on + off) >= off
        output = made.step()
        is_far = output.target is not None and abs(output.target - made.measured)[component] > 1.05 * allowed
        stood = stood + tick_s if is_far else 0.0
        assert stood <= 0.25, f"after {tick * tick_s:.2f} s"
    assert abs(made.state.command - made.measured)[component] <= 1.05 * allowed


def one_wrong(made: Life, stream: str, values: dict[str, np.ndarray], ticks: int) -> list[GateOutput]:
    """The outputs of ticks in which a stream's messages have other values."""
    left, states = [ticks], made._states

    def wrong() -> dict[str, StateSample]:
        found = states()
        if left[0] > 0 and stream in found:
            left[0] -= 1
            found[stream] = replace(found[stream], values={**found[stream].values, **values})
        return found

    made._states = wrong  # type: ignore[method-assign]
    return [made.step() for _ in range(2 * ticks)]


@pytest.mark.parametrize(
    "rotation",
    [[0.0] * 6, [1.0, 0, 0, 1, 0, 0], [5.0, 0, 0, 0, -5, 0], [1.0, 0, 0, 0.1, 0.99, 0], [1.0, 0, 0, 0, 0, 0], [1.0]],
)
def test_a_measured_rotation_that_is_none_is_named_and_nothing_follows_it(rotation: list[float]) -> None:
    made = Life("fr3_crisp", np.random.default_rng(0))
    one_wrong(made, "pose", {"tcp.rotation": np.array(rotation)}, 30)
    for _ in range(60):
        made.step()
    columns = made.state.command[made.settings.spec.slices["tcp.rotation"]].reshape(2, 3)
    assert np.allclose(columns @ columns.T, np.eye(2), atol=1e-6)
    made = life("fr3_crisp", enabled=True)
    outputs = one_wrong(made, "pose", {"tcp.rotation": np.array(rotation)}, 20)
    assert any(Reason.STATE_BAD in output.reasons for output in outputs)
    assert any("tcp.rotation" in output.details.get(Reason.STATE_BAD, "") for output in outputs)


@pytest.mark.parametrize("contract", sorted(ARMS))
@pytest.mark.parametrize("size", [0, 2, 12])
def test_values_of_another_size_or_of_another_stream_are_named_or_left_alone(contract: str, size: int) -> None:
    arm, tool = ARMS[contract], TOOLS[contract]
    names = load_names(contract)
    for name in names[arm]:
        made = life(contract, enabled=True)
        outputs = one_wrong(made, arm, {name: np.zeros(size)}, 20)
        assert any(name in output.details.get(Reason.STATE_BAD, "") for output in outputs), name
    for name in names[arm]:  # a tool's message that also has a value of the arm does not move it
        made = life(contract, enabled=True)
        before = made.state.measured.copy()
        one_wrong(made, tool, {name: np.full(max(size, 1), np.nan), f"{name}.effort": np.zeros(size)}, 20)
        assert np.allclose(made.state.measured, before, atol=0.02, equal_nan=True)


def load_names(contract: str) -> dict[str, tuple[str, ...]]:
    """The values of each state stream."""
    settings = Life(contract, np.random.default_rng(0)).settings
    return {name: stream.names for name, stream in settings.streams.items()}
