"""Things are put into a bin or on each other: what starts look like, what counts, and that it lasts."""

from __future__ import annotations

from typing import Any, Iterator

import mujoco
import numpy as np
import pytest

import sim
from sim.evaluation.collect import record
from sim.experts import make_expert
from sim.tasks.twin.place import INNER_HALF, KINDS, WALL_HALF, WALL_HEIGHT
from sim.tasks.twin.stack import APART, BASE_HALF, HALF, OFFSET

SEEDS = range(40)
ON_TOP = HALF + BASE_HALF
HAND_AWAY = 0.15  # m from the tcp to anything at the start, at least


@pytest.fixture(scope="module")
def place() -> Iterator[Any]:
    env = sim.make("twin/place")
    yield env
    env.close()


@pytest.fixture(scope="module")
def stack() -> Iterator[Any]:
    env = sim.make("twin/stack")
    yield env
    env.close()


def stand(env: Any, width: float, seconds: float = 0.5) -> None:
    """Let time pass with the arm where it is and the fingers sent to `width`, m."""
    target = env.robot.target.copy()
    target[-1] = width
    for _ in range(round(seconds * env.task.control_hz)):
        env.robot.hold(target)


def put(env: Any, body: str, position: np.ndarray) -> None:
    """Set a body down by hand, at rest."""
    env.scene.put(body, position)
    env.scene.data.qvel[:] = 0
    mujoco.mj_forward(env.scene.model, env.scene.data)


# -- place ------------------------------------------------------------------------------------------------------------


def test_the_bin_and_each_kind_of_object_start_apart_on_either_side(place: Any) -> None:
    kinds, sides, bins = set(), set(), []
    for seed in SEEDS:
        seen, info = place.reset(seed=seed)
        kind = int(seen["object.kind"].argmax())
        assert seen["object.kind"].sum() == 1 and info["instruction"] == f"put the {KINDS[kind][0]} in the bin"
        reach = float(np.linalg.norm(KINDS[kind][2][:2]))  # m, from the middle to a corner, at most
        away = np.abs(seen["bin.from_object"][:2])
        assert away.max() > INNER_HALF + 2 * WALL_HALF + reach, "neither in the bin nor against its wall"
        assert np.linalg.norm(seen["object.from_tcp"]) > HAND_AWAY
        np.testing.assert_allclose(seen["bin.position"] - seen["object.position"], seen["bin.from_object"], atol=1e-6)
        kinds.add(kind)
        sides.add(float(np.sign(seen["bin.position"][1])))
        bins.append(seen["bin.position"][:2])
    assert kinds == set(range(len(KINDS))) and sides == {-1.0, 1.0}
    assert np.ptp(np.abs(bins), axis=0).min() > 0.07, "the bin is drawn too"


def test_the_body_wears_one_kind_that_is_seen_and_touched(place: Any) -> None:
    model = place.scene.model
    for seed in range(8):
        seen, _ = place.reset(seed=seed)
        geoms = [place.scene.id("geom", name) for name, *_ in KINDS]
        worn = seen["object.kind"] > 0
        np.testing.assert_array_equal([model.geom_rgba[geom, 3] > 0 for geom in geoms], worn)
        np.testing.assert_array_equal([model.geom_contype[geom] > 0 for geom in geoms], worn)


def test_objects_lie_still_until_they_are_touched(place: Any, stack: Any) -> None:
    for env, body in ((place, "object"), (stack, "red"), (stack, "green")):
        for seed in range(6):
            seen, _ = env.reset(seed=seed)
            stand(env, 0.08)
            moved = env.scene.data.body(body).xpos - seen[f"{body}.position"]
            assert np.linalg.norm(moved) < 1e-3, f"{env.task.id}, {body}, seed {seed}"


def test_what_lies_in_the_bin_released_and_at_rest_is_placed(place: Any) -> None:
    seen, _ = place.reset(seed=2)
    bin_at = seen["bin.position"].astype(float)
    put(place, "object", bin_at + [0.03, -0.03, 0.03])
    stand(place, 0.08)
    assert place.twin_task.success()
    place.scene.data.joint("object").qvel[0] = 0.2
    assert not place.twin_task.success(), "it slides"
    put(place, "object", bin_at + [0.0, INNER_HALF + 2 * WALL_HALF + 0.04, 0.03])
    stand(place, 0.08)
    assert not place.twin_task.success(), "it lies beside the bin"
    put(place, "object", bin_at + [0.0, 0.0, WALL_HEIGHT + 0.03])
    assert not place.twin_task.success(), "it is above the bin"
    put(place, "object", bin_at + [0.0, 0.0, 0.03])
    stand(place, 0.03)
    assert not place.twin_task.success(), "the gripper is not open"


