"""Any registered Gymnasium environment as a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import sim
from robot.errors import InputError
from sim.evaluation.env_runner import EnvConfig, EnvRunner, Reset
from sim.tasks import task_info


class Reach(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A point on a line that is told how to move, seen through nested spaces; success is told by `key`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}
    observation_space = spaces.Dict(
        {
            "arm": spaces.Dict({"position": spaces.Box(-9, 9, (1,), np.float64), "grasp": spaces.Discrete(2)}),
            "goal": spaces.Box(-9, 9, (), np.float64),
            "camera": spaces.Box(0, 255, (8, 8, 3), np.uint8),
        }
    )
    action_space = spaces.Box(-1, 1, (1, 1), np.float32)

    def __init__(self, key: str = "is_success", render_mode: str | None = None) -> None:
        self.key, self.render_mode, self.position = key, render_mode, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.position = float(self.np_random.uniform(-0.1, 0.1))
        return self.see(), {}

    def step(self, action: np.ndarray) -> Any:
        assert self.action_space.contains(action)
        self.position += float(action[0, 0])
        return self.see(), -abs(3 - self.position), False, False, {self.key: self.tell()}

    def tell(self) -> Any:
        return self.position > 2.5

    def see(self) -> dict[str, Any]:
        return {
            "arm": {"position": np.array([self.position]), "grasp": int(self.position > 1)},
            "goal": np.array(3.0),
            "camera": np.full((8, 8, 3), 7, np.uint8),
        }


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    gymnasium.register("toy/Reach-v0", entry_point=Reach, max_episode_steps=10)
    silent = {"key": "x"}
    gymnasium.register("toy/Bare-v0", entry_point=Reach, kwargs=silent, max_episode_steps=10, reward_threshold=-20)
    gymnasium.register("toy/Endless-v0", entry_point=Reach)
    yield
    for name in ("toy/Reach-v0", "toy/Bare-v0", "toy/Endless-v0"):
        gymnasium.registry.pop(name)


def run(env: Any, action: float) -> tuple[int, bool, bool, float]:
    """Length, terminated, truncated, return."""
    env.reset(seed=0)
    total, length = 0.0, 0
    while True:
        _, reward, terminated, truncated, info = env.step(np.full(env.action_spec.dim, action))
        total, length = total + reward, length + 1
        assert info["success"] == terminated
        if terminated or truncated:
            return length, terminated, truncated, total


def test_nested_observations_are_named_by_their_keys() -> None:
    env = sim.make("gym/toy/Reach-v0")
    first, _ = env.reset(seed=0)
    assert {each.name: (each.shape, each.dtype, each.kind) for each in env.observation_spec} == {
        "arm.position": ((1,), "float32", "state"),
        "arm.grasp": ((2,), "float32", "state"),
        "goal": ((1,), "float32", "state"),
        "camera": ((8, 8, 3), "uint8", "image"),
    }
    env.observation_spec.check_row(first)
    np.testing.assert_array_equal(first["arm.grasp"], [1, 0])
    assert env.task.control_hz == 5


class Odd(Reach):
    """What people register in practice: an observation and a space of any kind, and a reset of the plainest form."""

    def __init__(self, space: spaces.Space[Any], seen: Any, action_space: Any = None) -> None:
        super().__init__()
        self.observation_space, self.seen, self.held = space, seen, np.zeros(1)
        self.action_space = action_space or Reach.action_space

    def reset(self, seed: int | None = None) -> Any:  # type: ignore[override]
        return self.seen, {}

    def step(self, action: np.ndarray) -> Any:
        self.held = action
        return self.seen, 0.0, False, False, {"success": False}


def odd(space: spaces.Space[Any], seen: Any, action_space: Any = None, **options: Any) -> Any:
    gymnasium.register("toy/Odd-v0", entry_point=Odd, max_episode_steps=3)
    try:
        given = {"space": space, "seen": seen, "action_space": action_space}
        return sim.make("gym/toy/Odd-v0", arguments=given, **options)
    finally:
        gymnasium.registry.pop("toy/Odd-v0")


def pixels(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


def test_keys_with_dots_are_keys() -> None:
    top = spaces.Dict({"top": pixels(8, 9, 3)})
    space = spaces.Dict({"observation.state": spaces.Box(-1, 1, (3,)), "observation": top})
    env = odd(space, {"observation.state": np.ones(3), "observation": {"top": np.ones((8, 9, 3), np.uint8)}})
    first, _ = env.reset(seed=0)
    assert {name: row.shape for name, row in first.items()} == {"observation.top": (8, 9, 3), "observation.state": (3,)}
    double = spaces.Dict({"a.b": spaces.Box(-1, 1, (3,)), "a": spaces.Dict({"b": spaces.Box(-1, 1, (3,))})})
    with pytest.raises(InputError, match=r"differ when joined by dots, got 'a\.b' twice"):
        odd(double, {})


@pytest.mark.parametrize("shape", [(16, 12, 3), (16, 12, 4), (16, 12, 1), (16, 12), (3, 16, 12), (1, 16, 12)])
def test_what_is_declared_as_an_image_is_seen_as_one(shape: tuple[int, ...]) -> None:
    env = odd(pixels(*shape), np.full(shape, 7, np.uint8))
    first, _ = env.reset(seed=0)
    env.observation_spec.check_row(first)
    field = env.observation_spec["observation"]
    assert (field.kind, field.shape, field.dtype) == ("image", (16, 12, 3), "uint8")
    assert (first["observation"] == 7).all()
    numbers = odd(pixels(*shape), np.full(shape, 7, np.uint8), kinds={"observation": "state"}).observation_spec
    assert (numbers["observation"].kind, numbers["observation"].dtype) == ("state", "float32")


def test_a_stack_of_grey_images_and_real_numbers_are_no_image_unless_said() -> None:
    stack = odd(pixels(4, 16, 12), np.zeros((4, 16, 12), np.uint8)).observation_spec["observation"]
    assert (stack.kind, stack.shape) == ("state", (4, 16, 12))
    space, seen = spaces.Box(0, 1, (16, 12, 3), np.float32), np.full((16, 12, 3), 0.2, np.float32)
    assert odd(space, seen).observation_spec["observation"].kind == "state"
    env = odd(space, seen, kinds={"observation": "image"})
    assert (env.reset(seed=0)[0]["observation"] == 51).all()


def test_integer_actions_are_rounded_to_the_nearest() -> None:
    env = odd(spaces.Box(-1, 1, (1,)), np.zeros(1), spaces.Box(np.array([0, 3]), np.array([5, 9]), dtype=np.int64))
    env.reset(seed=0)
    env.step(np.array([2.9, 99.0]))
    assert env._env.unwrapped.held.tolist() == [3, 9]


@pytest.mark.parametrize(
    "space, seen, words",
    [
        (spaces.Box(-1, 1, (3,)), np.zeros(5), r"expected shape \(3,\), as its space declares, got \(5,\)"),
        (pixels(8, 8, 3), np.zeros((9, 8, 3), np.uint8), r"expected shape \(8, 8, 3\)"),
        (spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Box(-1, 1, (1,))}), {"a": np.zeros(2)}, "a key 'b'"),
        (spaces.Box(-1, 1, (3,)), "words", "observation 'observation'"),
        (spaces.Box(-1, 1, (2,)), [[1.0], [2.0, 3.0]], "observation 'observation'"),
    ],
)
def test_observations_that_are_not_what_their_space_declares_are_named(space: Any, seen: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        odd(space, seen).reset(seed=0)


@pytest.mark.parametrize(
    "method, answer, words",
    [
        (
            "reset",
            lambda *_, **__: np.zeros(1),
            r"reset of gym/toy/Odd-v0: expected \(observation, info\), got ndarray",
        ),
        ("reset", lambda: (np.zeros(1), {}), "expected a method that takes seed="),
        ("step", lambda _: (np.zeros(1), 0.0, False, {}), "step of gym/toy/Odd-v0: .*got 4 values"),
    ],
)
def test_environments_of_the_old_interface_are_named(method: str, answer: Any, words: str) -> None:
    env = odd(spaces.Box(-1, 1, (1,)), np.zeros(1))
    setattr(env._env.unwrapped, method, answer)
    with pytest.raises(InputError, match=words):
        env.reset(seed=0)
        env.step(np.zeros(1))


@pytest.mark.parametrize(
    "kinds, words",
    [
        ({"observatio": "image"}, "Did you mean 'observation'"),
        ({"observation": "images"}, "one of image, state"),
        ({"observation": "image"}, "the key of an image"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(kinds: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        odd(spaces.Box(-1, 1, (3,)), np.zeros(3), kinds=kinds)


def test_success_comes_from_info_and_terminates() -> None:
    assert run(sim.make("gym/toy/Reach-v0"), 1.0) == (3, True, False, 1.0)
    assert run(sim.make("gym/toy/Reach-v0", arguments={"key": "success"}), 1.0) == (3, True, False, 1.0)
    assert run(sim.make("gym/toy/Reach-v0"), 0.0) == (10, False, True, 0.0)


@pytest.mark.parametrize(
    "told, success",
    [
        (True, True),
        (False, False),
        (1.0, True),
        (0.0, False),
        (-1.0, False),
        (float("nan"), False),
        (np.float32(0.5), True),
        (np.array([False, True]), True),
        (np.array([-1.0, float("nan")]), False),
        (np.array(0), False),
        ([0, 2], True),
    ],
)
def test_only_a_positive_truth_is_success(told: Any, success: bool) -> None:
    env = sim.make("gym/toy/Reach-v0")
    env.unwrapped._env.unwrapped.tell = lambda: told
    env.reset(seed=0)
    *_, terminated, _, info = env.step(np.zeros(1))
    assert (info["success"], terminated, info["success_told"]) == (success, success, True)


def test_what_is_no_truth_is_refused_and_nothing_told_is_known() -> None:
    env = sim.make("gym/toy/Reach-v0")
    env.unwrapped._env.unwrapped.tell = lambda: "False"
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"info\['is_success'\].*got 'False'.*success_reward.*success_return"):
        env.step(np.zeros(1))
    env.unwrapped._env.unwrapped.tell = lambda: None
    assert env.step(np.zeros(1))[4]["success_told"] is False
    for given in ({"success_reward": 1.0}, {"success_return": 1.0}):
        spoken = sim.make("gym/toy/Reach-v0", arguments={"key": "x"}, **given)
        spoken.reset(seed=0)
        assert spoken.step(np.zeros(1))[4]["success_told"] is True


def test_success_can_be_a_named_reward() -> None:
    length, terminated, _, _ = run(sim.make("gym/toy/Reach-v0", success_reward=-1.2), 1.0)
    assert (length, terminated) == (2, True)


def test_success_can_be_a_return_at_the_end() -> None:
    assert run(sim.make("gym/toy/Bare-v0", success_return=-100.0), 0.0) == (10, True, False, 1.0)
    assert run(sim.make("gym/toy/Bare-v0", success_return=-1.0), 0.0) == (10, False, True, 0.0)


def test_the_registered_threshold_counts_where_nothing_else_tells() -> None:
    assert run(sim.make("gym/toy/Bare-v0"), 0.3)[1]
    assert not run(sim.make("gym/toy/Bare-v0"), -0.3)[1]
    assert "-20" in task_info("gym/toy/Bare-v0").success


def test_actions_are_clipped_to_their_bounds() -> None:
    env = sim.make("gym/toy/Reach-v0", reward="native")
    env.reset(seed=0)
    observation, reward, *_ = env.step(np.array([50.0]))
    assert observation["arm.position"][0] < 1.2
    assert reward == pytest.approx(-abs(3 - observation["arm.position"][0]), abs=1e-5)


@pytest.mark.parametrize(
    "task_id, key, dim, hz, limit",
    [
        ("gym/Pendulum-v1", "observation", 1, 20, 200),
        ("gym/MountainCarContinuous-v0", "observation", 1, 30, 999),
        ("gym/Reacher-v5", "observation", 2, 50, 50),
        ("gym/gym_pusht:gym_pusht/PushT-v0", "observation", 2, 10, 300),
    ],
)
def test_published_environments_work(task_id: str, key: str, dim: int, hz: float, limit: int) -> None:
    env = sim.make(task_id, reward="native")
    first, _ = env.reset(seed=4)
    again, _ = env.reset(seed=4)
    np.testing.assert_array_equal(first[key], again[key])
    env.observation_spec.check_row(first)
    assert (env.action_spec.dim, env.task.control_hz, env.task.max_steps) == (dim, hz, limit)
    length, terminated, truncated, total = run(env, 0.0)
    assert (length, terminated, truncated) == (limit, False, True)
    assert np.isfinite(total)
    env.close()


def test_pictures_come_from_the_environment() -> None:
    env = sim.make("gym/Pendulum-v1", render=True)
    env.reset(seed=0)
    picture = env.render()
    assert picture.ndim == 3
    assert picture.dtype == np.uint8
    assert picture.std() > 1
    env.close()


@pytest.mark.parametrize(
    "task_id, options, words",
    [
        ("gym/CartPole-v1", {}, "continuous"),
        ("gym/Pendulum-v2", {}, "Did you mean 'gym/Pendulum-v1'?"),
        ("gym/no_such_module:Env-v0", {}, "no_such_module"),
        ("gym/toy/Endless-v0", {}, "max_steps="),
        ("gym/Pendulum-v1", {"success_reward": 1.0, "success_return": 1.0}, "both"),
        ("gym/Pendulum-v1", {"period_s": 0.0}, "above 0"),
        ("gym/Pendulum-v1", {"period_s": float("nan")}, "above 0"),
        ("gym/Pendulum-v1", {"success_return": float("nan")}, "at least"),
        ("gym/Pendulum-v1", {"succes_return": 1.0}, "Did you mean 'success_return'?"),
        ("gym/Pendulum-v1", {"arguments": {"gravity": 1.0, "wind": 2.0}}, "wind"),
    ],
)
def test_what_cannot_be_made_says_why(task_id: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        sim.make(task_id, **options)
    assert words in str(error.value)


def test_limits_and_periods_can_be_given() -> None:
    env = sim.make("gym/toy/Endless-v0", max_steps=4, period_s=0.02)
    assert (env.task.control_hz, env.action_spec.period_s) == (50, 0.02)
    assert run(env, 0.0)[0] == 4


def test_a_module_named_in_the_id_registers_its_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_tasks.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import PendulumEnv\n"
        "gymnasium.register('toy/Swing-v0', entry_point=PendulumEnv, max_episode_steps=3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run(sim.make("gym/toy_tasks:toy/Swing-v0"), 0.0)[0] == 3
    gymnasium.registry.pop("toy/Swing-v0")


def timed(monkeypatch: pytest.MonkeyPatch, attribute: str, value: Any) -> Any:
    if attribute == "render_fps":
        monkeypatch.setitem(Reach.metadata, attribute, value)
    else:
        monkeypatch.setattr(Reach, attribute, value, raising=False)
    return sim.make("gym/toy/Reach-v0")


@pytest.mark.parametrize(
    "attribute, value, words",
    [
        ("render_fps", "fast", r"metadata\['render_fps'\] of gym/toy/Reach-v0: .* got 'fast'"),
        ("render_fps", float("inf"), "got inf"),
        ("render_fps", -5, "got -5"),
        ("dt", "slow", r"^dt of gym/toy/Reach-v0: expected one finite number above 0, got 'slow'"),
        ("dt", np.array([0.1, 0.2]), "^dt of gym/toy/Reach-v0"),
        ("control_hz", "10 Hz", "^control_hz of gym/toy/Reach-v0: .* got '10 Hz'.*options.period_s="),
    ],
)
def test_a_rate_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, attribute: str, value: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        timed(monkeypatch, attribute, value)


def test_a_rate_of_zero_or_a_method_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, "dt", 0).task.control_hz == 5
    assert timed(monkeypatch, "control_hz", lambda: "often").task.control_hz == 5


def test_what_is_missing_is_given_as_the_command_line_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"options\.max_steps="):
        sim.make("gym/toy/Endless-v0")
    with pytest.raises(InputError, match=r"options\.period_s="):
        timed(monkeypatch, "render_fps", None)


def test_whole_numbers_are_keys_too() -> None:
    space = spaces.Dict([(0, spaces.Box(-1, 1, (3,))), (1, spaces.Box(-1, 1, (2,)))])  # type: ignore[arg-type]
    first, _ = odd(space, {0: np.ones(3), 1: np.zeros(2)}).reset(seed=0)
    assert {name: row.shape for name, row in first.items()} == {"0": (3,), "1": (2,)}


@pytest.mark.parametrize(
    "answer, words",
    [
        ((0.0, None, False, False, {}), "reward of step of gym/toy/Odd-v0: expected one number, got None"),
        ((0.0, np.ones(2), False, False, {}), r"reward of step of .* got array\(\[1\., 1\.\]\)"),
        ((0.0, float("nan"), False, False, {}), "reward of step of .* got nan.*seed 4, step 0"),
        ((0.0, 0.0, [True, False], False, {}), "terminated of step of .*: expected true or false"),
        ((0.0, 0.0, False, False, None), "info of step of gym/toy/Odd-v0: expected a dict.* got None"),
        ((0.0, 0.0, False, False, {"success": [[True], [True, False]]}), r"info\['success'\] of gym/toy/Odd-v0"),
    ],
)
def test_a_step_that_answers_with_no_number_or_truth_is_named(answer: Any, words: str) -> None:
    env = odd(spaces.Box(-1, 1, (1,)), np.zeros(1), success_return=None)
    env._env.unwrapped.step = lambda _: (np.zeros(1), *answer[1:])
    env.reset(seed=4)
    with pytest.raises(InputError, match=words):
        env.step(np.zeros(1))


@pytest.mark.parametrize("seen", [[0.0, np.inf], [np.nan, 0.0]])
def test_an_observation_that_is_not_finite_is_named_with_its_seed(seen: list[float]) -> None:
    env = odd(spaces.Box(-np.inf, np.inf, (2,)), np.array(seen))
    runner = EnvRunner(EnvConfig("gym/toy/Odd-v0", {}, ("observation",), 1), env)
    with pytest.raises(
        InputError, match="observation 'observation' of gym/toy/Odd-v0, seed 9, step 0: expected finite"
    ):
        runner.run(Reset(0, 9))
