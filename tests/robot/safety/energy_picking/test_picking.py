"""A budget is what benign episodes need, with room: by the formulas, on episodes whose energy is known on paper."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from robot.safety.energy.benign import gravity_share, require_no_gravity
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.picking import Harm, measure, net_power_w, pick
from robot.safety.energy.replay import replay
from robot.safety.energy.streams import EnergyStream
from robot.safety.energy.torque.filter import TorqueFilter
from tests.robot.safety.energy_picking.arms import INERTIA, pushed, reaching, stamps, weight

REACHING = [reaching(seed) for seed in range(20)]


def spread(level: float = 1.0, episodes: int = 20) -> list[EnergyStream]:
    """Episodes that draw 1, 2, 3 ... times `level` J."""
    return [pushed(f"{number:03}", 2.0, level * number / 2.0) for number in range(1, episodes + 1)]


def test_what_is_drawn_is_the_most_that_the_sum_of_work_came_to() -> None:
    stream = pushed("a", 4.0, 0.5)
    assert stream.drawn_j == pytest.approx(2.0, rel=1e-12)
    assert stream.work_j.sum() == pytest.approx(1.0, rel=1e-12), "half of it came back"
    assert replace(stream, torque=-stream.torque).drawn_j == 0.0, "an arm that was only braked drew nothing"


def test_the_work_of_held_torques_is_the_energy_that_the_arm_took() -> None:
    stream = reaching(3)
    kinetic = 0.5 * (INERTIA * stream.velocity[-1] ** 2).sum()
    assert stream.work_j.sum() == pytest.approx(kinetic, abs=1e-9)


def test_the_initial_energy_is_one_and_a_half_of_the_95th_percentile_beyond_the_reserve() -> None:
    found = pick(spread(), robot="made_up")
    wanted = found.budget.reserve_j + 1.5 * 19.05  # of 1 .. 20 J
    assert wanted <= found.budget.initial_j <= wanted * 1.01
    assert found.budget.capacity_j == 2 * found.budget.initial_j
    assert found.budget.robot == "made_up"
    assert found.budget.acceleration == pytest.approx(found.statistics.acceleration, rel=0.01)


def jerky(name: str, way: float) -> EnergyStream:
    """A slow arm that pushes hard and jerks now and then: what a filter cannot know outweighs what the arm gives."""
    slow = pushed(name, 40.0, way)
    joints = slow.joints.copy()
    joints[100::100, 0] += 2e-5
    return replace(slow, joints=joints)


def test_the_reserve_holds_one_step() -> None:
    steps = np.abs(np.concatenate([stream.work_j for stream in REACHING]))
    assert pick(REACHING, robot="").budget.reserve_j >= np.percentile(steps, 99.9)


def test_with_the_reserve_alone_in_the_tank_these_episodes_can_brake() -> None:
    streams = [jerky(str(number), 0.0107) for number in range(20)]
    budget = pick(streams, robot="", gravity=np.zeros_like).budget
    ledger = EnergyLedger(budget, 0.001)
    ledger.set_level(budget.reserve_j, reason="test")
    brakes = TorqueFilter(ledger, np.array(budget.acceleration))
    slowed = cut = 0
    for stream in streams[:2]:
        for k in np.flatnonzero((stream.torque * stream.speed).sum(axis=1) < 0):
            slowed += 1
            cut += bool(brakes.filter(stream.torque[k], stream.speed[k]).changed[0])
    assert slowed > 500 and cut == 0


def test_the_power_is_above_nearly_all_that_was_seen() -> None:
    found = pick(REACHING, robot="made_up")
    power = np.concatenate([stream.work_j / stream.period_s for stream in REACHING])
    assert found.budget.power_w >= 1.2 * np.percentile(power[power > 0], 99.5)
    assert (power > found.budget.power_w).mean() < 0.005


def test_the_power_has_room_for_the_filters_margin() -> None:
    found = pick([jerky(str(number), 0.05) for number in range(20)], robot="")
    assert found.statistics.reckoned_w > 1.2 * found.statistics.power_w
    assert found.budget.power_w == pytest.approx(found.statistics.reckoned_w, rel=0.01)
    assert found.replay.changed["power"] < 0.005


def test_a_replay_tells_how_low_a_tank_came_on_the_way() -> None:
    budget = pick(spread(), robot="").budget
    assert replay([pushed("a", 4.0, 0.5)], budget).lowest_j == pytest.approx(budget.initial_j - 2.0)
    fed = replace(budget, supply_w=2.0)  # 2 J in 1 s are drawn, and come in
    assert replay([pushed("a", 4.0, 0.5)], fed).lowest_j == pytest.approx(budget.initial_j, abs=0.01)


def test_benign_episodes_would_hardly_be_changed() -> None:
    found = pick(REACHING, robot="made_up")
    assert found.replay.overdrafts == 0 and found.replay.starved == ()
    assert sum(found.replay.changed.values()) < 0.02
    assert found.replay.lowest_j > found.budget.reserve_j


def test_what_is_not_benign_would_be_changed() -> None:
    found = pick(REACHING, robot="made_up")
    pumping = [replace(pushed(f"{number}", 60.0, 3.0), velocity=None) for number in range(3)]
    judged = replay(pumping, found.budget)
    assert judged.starved == ("0", "1", "2") and judged.overdrafts > 0


@settings(max_examples=20)
@given(scale=st.floats(0.05, 50.0))
def test_a_heavier_arm_in_the_same_motion_gets_as_much_more(scale: float) -> None:
    light = pick(REACHING, robot="")
    heavy = pick([replace(each, torque=scale * each.torque) for each in REACHING], robot="")
    for name in ("initial_j", "reserve_j", "capacity_j", "power_w"):
        assert getattr(heavy.budget, name) == pytest.approx(scale * getattr(light.budget, name), rel=0.021)
    assert heavy.statistics.acceleration == pytest.approx(light.statistics.acceleration)


@settings(max_examples=10)
@given(order=st.permutations(range(20)))
def test_the_order_of_the_episodes_does_not_matter(order: list[int]) -> None:
    again = pick([REACHING[number] for number in order], robot="made_up")
    assert again.budget == pick(REACHING, robot="made_up").budget


def test_the_acceleration_is_that_of_the_joints() -> None:
    stream = reaching(5)
    qdd = np.abs(np.diff(stream.velocity, axis=0)) / stream.period_s
    assert np.allclose(stream.acceleration, qdd, atol=1e-6), "the way of a period under a steady acceleration"
    without = replace(stream, velocity=None)
    change = np.diff(stream.velocity, axis=0)
    middle = np.abs(change[1:] + change[:-1]) / (2 * stream.period_s)
    assert np.allclose(without.acceleration, middle, atol=1e-6)
    seen = measure(REACHING)
    joints = np.concatenate([each.acceleration for each in REACHING])
    assert seen.acceleration == pytest.approx(1.5 * np.percentile(joints, 99.9, axis=0))


def test_a_joint_that_stood_still_gets_a_bound_too() -> None:
    bounds = measure(spread()).acceleration
    assert bounds[1] == pytest.approx(0.1 * bounds[0]) and bounds[1] > 0


def test_a_force_on_a_stiffness_bounds_the_spring() -> None:
    harm = Harm(force_n=140.0, wall_n_per_m=75e3)
    found = pick(REACHING, robot="made_up", harm=harm).budget
    assert harm.spring_j == pytest.approx(0.1045, abs=1e-4)
    assert found.spring_j <= harm.spring_j and found.force_n == 140.0
    assert 139.0 < found.peak_force_n(75e3) <= 140.0
    slack = Harm(force_n=140.0, wall_n_per_m=75e3, damping_ratio=0.5)
    assert slack.spring_j == pytest.approx(140**2 / (2 * 75e3 * 2))


def test_without_a_force_the_spring_gets_what_it_held_and_a_fifth() -> None:
    assert pick(REACHING, robot="").budget.spring_j == np.inf
    flat = np.ones(len(REACHING[0].time_ns))
    known = [
        replace(each, spring_j=flat * (0.1 + 0.01 * number), force_n=flat * 12.0)
        for number, each in enumerate(REACHING)
    ]
    found = pick(known, robot="").budget
    assert found.spring_j == pytest.approx(1.2 * 0.29) and found.force_n == pytest.approx(14.4)
    some = [*known[:19], REACHING[19]]
    assert pick(some, robot="").budget.spring_j == np.inf, "one episode without it leaves the most unknown"


def test_where_a_contact_may_cost_less_the_rest_is_supplied() -> None:
    free = pick(spread(0.05), robot="")
    assert free.budget.initial_j > 1.4 and free.budget.supply_w == 0.0
    held = pick(spread(0.05), robot="", harm=Harm(energy_j=1.2))
    assert held.budget.initial_j == held.budget.capacity_j == 1.2
    # 1 s there: e* in watts, of 0.05 .. 1 J.
    assert held.budget.supply_w == pytest.approx(1.2 * 0.05 * 19.05, rel=0.01)
    assert held.replay.starved == ()


def test_the_tank_never_holds_more_than_a_contact_may_cost() -> None:
    found = pick(spread(0.05), robot="", harm=Harm(energy_j=1.7))
    assert found.budget.supply_w == 0.0 and found.budget.capacity_j == 1.7 > found.budget.initial_j


def test_a_harm_that_the_task_does_not_get_along_with_is_refused() -> None:
    bursts = [pushed(f"{number}", 2.0, 1.0, steps=100) for number in range(20)]
    resting = np.zeros((3000, 2))
    late = [
        replace(
            each,
            time_ns=stamps(len(each.time_ns) + 3000),
            torque=np.concatenate([resting, each.torque]),
            joints=np.concatenate([resting, each.joints]),
        )
        for each in bursts
    ]
    with pytest.raises(InputError, match=r"harm_j=0\.5: expected .* at once"):
        pick(late, robot="", harm=Harm(energy_j=0.5))
    with pytest.raises(InputError, match="above the reserve for braking"):
        pick(late, robot="", harm=Harm(energy_j=1e-6))


def test_power_in_contact_is_that_of_the_contact() -> None:
    stream = pushed("a", 2.0, 0.5, contact=np.arange(1501) >= 500)
    assert net_power_w(stream, contact=True) == pytest.approx(0.0, abs=1e-9), "half a joule there, and back"
    first = replace(stream, contact=np.arange(1501) < 500)
    assert net_power_w(first, contact=True) == pytest.approx(0.5 / 0.5)
    assert net_power_w(stream, contact=False) == pytest.approx(1.0 / 1.0), "all of the way there"


@pytest.mark.parametrize(
    "wrong",
    [
        {"force_n": 10.0},
        {"wall_n_per_m": 1e4},
        {"energy_j": 0.0},
        {"energy_j": float("nan")},
        {"force_n": -1.0, "wall_n_per_m": 1e4},
    ],
)
def test_a_harm_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="harm"):
        Harm(**wrong)


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(InputError, match=r"20 or more.*got 19"):
        pick(REACHING[:19], robot="")


def test_failures_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="1 without success: 007"):
        pick([replace(each, success=each.name != "007") for each in REACHING], robot="")


def test_episodes_of_different_arms_or_rates_are_refused() -> None:
    other = REACHING[4]
    wider = replace(other, torque=np.hstack([other.torque] * 2), joints=np.hstack([other.joints] * 2), velocity=None)
    with pytest.raises(InputError, match="joints: expected 2"):
        pick([*REACHING[:19], wider], robot="")
    with pytest.raises(InputError, match=r"period: expected 1 ms.*got 2 ms"):
        pick([*REACHING[:19], reaching(40, period_s=0.002)], robot="")


def test_an_arm_that_rests_is_refused() -> None:
    still = [EnergyStream(str(number), stamps(500), np.ones((500, 2)), np.zeros((500, 2))) for number in range(20)]
    with pytest.raises(InputError, match="an arm that moves and works"):
        pick(still, robot="")


@settings(max_examples=25)
@given(share=st.floats(-1.5, 1.5))
def test_the_share_of_the_weight_in_the_torque_is_found(share: float) -> None:
    held = [replace(each, torque=share * weight(each.joints)) for each in REACHING[:3]]
    assert gravity_share(held, weight) == pytest.approx(share, abs=1e-9)


def test_gravity_in_the_torque_is_refused_with_a_model() -> None:
    assert abs(gravity_share(REACHING, weight)) < 0.1
    pick(REACHING, robot="", gravity=weight)
    heavy = [replace(each, torque=each.torque + weight(each.joints)) for each in REACHING]
    with pytest.raises(InputError, match="none of the arm's weight in it"):
        pick(heavy, robot="", gravity=weight)


def test_an_arm_that_shows_no_weight_is_let_through() -> None:
    lying = [replace(each, torque=each.torque + 3.0) for each in REACHING]
    assert gravity_share(lying, np.zeros_like) is None
    require_no_gravity(lying, np.zeros_like)


def test_gravity_is_seen_at_rest_without_a_model() -> None:
    require_no_gravity(REACHING, None)
    numbers = count()
    rested = []
    for each in REACHING:
        samples = len(each.time_ns) + 400
        pause = np.repeat(each.joints[-1:], 400, axis=0)
        joints = np.concatenate([each.joints, pause])
        torque = np.concatenate([each.torque, np.zeros((400, 2))])
        rested.append(
            replace(each, name=str(next(numbers)), time_ns=stamps(samples), joints=joints, torque=torque, velocity=None)
        )
    require_no_gravity(rested, None)
    with pytest.raises(InputError, match=r"while the arm rests.*in joint 1: gravity is in it"):
        require_no_gravity([replace(each, torque=each.torque + weight(each.joints)) for each in rested], None)
