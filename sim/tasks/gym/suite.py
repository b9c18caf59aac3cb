"""Any environment that is registered with Gymnasium and takes continuous actions.

`gym/ID` takes a registered id, `gym/MODULE:ID` imports a module that registers it first (worker processes do so too).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan
from typing import Annotated, Any, Iterator, Mapping

import gymnasium
import numpy as np
from gymnasium import spaces

from robot.description import ActionField, ActionSpec, ObservationSpec
from robot.description.ranges import Range
from robot.errors import InputError
from sim.rendering.backend import require_backend
from sim.rendering.pictures import as_rgb
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.gym.build import build_env, max_steps_of, period_of
from sim.tasks.gym.observation import field_of, leaves_of
from sim.tasks.gym.values import array_in, number_in
from sim.tasks.info import SAY_SUCCESS, TaskInfo
from sim.tasks.options import TaskOptions, read_options

Reward = Annotated[float, Range(-1e12, 1e12)]
SUCCESS_KEYS = ("success", "is_success")
KINDS = ("image", "state")


@dataclass(frozen=True, kw_only=True)
class GymOptions(TaskOptions):
    """Options of `gym/*`.

    Args:
        success_reward: a step with at least this reward is a success.
        success_return: an episode that ends with at least this sum of rewards is a success.
        period_s: control period; None takes it from the environment's `control_hz`, `dt` or `render_fps`.
        kinds: key of the observation -> `image` or `state`; bytes of an image's shape are images, the rest is not.
        arguments: handed on to `gymnasium.make`.
    """

    success_reward: Reward | None = None
    success_return: Reward | None = None
    period_s: Annotated[float, Range(0, 3600, above=True)] | None = None
    kinds: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.success_reward is not None and self.success_return is not None:
            raise InputError("options success_reward and success_return", expected="one of them", got="both")
        for name, kind in self.declared_kinds.items():
            if kind not in KINDS:
                raise InputError(f"option kinds.{name}", expected=f"one of {', '.join(KINDS)}", got=f"'{kind}'")

    @property
    def declared_kinds(self) -> dict[str, str]:
        """Key -> kind; a key with dots may be given as nested ones."""
        return dict(_flat(self.kinds))


def _flat(kinds: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in kinds.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def names() -> tuple[str, ...]:
    return ()  # whatever is registered, which only a running program knows


def task_info(name: str) -> TaskInfo:
    env = make(name, reward="sparse", options={})
    env.close()
    return env.task


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> GymEnv:
    return GymEnv(name, reward=reward, options=read_options(GymOptions, options, f"gym/{name}"))


class GymEnv(TaskEnv):
    """A Gymnasium environment: `observation`, or the keys of its Dict joined by dots; one flat `action`, clipped.

    Success is, in this order: by the option `success_reward` or `success_return`; `info["success"]` or
    `info["is_success"]` where it is true or above 0; a return, at the end, of at least the `reward_threshold` that was
    registered. `info["success_told"]` is False as long as none of them applies in the episode.
    `env.render()` gives pictures of the environment's own size.
    """

    repeats = True

    def __init__(self, name: str, *, reward: str, options: GymOptions) -> None:
        self._env = build_env(name, render=options.render, arguments=options.arguments)
        self._options = options
        self._threshold = options.success_return
        self._told = False  # whether the environment itself reports success
        self._return = 0.0
        self._seed: int | None = None
        spec, space = gymnasium.registry[name.rpartition(":")[2]], self._env.action_space
        if self._threshold is None and options.success_reward is None:
            self._threshold = spec.reward_threshold
        if not isinstance(space, spaces.Box):
            raise InputError(
                f"action of gym/{name}",
                expected="continuous numbers (a Box space)",
                got=str(space),
                way_out="Choose a task with continuous actions",
            )
        self._leaves = leaves_of(self._env.observation_space, options.declared_kinds, name)
        period_s = options.period_s or period_of(self._env, name)
        task = TaskInfo(
            id=f"gym/{name}",
            control_hz=1 / period_s,
            max_steps=options.max_steps or max_steps_of(spec, name),
            n_action_steps=8,
            success=_success_in_words(options, self._threshold),
            score="1 at success, else 0",
            instruction=f"solve {name}",
        )
        super().__init__(
            task,
            ObservationSpec(tuple(map(field_of, self._leaves.values()))),
            ActionSpec((ActionField("action", int(np.prod(space.shape)), "1", "native"),), period_s),
            bounds=(space.low.ravel(), space.high.ravel()),
            reward=reward,
            options=options,
        )
        self._space = space

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        try:
            begun = self._env.reset(seed=seed, options=dict(options) or None)
        except TypeError as error:
            missing = next((each for each in ("seed", "options") if f"argument '{each}'" in str(error)), None)
            if missing is None:
                raise
            raise InputError(
                f"reset of {self.task.id}",
                expected=f"a method that takes {missing}=",
                got=str(error),
                way_out="Episodes begin from seeds, so that they can be repeated: let reset take seed=",
            ) from error
        self._return, self._told, self._seed = 0.0, False, seed
        observation, _ = self._parts("reset", begun, ("observation", "info"))
        return Outcome(self._observe(observation), 0.0, success=False, score=0.0)

    def advance(self, action: np.ndarray) -> Outcome:
        space = self._space
        whole = np.rint(action) if space.dtype.kind in "iu" else action
        held = np.clip(whole.reshape(space.shape), space.low, space.high).astype(space.dtype)
        observation, reward, terminated, truncated, info = self._parts(
            "step", self._env.step(held), ("observation", "reward", "terminated", "truncated", "info")
        )
        reward = self._number("reward", reward)
        terminated, truncated = (
            bool(value is not None and self._number(name, value))
            for name, value in (("terminated", terminated), ("truncated", truncated))
        )
        self._return += reward
        ends = terminated or truncated or self.steps_left <= 1
        success = self._succeeded(reward, info, ends)
        reported = self._told or self._options.success_reward is not None or self._threshold is not None
        return Outcome(
            self._observe(observation),
            reward,
            success,
            float(success),
            terminated,
            truncated,
            info={"success_told": reported},
        )

    def picture(self) -> np.ndarray:
        if hasattr(self._env.unwrapped, "mujoco_renderer"):
            require_backend()  # its error names what is missing, unlike the renderer's
        return as_rgb(self._env.render(), self.task.id)

    def close(self) -> None:
        self._env.close()

    def _succeeded(self, reward: float, info: Mapping[str, Any], ends: bool) -> bool:
        if self._options.success_reward is not None:
            return reward >= self._options.success_reward
        if self._options.success_return is None:
            results = [self._positive(key, info[key]) for key in SUCCESS_KEYS if info.get(key) is not None]
            self._told |= bool(results)
            if self._told:
                return any(results)
        return ends and self._threshold is not None and self._return >= self._threshold

    def _positive(self, key: str, value: Any) -> bool:
        """Whether the environment's value means success: true, or a number above 0; NaN and -1 do not."""
        numbers = array_in(value)
        if numbers is None:
            raise InputError(
                f"info['{key}'] of {self.task.id}",
                expected="true, false or a number",
                got=repr(value),
                way_out=SAY_SUCCESS,
            )
        return bool(np.any(numbers > 0))

    def _number(self, name: str, value: Any) -> float:
        """A part of a step's answer that is one number or a truth."""
        number = number_in(value)
        if number is None or isnan(number):
            raise InputError(
                f"{name} of step of {self.task.id}",
                expected="one number" if name == "reward" else "true or false",
                got=repr(value),
                way_out=f"Mend the environment: its episode at seed {self._seed}, step {self._steps or 0}",
            )
        return number

    def _parts(self, method: str, answer: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
        """The parts that a method of the environment returned; as many as Gymnasium's interface has."""
        if isinstance(answer, tuple) and len(answer) == len(names) and not isinstance(answer[-1], Mapping):
            raise InputError(
                f"info of {method} of {self.task.id}",
                expected="a dict, which may be empty",
                got=repr(answer[-1]),
                way_out=f"Let {method} return ({', '.join(names)})",
            )
        if not isinstance(answer, tuple) or len(answer) != len(names):
            got = f"{len(answer)} values" if isinstance(answer, tuple) else type(answer).__name__
            raise InputError(
                f"{method} of {self.task.id}",
                expected=f"({', '.join(names)})",
                got=got,
                way_out="Environments of the old Gym interface need a wrapper to Gymnasium's",
            )
        return answer

    def _observe(self, observation: Any) -> Observation:
        return {name: leaf.row(leaf.find(observation)) for name, leaf in self._leaves.items()}


def _success_in_words(options: GymOptions, threshold: float | None) -> str:
    if options.success_reward is not None:
        return f"a reward of at least {options.success_reward:g}"
    at_the_end = "" if threshold is None else f"a return of at least {threshold:g} at the end"
    if options.success_return is not None:
        return at_the_end
    return " or ".join(filter(None, ["info['success'] or info['is_success'] above 0", at_the_end]))