# -- stack ------------------------------------------------------------------------------------------------------------


def test_cubes_start_apart_on_the_table(stack: Any) -> None:
    places = []
    for seed in SEEDS:
        seen, _ = stack.reset(seed=seed)
        red, green = seen["red.position"], seen["green.position"]
        assert np.linalg.norm((red - green)[:2]) > APART > np.sqrt(2) * ON_TOP, "however they are turned"
        np.testing.assert_allclose([red[2], green[2]], [HALF, BASE_HALF], atol=1e-6)
        assert min(np.linalg.norm(seen[f"{name}.from_tcp"]) for name in ("red", "green")) > HAND_AWAY
        places.append([*red[:2], *green[:2]])
    assert np.ptp(places, axis=0).min() > 0.12


def test_red_on_green_released_and_at_rest_is_stacked(stack: Any) -> None:
    seen, _ = stack.reset(seed=4)
    green = seen["green.position"].astype(float)
    put(stack, "red", green + [0.6 * OFFSET * BASE_HALF, 0.0, ON_TOP])
    stand(stack, 0.08)
    assert stack.twin_task.success()
    stack.scene.data.joint("green").qvel[1] = 0.2
    assert not stack.twin_task.success(), "the tower moves"
    put(stack, "red", green + [1.2 * OFFSET * BASE_HALF, 0.0, ON_TOP])
    stand(stack, 0.08)
    assert not stack.twin_task.success(), "it stands too far off the middle"
    put(stack, "red", green + [0.0, 0.0, ON_TOP + 0.01])
    assert not stack.twin_task.success(), "it is above, not on it"
    put(stack, "red", green + [0.0, 0.0, ON_TOP])
    stand(stack, 0.03)
    assert not stack.twin_task.success(), "the gripper is not open"


def test_green_on_red_is_not_stacked(stack: Any) -> None:
    seen, _ = stack.reset(seed=4)
    put(stack, "green", seen["red.position"].astype(float) + [0.0, 0.0, ON_TOP])
    stand(stack, 0.08)
    assert not stack.twin_task.success()


# -- the experts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["place", "stack"])
def test_what_experts_build_stays_when_time_goes_on(task: str, request: pytest.FixtureRequest) -> None:
    env = request.getfixturevalue(task)
    for seed in range(40, 44):
        episode = record(env, seed)
        assert episode.meta["success"], f"seed {seed}"
        env.robot.stop()
        stand(env, 0.08, seconds=1.0)
        assert env.twin_task.success(), f"seed {seed}"


@pytest.mark.parametrize("task", ["place", "stack"])
def test_each_way_of_the_expert_succeeds_from_the_same_start(task: str, request: pytest.FixtureRequest) -> None:
    env, ways = request.getfixturevalue(task), set()
    for way in range(5):
        expert = make_expert(env.task.id)
        seen, info = env.reset(seed=50)
        expert.reset(seen, np.random.default_rng(way))
        ended = False
        while not ended:
            seen, _, terminated, truncated, info = env.step(expert.act(seen))
            ended = terminated or truncated
        assert info["success"], expert.strategy
        ways.add((expert.strategy["approach"], expert.strategy["carry"]))
    assert len(ways) >= 3


@pytest.mark.parametrize(("task", "body"), [("place", "object"), ("stack", "red")])
def test_experts_fetch_what_slipped_out_of_the_hand(task: str, body: str, request: pytest.FixtureRequest) -> None:
    env = request.getfixturevalue(task)
    expert = make_expert(env.task.id)
    seen, info = env.reset(seed=60)
    start = seen[f"{body}.position"].astype(float)
    expert.reset(seen, np.random.default_rng(0))
    slipped = ended = False
    while not ended:
        if not slipped and seen[f"{body}.position"][2] > start[2] + 0.05:
            put(env, body, start)
            slipped = True
        seen, _, terminated, truncated, info = env.step(expert.act(seen))
        ended = terminated or truncated
    assert slipped and info["success"]


@pytest.mark.parametrize("task", ["place", "stack"])
def test_another_arm_does_it_too(task: str) -> None:
    env = sim.make(f"twin/{task}", robot="ur5e")
    assert sum(bool(record(env, seed).meta["success"]) for seed in range(3)) >= 2
    env.close()
