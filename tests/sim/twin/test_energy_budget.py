"""An arm under a budget of energy: what it may give is bounded, whatever it is told and whatever it meets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import mujoco
import numpy as np
import pytest

import sim
from robot.description.loading import load_robot
from robot.errors import InputError, TillerError
from robot.safety.energy import Budget, load_budget
from robot.safety.energy.tank import LEVEL, OVERDRAFTS, SPILLED, SUPPLIED, WORK
from sim.evaluation.rollout import evaluate_policy
from sim.statistics.records import read_evaluation, write_evaluation
from sim.twin.energy import energy_status
from sim.twin.model.assembly import attach_robot, tcp_offset
from sim.twin.model.scene import Scene, compile_scene, new_scene
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import PERIOD_S, make_twin, move, push_for, tcp_pose
from tests.sim.wanderer import Wanderer

SMALL = Budget(0.3, 0.02, 0.6, 5.0, spring_j=0.1, force_n=20.0)
TABLE_Z = 0.0


def guarded(budget: Budget | None, *, enforce: bool = True, robot: str = "panda") -> TwinRobot:
    description = load_robot(robot)
    scene = compile_scene(new_scene(0.002), description)
    # As stiff as this table gets: a fast reference of contacts and no give at their edge.
    scene.model.geom_solref[:] = (0.004, 1.0)
    scene.model.geom_solimp[:, :2] = (0.99, 0.999)
    return TwinRobot(scene, description.action_spec(PERIOD_S), budget=budget, enforce=enforce)


def table_force(twin: TwinRobot) -> float:
    """N, of all contacts with what does not move, as MuJoCo has them."""
    data, model = twin.scene.data, twin.scene.model
    total, found = 0.0, np.zeros(6)
    for number in range(data.ncon):
        bodies = {int(model.geom_bodyid[geom]) for geom in data.contact[number].geom}
        if any(int(model.body_weldid[body]) == 0 for body in bodies):
            mujoco.mj_contactForce(model, data, number, found)
            total += float(np.linalg.norm(found[:3]))
    return total


def kinetic_j(twin: TwinRobot) -> float:
    mujoco.mj_energyVel(twin.scene.model, twin.scene.data)
    return float(twin.scene.data.energy[1])


def wild(twin: TwinRobot, seed: int, seconds: float) -> list[float]:
    """Set-points that jump, down into the table and up again; the force on it after every ten milliseconds."""
    random, rest, forces = np.random.default_rng(seed), twin.target, []
    for step in range(round(seconds / 0.01)):
        if step % 160 == 0:
            target = rest.copy()
            target[:2] += random.uniform((-0.15, -0.25), (0.15, 0.25))
            target[2] = random.uniform(-0.15, -0.03) if step % 320 == 0 else random.uniform(0.03, 0.1)
        twin._follow(target)
        twin.run_for(10_000_000)
        forces.append(table_force(twin))
    return forces


def test_a_wild_policy_on_a_stiff_table_never_overdraws_the_tank():
    twin = guarded(SMALL)
    forces = wild(twin, 1, 20.0)
    energy = twin.energy
    assert np.mean(np.array(forces) > 1.0) > 0.05, "it must meet the table, or nothing was shown"
    assert energy.overdrafts.sum() == 0 and energy.overdraft_j.sum() == 0 and not energy.latched.any()
    assert energy.level_j[0] >= 0 and sum(energy.changed.values()) > 50
    assert energy.peak_j[0] <= SMALL.initial_j + 1e-9


def test_a_shadow_counts_the_same_policy_and_changes_nothing():
    shadow, plain = guarded(SMALL, enforce=False), guarded(None)
    wild(shadow, 1, 3.0)
    wild(plain, 1, 3.0)
    np.testing.assert_array_equal(shadow.scene.data.qpos, plain.scene.data.qpos)
    assert shadow.work_j[0] == plain.work_j[0]
    assert shadow.energy.overdrafts.sum() > 0 and shadow.energy.overdraft_j.sum() > 0.1
    assert not shadow.energy.changed and not shadow.energy.enforced


def test_the_account_closes():
    twin = guarded(replace(SMALL, supply_w=0.5))
    wild(twin, 2, 2.0)
    tank = twin._guard.tank[0]
    left = SMALL.initial_j - tank[WORK] + tank[SUPPLIED] - tank[SPILLED]
    assert np.isclose(tank[LEVEL], left, atol=1e-9)
    assert np.isclose(tank[SUPPLIED], 0.5 * 2.0, rtol=1e-6)  # the whole time, and no more


def test_the_work_on_the_arm_is_bounded_by_the_budget_as_the_physics_itself_counts_it():
    twin = guarded(SMALL)
    worked, rest, random = 0.0, twin.target, np.random.default_rng(3)
    data, most = twin.scene.data, 0.0
    for step in range(600):
        if step % 20 == 0:
            target = rest.copy()
            target[:3] += random.uniform((-0.15, -0.25, -0.3), (0.15, 0.25, 0.15))
            twin._follow(target)
        before = data.qpos[:7].copy()
        twin.run_for(2_000_000)
        # The generalised force of the arm's drives without what holds gravity, as MuJoCo applied it.
        applied = data.qfrc_actuator[:7] - data.qfrc_gravcomp[:7]
        worked += float(applied @ (data.qpos[:7] - before))
        most = max(most, worked)
    assert np.isclose(worked, twin.work_j[0], atol=2e-3 * max(1.0, twin.energy.spent_j[0]))
    assert most <= SMALL.initial_j + 2e-3


def test_the_leash_holds_the_push_on_a_table_to_the_budgets_force():
    forces = {}
    for name, twin in (("held", guarded(SMALL)), ("free", guarded(None))):
        target = twin.target
        target[2] = TABLE_Z - 0.08
        move(twin, target, 1.0)
        forces[name] = table_force(twin)
    assert forces["held"] <= 1.05 * SMALL.force_n
    assert forces["free"] > 3 * SMALL.force_n
    assert guarded(SMALL).energy.changed == {}


def test_an_empty_tank_lets_the_arm_brake_and_is_told():
    twin = guarded(SMALL)
    target = twin.target
    target[1] += 0.25
    twin._follow(target)
    twin.run_for(150_000_000)
    twin._guard.tank[0, LEVEL] = SMALL.reserve_j

    def follow(target: np.ndarray, steps: int) -> list[float]:
        energies = [kinetic_j(twin)]
        for _ in range(steps):
            twin._follow(target)
            twin.run_for(2_000_000)
            energies.append(kinetic_j(twin))
        return energies

    coasting = follow(target, 30)
    braking = follow(twin.hold_target, 200)
    assert coasting[0] > 1e-2 and braking[-1] < 0.01 * braking[0]
    for energies in (coasting, braking):
        assert max(later - sooner for sooner, later in pairwise(energies)) < 1e-4
    assert twin.energy.level_j[0] >= 0
    follow(target, 30)
    level, words = energy_status(twin.energy)
    assert level == "warn" and "nearly empty" in words


def test_standing_still_costs_nothing():
    twin = guarded(SMALL)
    twin.run_for(60_000_000_000)
    assert np.isclose(twin.energy.level_j[0], SMALL.initial_j, atol=1e-3) and not twin.energy.changed


def test_a_torque_that_is_no_number_takes_the_torque_away_until_it_is_cleared():
    twin = guarded(SMALL)
    stiffness = twin.impedance.stiffness[0, 0]
    twin.impedance.stiffness[0, 0] = np.nan
    twin.run_for(20_000_000)
    assert twin.energy.latched[0] and twin.energy.changed["invalid"] == 10
    assert not twin._account.torque.any()
    twin.impedance.stiffness[0, 0] = stiffness
    twin.run_for(20_000_000)
    assert not twin._account.torque.any() and energy_status(twin.energy)[0] == "error"
    twin.unlatch()
    twin.scene.data.qpos[0] += 0.05
    twin.run_for(2_000_000)
    assert twin._account.torque.any()


def weighted(mass_kg: float, centre_m: np.ndarray, budget: Budget) -> TwinRobot:
    """With a load at the tool that nobody declared."""
    description = load_robot("panda")
    limb, spec = description.limbs[0], new_scene(0.002)
    attach_robot(spec, description)
    offset, turn = tcp_offset(limb)
    spec.body(limb.arm.flange).add_body(
        name="weight",
        pos=offset + turn @ centre_m,
        mass=mass_kg,
        ipos=[0, 0, 0],
        inertia=[1e-4] * 3,
        explicitinertial=True,
    )
    model = spec.compile()
    return TwinRobot(Scene(model, mujoco.MjData(model), description), description.action_spec(PERIOD_S), budget=budget)


def lifted_j(twin: TwinRobot, height_m: float) -> float:
    """J that the tank pays for going up."""
    before, target = twin.work_j[0], twin.target
    target[2] += height_m
    move(twin, target, 2.0)
    return float(twin.work_j[0] - before)


def test_a_load_that_nobody_declared_is_paid_by_the_tank_and_one_that_was_identified_is_not():
    mass, centre, wide = 0.5, np.array([0.02, -0.015, 0.0]), replace(load_budget("far"), initial_j=4.0)
    twin = weighted(mass, centre, wide)
    twin.run_for(2_000_000_000)
    paid = lifted_j(twin, 0.2)
    assert np.isclose(paid, mass * 9.81 * 0.2, rtol=0.05)
    found = twin.identify_payload()
    assert np.isclose(found.mass_kg, mass, rtol=0.03)
    np.testing.assert_allclose(found.centre_m[:2], centre[:2], atol=2e-3)
    twin.run_for(2_000_000_000)
    target = twin.target
    target[2] -= 0.2
    move(twin, target, 2.0)
    assert abs(lifted_j(twin, 0.2)) < 0.05 * paid
    assert [each.limb for each in twin.payloads] == [0]
    twin.reset()
    assert twin.impedance.payload[0, 0] == 0 and not twin.payloads


def test_a_payload_is_identified_at_rest_and_clear_of_everything():
    twin = guarded(None)
    with pytest.raises(TillerError, match="carries 0 g"):
        twin.identify_payload()
    target = twin.target
    target[1] += 0.1
    twin.hold(target)
    with pytest.raises(TillerError, match="at rest, and the tcp moves"):
        twin.identify_payload()
    for sideways, down, words in ((4.0, -6.0, "in contact: 4.0 N sideways"), (0.0, -58.0, "more than a load of 5 kg")):
        free = guarded(None)
        push_for(free, np.array([sideways, 0, down, 0, 0, 0]), 2.0)
        with pytest.raises(TillerError, match=words):
            free.identify_payload()
    pulled = guarded(load_budget("near"))
    push_for(pulled, np.array([0, 0, -25.0, 0, 0, 0]), 2.0)  # beyond what its spring may hold up
    with pytest.raises(TillerError, match="the budget's filters shorten what holds the tool"):
        pulled.identify_payload()
    assert not pulled.payloads


def test_an_empty_tank_stalls_a_lift_and_the_operator_sees_it():
    twin = weighted(0.5, np.zeros(3), SMALL)
    twin.run_for(1_000_000_000)
    start = tcp_pose(twin)[0][2]
    lifted_j(twin, 0.2)
    risen = tcp_pose(twin)[0][2] - start
    assert 0.02 < risen < 0.15 and twin.energy.overdrafts.sum() == 0
    assert "nearly empty" in energy_status(twin.energy)[1]


def test_a_budget_of_another_robot_is_refused():
    with pytest.raises(InputError, match="expected one for the robot 'panda', got one for 'ur5e'"):
        guarded(replace(SMALL, robot="ur5e"))


def test_two_arms_have_a_tank_each():
    twin = guarded(SMALL, robot="two_panda")
    target = twin.target
    first = twin.action_spec.slices[twin.description.limbs[0].field("tcp.position")]
    target[first.start + 1] += 0.2
    twin._follow(target)
    twin.run_for(300_000_000)
    assert twin.energy.spent_j[0] > 10 * twin.energy.spent_j[1]
    assert twin.observe()["energy.tank"].shape == (2,)


@pytest.mark.parametrize("budget, speed", [("far", 0.25), ("near", 0.05)])
def test_a_budget_allows_the_speed_that_it_states_in_free_space(budget, speed):
    tracks = []
    for twin in (guarded(load_budget(budget)), guarded(None)):
        rest, places = twin.target, []
        for step in range(1, 41):  # to and fro at that speed
            target = rest.copy()
            way = speed * step * PERIOD_S
            target[1] += 0.1 - abs((way + 0.1) % 0.4 - 0.2)
            twin.hold(target)
            places.append(tcp_pose(twin)[0] - target[:3])
        tracks.append(np.sqrt(np.mean(np.square(places))))
    assert abs(tracks[0] - tracks[1]) <= 0.02 * tracks[1]


def test_an_episode_observes_and_tells_its_tank():
    env = sim.make("twin/lift", budget="near")
    assert isinstance(env, sim.tasks.environment.TaskEnv)
    observation, info = env.reset(seed=1)
    assert observation["energy.tank"] == [1.0] and info["energy_overdrafts"] == 0 == observation["energy.changed"]
    action = env.holding(observation)
    action[2] -= 0.15
    for _ in range(20):
        observation, *_, info = env.step(action)
    assert 0 <= observation["energy.tank"][0] < 1 and info["energy_spent_j"] > 0
    assert np.isclose(observation["energy.changed"][0], info["energy_changed"]) and info["energy_changed"] > 0
    by_reason = sum(count for name, count in info.items() if name.startswith("energy_") and name.endswith("_steps"))
    assert by_reason == round(info["energy_changed"] * 20 * 25)
    env.close()
    plain = sim.make("twin/lift")
    assert "energy.tank" not in plain.reset(seed=1)[0]
    plain.close()


def test_an_evaluation_records_the_energy_of_each_episode(tmp_path):
    found = []
    for enforce in (True, False):
        options = {"budget": "near", "enforce": enforce, "max_steps": 12}
        evaluation = evaluate_policy(
            Wanderer("twin/lift", options, reach=0.01),
            "twin/lift",
            episodes=2,
            seed=7,
            workers=1,
            batch=2,
            options=options,
        )
        found.append(read_evaluation(write_evaluation(evaluation, tmp_path / f"{enforce}.json")))
    held, shadow = found
    assert all(record.energy["changed"] > 0 for record in held.records)
    assert held.summary.overdrawn == 0 < shadow.summary.overdrawn
    mean = np.mean([record.energy["overdraft_j"] for record in shadow.records])
    assert np.isclose(shadow.summary.energy["overdraft_j"], mean) and mean > 0.05


def test_the_file_of_no_budget_is_a_clear_message():
    with pytest.raises(InputError, match="Did you mean 'near'"):
        sim.make("twin/lift", budget="neer")


def test_a_twin_without_a_budget_is_what_it_was():
    plain, free = make_twin("panda"), guarded(load_budget("free"))
    free.scene.model.geom_solref[:] = plain.scene.model.geom_solref
    free.scene.model.geom_solimp[:] = plain.scene.model.geom_solimp
    for twin in (plain, free):
        target = twin.target
        target[:3] += (0.1, 0.1, -0.05)
        move(twin, target, 0.5)
    np.testing.assert_array_equal(plain.scene.data.qpos, free.scene.data.qpos)
    assert plain.work_j[0] == free.work_j[0] != 0 and not free._guard.tank[0, OVERDRAFTS]
