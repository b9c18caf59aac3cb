"""The tasks as Gymnasium's ids: what a library of reinforcement learning meets that knows nothing of tiller."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit

import sim
import tiller  # registers
from robot.errors import InputError, MissingExtraError
from sim.tasks import task_ids
from tiller import registration
from tiller.cli import main

LIFT = "tiller/twin-lift-v0"
QUICK = {"action": "delta", "reward": "native", "max_steps": 4}


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_every_task_has_an_id_and_none_is_left_over() -> None:
    assert set(registration.task_ids()) == set(task_ids())
    registered = [name for name in gymnasium.registry if name.startswith("tiller/")]
    assert sorted(registered) == sorted(map(registration.gymnasium_id, task_ids()))


COUNT = "len([name for name in gymnasium.registry if name.startswith('tiller/')])"
HEAVY = "sorted({'mujoco', 'torch', 'robosuite', 'numba', 'sim'} & set(sys.modules))"


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium, tiller",
        "import tiller, gymnasium",
        "import tiller; from importlib.util import find_spec; find_spec('gymnasium'); import gymnasium",
        "import gymnasium; gymnasium.spec('CartPole-v1'); import tiller",
    ],
)
def test_importing_tiller_registers_before_or_after_gymnasium_and_brings_no_suite(imports: str) -> None:
    assert fresh(f"{imports}; import sys; print({COUNT}, {HEAVY})") == f"{len(task_ids())} []"


def test_importing_tiller_alone_does_not_import_gymnasium() -> None:
    assert fresh("import tiller, sys; print('gymnasium' in sys.modules)") == "False"


def test_an_id_with_its_module_needs_no_import() -> None:
    code = f"import gymnasium; env = gymnasium.make('tiller:{LIFT}'); print(env.spec.id)"
    assert fresh(code) == LIFT


def test_a_registered_task_is_the_one_that_sim_makes() -> None:
    made, ours = gymnasium.make(LIFT, max_steps=9), sim.make("twin/lift", max_steps=9)
    assert made.observation_space == ours.observation_space and made.action_space == ours.action_space
    first, info = made.reset(seed=3)
    again, info_again = ours.reset(seed=3)
    assert info == info_again
    action = ours.holding(again)
    for _ in range(9):
        for name in first:
            np.testing.assert_array_equal(first[name], again[name])
        first, *rest = made.step(action)
        again, *rest_again = ours.step(action)
        assert rest == rest_again
    assert rest[2] is True, "truncated by the task's own limit"


def test_the_spec_makes_the_same_again_and_no_wrapper_doubles_the_time_limit() -> None:
    env = gymnasium.make(LIFT, **QUICK)
    assert env.spec is not None
    assert (env.spec.id, env.spec.namespace, env.spec.name, env.spec.version) == (LIFT, "tiller", "twin-lift", 0)
    layer: Any = env
    while layer is not layer.unwrapped:
        assert not isinstance(layer, TimeLimit)
        layer = layer.env
    again: Any = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())).unwrapped
    assert again.task == layer.task and again.task.max_steps == 4 and not again.absolute
    assert again.action_space == layer.action_space and not again.sparse


@pytest.mark.parametrize(
    "name, options",
    [("twin-lift", {}), ("twin-lift", {"action": "delta"}), ("pusht-state", {}), ("maze-03", {})],
)
def test_gymnasiums_own_checker_passes(name: str, options: dict[str, Any]) -> None:
    env = gymnasium.make(f"tiller/{name}-v0", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have normalised spaces
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_vector_of_environments_begins_each_episode_anew(mode: str) -> None:
    envs = gymnasium.make_vec(LIFT, num_envs=2, vectorization_mode=mode, **QUICK)
    try:
        first, _ = envs.reset(seed=[1, 2])
        single = gymnasium.make(LIFT, **QUICK)
        lone, _ = single.reset(seed=2)
        action = np.zeros((2, 7), dtype=np.float32)
        for step in range(4):
            np.testing.assert_array_equal(first["cube.position"][1], lone["cube.position"])
            first, reward, _, truncated, _ = envs.step(action)
            lone, lone_reward, *_ = single.step(action[1])
            assert reward[1] == lone_reward and list(truncated) == [step == 3] * 2
        begun, reward, terminated, truncated, _ = envs.step(action)
        assert not (terminated | truncated).any() and not np.array_equal(begun["cube.position"], first["cube.position"])
        for _ in range(4):
            *_, truncated, _ = envs.step(action)
        assert truncated.all()
    finally:
        envs.close()


def test_a_suite_that_is_not_installed_says_so_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gym_pusht.envs.pusht", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tiller\[pusht\]'"):
        gymnasium.make("tiller/pusht-state-v0")


def test_options_are_those_of_sim_make_and_wrong_ones_are_refused_alike() -> None:
    with pytest.raises(InputError, match="Did you mean 'action'"):
        gymnasium.make(LIFT, actoin="delta")
    with pytest.raises(InputError, match="render_mode: expected 'rgb_array' or None"):
        gymnasium.make(LIFT, render_mode="human")
    assert gymnasium.make(LIFT, render_mode="rgb_array").render_mode == "rgb_array"
    assert gymnasium.make(LIFT).render_mode is None


def test_the_command_line_refuses_changes_for_what_acts_by_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["collect", "task=twin/lift", "episodes=1", "options.action=delta", f"output={tmp_path / 'out'}"]
    assert main(words) == 2
    assert "option action of twin/lift: expected absolute" in capsys.readouterr().err


def test_registering_twice_changes_nothing() -> None:
    before = dict(gymnasium.registry)
    registration.register_with_gymnasium()
    assert gymnasium.registry == before and tiller.__version__
