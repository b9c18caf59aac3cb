"""A state that is saved and put back: what follows is what would have followed, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sim
from robot.errors import InputError
from sim.experts import expert_ids, make_expert
from sim.state.packed import SavedState, pack, unpack
from sim.tasks.environment import TaskEnv

TWINS = ("lift", "place", "stack", "peg", "door", "drawer", "press", "wipe", "hand_grasp", "hand_turn")
BEFORE, AFTER = 30, 12


def actions_of(env: TaskEnv, seed: int, count: int) -> np.ndarray:
    """Those of the task's expert, which touches things, with some noise; else smooth random ones about the middle of
    the bounds, or about where the robot stands.
    """
    observation, _ = env.reset(seed=seed)
    if env.task.id in expert_ids():
        expert, random, actions = make_expert(env.task.id), np.random.default_rng(seed), []
        expert.reset(observation, random)
        for _ in range(count):
            actions.append(expert.act(observation) + 0.002 * random.normal(size=env.action_spec.dim))
            observation, *_ = env.step(actions[-1])
        return np.array(actions)
    low, high = (np.clip(bound, -10, 600) for bound in (env.action_space.low, env.action_space.high))
    middle = env.holding(observation)
    bounded = np.isfinite(env.action_space.low) & (high > low)
    middle = np.where(bounded, (low + high) / 2, middle)
    scale = np.where(bounded, (high - low) / 4, 0.04)
    walk = np.random.default_rng(seed).normal(size=(count, len(middle))).cumsum(axis=0) / 3
    return middle + scale * np.tanh(walk)


def run(env: TaskEnv, actions: np.ndarray) -> list[Any]:
    """All that the steps give."""
    return [env.step(action) for action in actions]


def same(one: Any, other: Any) -> bool:
    """Equal to the bit: mappings, sequences, arrays, numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other) or (one != one and other != other)


def check(task_id: str, **options: Any) -> None:
    env = sim.make(task_id, max_steps=200, **options)
    actions = actions_of(env, 3, BEFORE + AFTER)
    env.reset(seed=3)
    before = run(env, actions[:BEFORE])
    state = env.save()
    instruction = env.instruction
    after = run(env, actions[BEFORE:])

    assert same(env.restore(state), before[-1][0])
    assert same(run(env, actions[BEFORE:]), after), "back in the same episode"
    env.reset(seed=4)
    run(env, actions[:3])
    assert same(env.restore(state), before[-1][0]) and env.instruction == instruction
    assert same(run(env, actions[BEFORE:]), after), "back from another episode"
    other = sim.make(task_id, max_steps=200, **options)
    assert same(other.restore(state), before[-1][0])
    assert same(run(other, actions[BEFORE:]), after), "in another environment"
    assert other.restore(state) and other.save() == state, "what was restored is what was saved"
    env.reset(seed=4)
    expected = run(env, actions)
    other.reset(seed=4)
    assert same(run(other, actions), expected), "the next episode knows nothing of it"


@pytest.mark.parametrize("name", TWINS)
def test_an_episode_of_a_twin_goes_on_as_if_never_left(name: str) -> None:
    check(f"twin/{name}")


@pytest.mark.parametrize(
    ("task_id", "options"),
    [
        ("twin/lift", {"budget": "near"}),
        ("twin/lift", {"inner_hz": 1000}),
        (
            "twin/place",
            {"perturbations": {"friction": 3, "mass": 4, "payload": 2, "object_pose": 3, "distractors": 2}},
        ),
        (
            "twin/drawer",
            {"perturbations": {"observation_noise": 3, "observation_delay": 3, "action_latency": 3}},
        ),
        ("twin/wipe", {"perturbations": {"table_height": 3}, "randomise": True}),
        ("twin/press", {"perturbations": {"textures": 3, "lighting": 3, "camera": 3}, "cameras": ["front"]}),
    ],
    ids=str,
)
def test_budgets_controls_and_perturbations_are_part_of_it(task_id: str, options: dict[str, Any]) -> None:
    check(task_id, **options)


@pytest.mark.parametrize("name", ["Lift", "PickPlaceCan", "NutAssemblySquare", "Door", "Stack"])
def test_an_episode_of_robosuite_goes_on_as_if_never_left(name: str) -> None:
    check(f"robosuite/{name}")


@pytest.mark.parametrize("name", ["pick-place", "drawer-open", "door-lock", "peg-insert-side", "window-open", "soccer"])
def test_an_episode_of_metaworld_goes_on_as_if_never_left(name: str) -> None:
    check(f"metaworld/{name}")


@pytest.mark.parametrize("physics", ["numpy", "mujoco"])
@pytest.mark.parametrize("enforce", [True, False])
def test_an_episode_of_a_maze_goes_on_as_if_never_left(physics: str, enforce: bool) -> None:
    check("maze/03", physics=physics, enforce=enforce)


