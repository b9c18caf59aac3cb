"""Make an environment that is registered with Gymnasium, and read what it says of its time."""

from __future__ import annotations

import os
from importlib import import_module
from math import isfinite
from typing import Any, Mapping

import gymnasium
from gymnasium.envs.registration import EnvSpec

from robot.errors import InputError, nearest
from sim.rendering.backend import find_backend
from sim.tasks.gym.values import number_in

GIVE_PERIOD = (
    "Give the control period in seconds: options.period_s= on the command line, period_s= of sim.make in Python"
)


def build_env(name: str, *, render: bool, arguments: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    """Make a registered environment, without its time limit.

    Args:
        name: `ID` or `MODULE:ID`.
        render: whether it draws.
        arguments: of its constructor.

    Raises:
        InputError: there is none of that name, or it does not take the arguments or cannot draw.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    module, _, registered = name.rpartition(":")
    if module:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise InputError(
                f"task gym/{name}", expected="a module that can be imported", got=f"'{module}' ({error})"
            ) from error
    if registered not in gymnasium.registry:
        raise InputError(
            "task",
            expected="an id that is registered with Gymnasium",
            got=f"'gym/{name}'",
            way_out=nearest(f"gym/{registered}", [f"gym/{each}" for each in gymnasium.registry]),
        )
    if render and (backend := find_backend()):
        os.environ["MUJOCO_GL"] = backend
    mode = {"render_mode": "rgb_array"} if render else {}
    try:
        env = gymnasium.make(registered, max_episode_steps=-1, disable_env_checker=True, **mode, **arguments)
    except (ImportError, gymnasium.error.Error) as error:
        raise InputError(f"task gym/{name}: {error}") from error
    except TypeError as error:
        if render and "render_mode" in str(error):
            raise InputError(
                f"task gym/{name}: render", expected="an environment that takes render_mode='rgb_array'", got=str(error)
            ) from error
        if not arguments:
            raise
        raise InputError(
            f"option arguments of gym/{name}", expected="what the environment takes", got=str(error)
        ) from error
    _without_empty_options(env)
    return env


def period_of(env: gymnasium.Env[Any, Any], name: str) -> float:
    """The control period of an environment in s, or an InputError where it gives none."""
    # None of these means the control period everywhere, hence the order: PushT's dt is that of its integrator, and
    # Pendulum's pictures are not at the rate of its steps.
    if rate := _positive(getattr(env.unwrapped, "control_hz", None), f"control_hz of gym/{name}"):
        return 1 / rate
    if dt := _positive(getattr(env.unwrapped, "dt", None), f"dt of gym/{name}"):
        return dt
    if rate := _positive(env.metadata.get("render_fps"), f"metadata['render_fps'] of gym/{name}"):
        return 1 / rate
    raise InputError(
        f"control period of gym/{name}",
        got="none of them",
        way_out=GIVE_PERIOD,
        expected="control_hz, dt or metadata['render_fps'] of the environment",
    )


def _positive(value: Any, thing: str) -> float | None:
    """The number that an environment gives of its time; None where it gives none, a method or 0."""
    if value is None or callable(value):
        return None
    number = number_in(value)
    if number == 0:
        return None
    if number is None or not (number > 0 and isfinite(number) and isfinite(1 / number)):
        raise InputError(thing, expected="one finite number above 0", got=repr(value), way_out=GIVE_PERIOD)
    return number


def max_steps_of(spec: EnvSpec, name: str) -> int:
    """The time limit that is registered, in steps, or an InputError where none is."""
    if spec.max_episode_steps is None:
        raise InputError(
            f"time limit of gym/{name}",
            expected="max_episode_steps registered with it",
            got="none",
            way_out="Give it in steps: options.max_steps= on the command line, max_steps= of sim.make in Python",
        )
    return spec.max_episode_steps


def _without_empty_options(env: gymnasium.Env[Any, Any]) -> None:
    """Put a wrapper below all others for environments whose `reset` does not take the options that they pass on."""
    outer = env
    while isinstance(outer, gymnasium.Wrapper) and isinstance(outer.env, gymnasium.Wrapper):
        outer = outer.env
    if isinstance(outer, gymnasium.Wrapper):
        outer.env = _Reset(outer.env)


class _Reset(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Passes options on only where there are some."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.env.reset(seed=seed) if options is None else self.env.reset(seed=seed, options=options)
