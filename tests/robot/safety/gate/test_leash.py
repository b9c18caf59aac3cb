"""The gate's last stage over a spring: how far a command may be from the tool that it draws."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.contract.loading import contract_folder, describe, load_contract
from robot.contract.wiring import Sink
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix, rotvec_from_matrix
from robot.description.exact_json import from_plain, to_plain
from robot.description.loading import load_robot
from robot.errors import InputError
from robot.safety.energy import load_budget
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.leash import enforced
from robot.safety.gate.reasons import Mode, Reason
from tests.robot.safety.gate.gates import HOME, LEASH, LOOSE, SETTINGS, SPEED, Rig, along, leashed, line
from tests.robot.strategies import rotvecs

STIFFNESS = np.array(LEASH.stiffness)


def offset(command: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """(6,) m and rad from the tool to the command."""
    turn = matrix_from_6d(command[3:9]) @ matrix_from_6d(measured[3:9]).T
    return np.concatenate([command[:3] - measured[:3], rotvec_from_matrix(turn)])


def spring_j(command: np.ndarray, measured: np.ndarray) -> float:
    way = offset(command, measured)
    return float(0.5 * way @ (STIFFNESS * way))


def test_a_blocked_tool_is_pushed_no_harder_than_the_budget_says():
    rig = leashed()
    rig.measured = HOME.copy()
    rig.tick(chunks=(rig.chunk(line(along(y=0.02), rows=60)),))
    rig.run(500)
    told = rig.commands[-1]
    assert STIFFNESS[0] * np.linalg.norm(told[:3] - HOME[:3]) <= 10.0 * (1 + 1e-9)
    assert STIFFNESS[0] * np.linalg.norm(told[:3] - HOME[:3]) > 9.9
    assert max(spring_j(each, HOME) for each in rig.commands) <= 0.1 + 1e-9
    assert rig.outputs[-1].mode is Mode.RUN and Reason.ENERGY_FORCE in rig.outputs[-1].reasons
    assert np.isclose(rig.outputs[-1].springs[0], spring_j(told, HOME))
    # What a test of an unhooked stage would see: the same without the leash pushes ten times as hard.
    bare = Rig(LOOSE).started()
    bare.measured = HOME.copy()
    bare.tick(chunks=(bare.chunk(line(along(y=0.02), rows=60)),))
    bare.run(500)
    assert STIFFNESS[0] * np.linalg.norm(bare.commands[-1][:3] - HOME[:3]) > 100.0


@given(st.integers(0, 2**16), rotvecs(1.0), st.floats(0.02, 0.5))
@settings(max_examples=60, deadline=None)
def test_whatever_is_told_the_spring_holds_no_more_than_its_budget(seed, turned, cap):
    rig, random = leashed(spring_j=cap, force_n=1e9), np.random.default_rng(seed)
    measured = HOME.copy()
    measured[3:9] = rotation_6d_from_matrix(matrix_from_rotvec(0.2 * turned) @ matrix_from_6d(HOME[3:9]))
    rig.measured = measured
    values = line(random.normal(scale=0.01, size=10) * np.array([1, 1, 1, *np.zeros(6), 0]), rows=40)
    values[:, 3:9] = rotation_6d_from_matrix(matrix_from_rotvec(turned) @ matrix_from_6d(HOME[3:9]))
    rig.tick(chunks=(rig.chunk(values),))
    first = len(rig.commands)
    rig.run(200)
    held = [spring_j(each, measured) for each in rig.commands[first + 60 :]]
    assert max(held) <= cap * (1 + 1e-9)


def test_a_tool_that_follows_is_commanded_to_the_bit_as_without_a_leash():
    chunks = line(along(x=0.004, y=0.006), rows=40)
    with_it, without = leashed(latency_s=0.02), Rig(LOOSE).started()
    for rig in (with_it, without):
        rig.tick(chunks=(rig.chunk(chunks),))
        rig.run(450)
    np.testing.assert_array_equal(with_it.commands, without.commands)
    assert not any(Reason.ENERGY_LATENCY in each.reasons for each in with_it.outputs)


def test_a_tool_that_is_held_is_told_of_as_without_a_leash_and_nothing_lunges_when_it_comes_free():
    rig = Rig(replace(SETTINGS, leashes=(LEASH,))).started()
    rig.measured = HOME.copy()
    rig.tick(chunks=(rig.chunk(line(along(y=0.005), rows=60)),))
    rig.run(400)
    assert rig.outputs[-1].mode is Mode.HOLD and rig.outputs[-1].reason is Reason.TRACKING
    assert np.linalg.norm(rig.commands[-1][:3] - HOME[:3]) < 0.02
    rig.measured = None  # it comes free, and follows
    rig.run(100)
    assert max(np.linalg.norm(each[:3]) for each in rig.velocities[-100:]) <= 0.25 * SPEED


def test_a_tool_that_is_carried_away_is_let_go_of_no_faster_than_the_release_says():
    rig = leashed(release=(20.0, 100.0))
    rig.run(20)
    rig.measured = HOME.copy()
    rig.measured[1] += 0.1  # somebody pulls it
    before = np.zeros(3)
    for _ in range(100):
        rig.tick()
        change = rig.velocities[-1][:3] - before
        assert np.linalg.norm(change) <= 20.0 * rig.settings.tick_s * (1 + 1e-9)
        before = rig.velocities[-1][:3]
    assert spring_j(rig.commands[-1], rig.measured) <= 0.1 + 1e-9
    assert rig.outputs[-1].mode is Mode.HOLD
    steps = np.diff(rig.commands[:, :3], axis=0) / rig.settings.tick_s
    assert np.abs(np.diff(steps, axis=0)).max() <= 20.0 * rig.settings.tick_s + 1e-9


def test_the_power_limit_fills_a_spring_slowly():
    slow, quick = leashed(power_w=0.05, force_n=1e9), leashed(power_w=1e9, force_n=1e9)
    for rig in (slow, quick):
        rig.measured = HOME.copy()
        rig.tick(chunks=(rig.chunk(line(along(y=0.02), rows=30)),))
        rig.run(40)
    filled = [np.diff([spring_j(each, HOME) for each in rig.commands]).max() for rig in (slow, quick)]
    assert filled[0] <= 0.05 * slow.settings.tick_s + 1e-9 < filled[1]
    assert any(Reason.ENERGY_POWER in each.reasons for each in slow.outputs)


def test_a_command_that_comes_late_leaves_room_for_where_the_tool_may_be_by_then():
    rigs = [leashed(latency_s=late, force_n=1e9) for late in (0.0, 0.03)]
    for rig in rigs:
        rig.measured = HOME.copy()
        rig.tick(chunks=(rig.chunk(line(along(y=0.02), rows=60)),))
        rig.run(400)
    ways = [np.linalg.norm(rig.commands[-1][:3] - HOME[:3]) for rig in rigs]
    margin = np.sqrt(600) * 0.2 * 0.03 + np.sqrt(30) * 0.5 * 0.03
    assert np.isclose(np.sqrt(600) * ways[1] + margin, np.sqrt(2 * 0.1), rtol=1e-6)
    assert np.isclose(np.sqrt(600) * ways[0], np.sqrt(2 * 0.1), rtol=1e-6)


def test_a_pose_that_is_not_known_changes_nothing():
    rig = leashed()
    gate = Gate(rig.settings)
    held = gate.parts.leash.hold(HOME, np.zeros(7), HOME, np.zeros(7), np.full(10, np.nan), 0.005)
    np.testing.assert_array_equal(held.target, HOME)
    assert np.isnan(held.springs[0]) and not held.cuts


def test_settings_with_a_leash_travel_in_a_flight_record():
    told = from_plain(type(SETTINGS), to_plain(replace(LOOSE, leashes=(LEASH,))))
    assert told.leashes == (LEASH,)
    older = to_plain(SETTINGS)
    del older["leashes"]
    assert from_plain(type(SETTINGS), older).leashes == ()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"stiffness": (600.0,) * 5}, "6 numbers above 0"),
        ({"stiffness": (600.0, 0.0, 600.0, 30.0, 30.0, 30.0)}, "6 numbers above 0"),
        ({"spring_j": -1.0}, "spring_j: expected above 0"),
        ({"latency_s": -0.1}, "latency and speeds of 0 or more"),
        ({"latency_s": 0.2}, "a budget of which the latency leaves something"),
        ({"speeds": (float("nan"), 0.5)}, "latency and speeds of 0 or more"),
        ({"speeds": (float("inf"), 0.5)}, "latency and speeds of 0 or more"),
        ({"group": "arms"}, "a group whose pose is measured"),
    ],
)
def test_a_leash_that_cannot_be_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        replace(LOOSE, leashes=(replace(LEASH, **changes),))


# -- from a contract --------------------------------------------------------------------------------------------------


def settings_of(name: str, **options: bool):
    contract = load_contract(name)
    return gate_settings(contract, describe(contract), **options)


def test_a_spring_with_a_budget_has_a_leash_and_nothing_else_has():
    far = load_budget("fast")
    (leash,) = settings_of("fr3_crisp").leashes
    assert (leash.spring_j, leash.force_n, leash.power_w) == (far.spring_j, far.force_n, far.power_w)
    assert leash.group == "arm"
    assert leash.stiffness == (600.0, 600.0, 600.0, 30.0, 30.0, 30.0)
    assert leash.latency_s >= 0.02 and leash.speeds[0] <= 0.5
    assert not settings_of("ur5e_jtc").leashes and not settings_of("panda_twin").leashes
    assert not settings_of("panda_twin_crisp", lock_step=True).leashes


def test_each_arm_of_two_behind_one_sink_has_a_leash_of_its_own(tmp_path):
    parts = yaml.safe_load((contract_folder() / "panda_twin.yaml").read_text())
    description = load_robot("two_panda")
    fields = [field.name for field in description.action_spec(parts["period_s"]).fields]
    arms = [limb.name for limb in description.limbs]
    parts |= {
        "robot": "two_panda",
        "maps": {},
        "state": {
            "driver": parts["state"]["driver"],
            **{arm: {"topic": f"{arm}/pose", "type": "pose", "rate_hz": 200, "field": f"{arm}.tcp"} for arm in arms},
        },
    }
    parts["limits"]["tracking"] = {f"{arm}_{group}": None for arm in arms for group in ("arm", "gripper")}
    parts["sinks"]["twin"] |= {
        "fields": fields,
        "energy": {"mode": "setpoint", "stiffness": [600.0] * 3 + [30.0] * 3, "budget": "far"},
    }
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(parts))
    contract = load_contract(str(file))
    assert [leash.group for leash in gate_settings(contract, description).leashes] == [f"{arm}_arm" for arm in arms]


def test_a_stiffness_sink_may_not_set_another_spring_than_the_leash_counts_on():
    shipped = load_contract("panda_twin_crisp")
    stiffer = replace(shipped.sinks["arm"].energy, stiffness=(3000.0,) * 3 + (60.0,) * 3)
    other = Sink("crisp_stiffness", "target_stiffness", (), 1.0, energy=stiffer)
    with pytest.raises(InputError, match="expected the same: the leash counts on it"):
        gate_settings(replace(shipped, sinks={**shipped.sinks, "stiffness": other}), describe(shipped))


def test_a_contract_that_limits_no_speed_has_margins_all_the_same():
    shipped = load_contract("panda_twin_crisp")
    contract = replace(shipped, limits=replace(shipped.limits, tcp=None))
    (leash,) = gate_settings(contract, describe(contract)).leashes
    assert leash.speeds == (load_budget("fast").speed_mps(), load_budget("fast").speed_mps() / 0.25)


def changed(tmp_path: Path, name: str, old: str, new: str) -> str:
    text = (contract_folder() / f"{name}.yaml").read_text()
    assert text.count(old) == 1
    file = tmp_path / f"{name}_changed.yaml"
    file.write_text(text.replace(old, new))
    return str(file)


def test_a_position_controlled_sink_has_no_spring_to_filter(tmp_path):
    file = changed(
        tmp_path,
        "ur5e_jtc",
        "via: jtc",
        "via: jtc\n    energy: {mode: setpoint, stiffness: [600, 600, 600, 30, 30, 30], budget: near}",
    )
    with pytest.raises(InputError, match=r"setpoint only over crisp_pose.*position-controlled.*Say mode: none"):
        load_contract(file)


def test_a_budget_of_another_robot_is_refused(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("{initial_j: 1.0, reserve_j: 0.02, capacity_j: 2.0, power_w: 10.0, spring_j: 0.2, robot: ur5e}")
    contract = load_contract(changed(tmp_path, "fr3_crisp", "budget: fast", f"budget: {mine}"))
    with pytest.raises(InputError, match="expected one for the robot 'fr3', got one for 'ur5e'"):
        gate_settings(contract, describe(contract))


@pytest.mark.parametrize(
    "name, sink, words",
    [
        ("fr3_crisp", "arm", r"leash only, budget 'fast'.*m/s in free space.*the sum is not bounded"),
        ("fr3_crisp", "gripper", "^not enforced$"),
        ("ur5e_jtc", "arm", "^not enforced$"),
        ("panda_twin", "twin", "counted in the inner loop, not limited"),
    ],
)
def test_the_status_says_what_is_enforced(name, sink, words):
    assert re.search(words, enforced(load_contract(name).sinks[sink].energy))