@pytest.mark.parametrize("task_id", ["pusht/state", "gym/Pendulum-v1", "gym/tests.sim.line_env:Line-v0"])
def test_other_suites_are_put_back_by_repeating_the_episode(task_id: str) -> None:
    check(task_id)


def test_what_does_not_repeat_is_refused() -> None:
    env = sim.make("gym/tests.sim.restless_env:Restless-v0")
    env.reset(seed=1)
    env.step(np.zeros(1))
    state = env.save()
    with pytest.raises(InputError, match=r"another observation this time.*Seed all of its randomness"):
        env.restore(state)
    env.reset()
    with pytest.raises(InputError, match="a start that was not given by a seed"):
        env.save()


def test_a_state_is_refused_by_other_tasks_and_options_and_when_it_was_changed() -> None:
    env = sim.make("twin/lift")
    with pytest.raises(InputError, match="reset before it"):
        env.save()
    env.reset(seed=0)
    state = env.save()
    for other in (sim.make("twin/stack"), sim.make("twin/lift", perturbations={"mass": 2}), sim.make("pusht/state")):
        with pytest.raises(InputError, match="saved state: expected one that was saved of"):
            other.restore(state)
    action = env.holding(env.restore(state))
    for wrong in (b"", state[:-1], state[:40], state + b"x", bytes([state[0] ^ 1]) + state[1:], b"\x80\x04K\x01."):
        with pytest.raises(InputError, match="saved state"):
            env.restore(wrong)
    middle = len(state) // 2
    with pytest.raises(InputError, match="cut or changed"):
        env.restore(state[:middle] + bytes([state[middle] ^ 1]) + state[middle + 1 :])
    env.step(action)


def test_the_state_of_a_twin_is_small() -> None:
    env = sim.make("twin/peg")
    env.reset(seed=0)
    assert len(env.save()) < 100_000


@pytest.mark.parametrize("array", [np.arange(3), np.array([]), np.float32(2.5), np.zeros((2, 0, 3)), np.array([True])])
def test_arrays_come_back_as_they_were(array: np.ndarray) -> None:
    packed = pack("me", SavedState({"a/b": array}, {"c": {"d": [1, None, 2.5, float("inf")]}, "big": 2**127}))
    state = unpack("me", packed)
    assert state.arrays["a/b"].shape == np.shape(array) and state.arrays["a/b"].dtype == np.asarray(array).dtype
    np.testing.assert_array_equal(state.part("a").arrays["b"], array)
    assert state.plain == {"c": {"d": [1, None, 2.5, float("inf")]}, "big": 2**127}
    with pytest.raises(InputError, match="one of me"):
        unpack("you", packed)


@pytest.mark.parametrize("task", ["twin/lift", "metaworld/reach", "maze/03", "robosuite/Lift"])
def test_sound_bytes_of_wrong_content_are_refused_and_the_episode_goes_on(task: str) -> None:
    env, other = sim.make(task), sim.make(task)
    actions = actions_of(env, 3, 8)
    for each in (env, other):
        each.reset(seed=3)
        run(each, actions[:4])
    owner, good = env._owner, env.save()
    state = unpack(owner, good)
    wrong = [SavedState(), SavedState(state.arrays, {}), SavedState({}, state.plain)]
    for name, value in [*state.arrays.items(), *state.plain.items()][::3]:
        for instead in ("x", {"a": 1}, np.zeros((3, 1, 2)), None, -1):
            arrays = {key: each for key, each in state.arrays.items() if key != name}
            plain = {key: each for key, each in state.plain.items() if key != name}
            wrong.append(SavedState(arrays, plain))
            if isinstance(instead, np.ndarray):
                wrong.append(SavedState({**arrays, name: instead}, plain))
            elif not isinstance(value, (np.ndarray, type(instead))):
                wrong.append(SavedState(arrays, {**plain, name: instead}))
    refused = 0
    for each in wrong:
        try:
            env.restore(pack(owner, each))
        except InputError:
            refused += 1
        assert same(env.restore(good), dict(other._given))
    assert refused > 10
    assert same(run(env, actions[4:]), run(other, actions[4:]))
    for nothing in (None, "abc", memoryview(good), 7):
        with pytest.raises(InputError, match="saved state"):
            env.restore(nothing)  # type: ignore[arg-type]


def test_an_unseeded_episode_after_a_restored_one_is_the_one_that_would_have_followed() -> None:
    options = {"perturbations": {"action_latency": 3, "observation_delay": 2, "object_pose": 2}}
    env, other = (sim.make("twin/lift", **options) for _ in range(2))
    env.reset(seed=3)
    state = env.save()
    followed = env.reset()
    for each in (env, other):
        each.restore(state)
        assert same(each.reset(), followed)
