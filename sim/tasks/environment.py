"""Base of the environments of all suites: sparse reward, success that terminates, a limit that truncates."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Mapping

import gymnasium
import numpy as np
from gymnasium import spaces

from robot.contract.contract import Contract
from robot.description import ActionSpec, ObservationSpec, to_json
from robot.errors import DivergedError, InputError
from sim.perturbations.selection import EpisodeDraws
from sim.perturbations.signals import OFFERED, SignalPerturbations
from sim.tasks.info import TaskInfo
from sim.tasks.options import REWARDS, TaskOptions, one_of
from sim.tasks.saving import SavesEpisodes

Observation = dict[str, np.ndarray]
DIVERGED = "diverged"  # key of `info` with the reason why an episode could not go on


@dataclass(frozen=True, eq=False)
class Outcome:
    """A suite's result of one step.

    Args:
        observation: name -> row.
        reward: the suite's own.
        success: whether the goal is reached now.
        score: how well it is reached now, 0 to 1 where the suite has such a measure.
        terminated: whether the suite ended the episode for a reason of its own.
        truncated: whether the suite cut it short.
        info: further values of the suite.
    """

    observation: Observation
    reward: float
    success: bool
    score: float
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


class TaskEnv(SavesEpisodes, gymnasium.Env[Observation, np.ndarray]):
    """One task as a Gymnasium environment. A suite fills in `start`, `advance` and, where it can, `picture`.

    An episode whose physics diverges is terminated without success, at the last observation; `info["diverged"]` has the
    reason.

    Args:
        task: facts of the task.
        observation_spec: keys of the observation, without history.
        action_spec: fields of the raw action.
        bounds: lowest and highest action, each (dim,); None where there is no bound.
        reward: `sparse` or `native`.
        options: time limit, rendering, perturbations.

    Attributes:
        perturbations: names of those that the suite has.

    Raises:
        InputError: no such reward, or a perturbation that the suite does not have.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}
    perturbations: ClassVar[tuple[str, ...]] = OFFERED

    def __init__(
        self,
        task: TaskInfo,
        observation_spec: ObservationSpec,
        action_spec: ActionSpec,
        *,
        bounds: tuple[np.ndarray, np.ndarray] | None,
        reward: str,
        options: TaskOptions,
    ) -> None:
        self.sparse = one_of("reward", reward, REWARDS) == "sparse"
        self.task = replace(task, max_steps=options.max_steps or task.max_steps)
        self.observation_spec = observation_spec
        self.action_spec = action_spec
        self.render_size = options.render_size
        self.render_mode = "rgb_array" if options.render else None
        self.metadata = {**self.metadata, "render_fps": round(task.control_hz)}
        low, high = bounds or (np.full(action_spec.dim, -np.inf), np.full(action_spec.dim, np.inf))
        self.action_space = spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
        self.observation_space = spaces.Dict(
            {
                each.name: spaces.Box(*_range(np.dtype(each.dtype)), each.shape, np.dtype(each.dtype).type)
                for each in observation_spec
            }
        )
        self._steps: int | None = None
        self._last: Observation = {}
        self._given: Observation = {}
        self._instruction = self.task.instruction
        self._selection = options.selection
        # A state is the same however the actions are written that led to it.
        made_with = {name: value for name, value in to_json(options).items() if name != "action"}
        self._made_with = _digest({**made_with, "reward": reward, "render": None, "render_size": None})
        self._selection.require_offered(self.perturbations, self.task.id)
        self._signals = SignalPerturbations(self._selection, observation_spec) if self._selection.active else None
        self._draws = EpisodeDraws(self._selection, 0)

    @property
    def contract(self) -> Contract | None:
        """The contract of the task's robot; None where no contract has the same meaning."""
        return None

    @property
    def absolute(self) -> bool:
        """Whether `step` takes actions as `action_spec` has them, which are what policies and data hold."""
        return True

    @property
    def instruction(self) -> str:
        """What is to be done in this episode: the task's instruction where its reset drew none."""
        return self._instruction

    @property
    def steps_left(self) -> int:
        """Steps until the time limit, the one that is being taken included."""
        return self.task.max_steps - (self._steps or 0)

    @abstractmethod
    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        """Begin an episode that the seed decides entirely; None continues the current random generator."""

    @abstractmethod
    def advance(self, action: np.ndarray) -> Outcome:
        """Hold an action (dim,) for one control period."""

    def holding(self, observation: Observation) -> np.ndarray:
        """The action (dim,) that leaves the robot where it is at the start, given the first observation: the
        observed value under the name of each field, zero where there is none.
        """
        return self.action_spec.pack(
            {
                each.name: np.asarray(observation.get(each.name, np.zeros(each.size)), dtype=np.float64)
                for each in self.action_spec.fields
            }
        )

    def picture(self) -> np.ndarray:
        """The scene as (render_size, render_size, 3) uint8 RGB.

        Raises:
            InputError: the task cannot be drawn.
        """
        raise InputError(f"{self.task.id}: render", expected="a task that can be drawn")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: decides the episode entirely; None continues the current random generator.
            options: of the suite's start.

        Returns:
            The observation, name -> row, and `info`.
        """
        super().reset(seed=seed)
        if self._signals is not None:
            # A generator beside the environment's own, which must continue as if nothing was perturbed.
            own = seed if seed is not None else int(self.np_random.spawn(1)[0].integers(2**31))
            self._draws = EpisodeDraws(self._selection, own)
        outcome = self.start(seed, options or {})
        self._steps, self._last = 0, outcome.observation
        self._instruction = str(outcome.info.get("instruction", self.task.instruction))
        self._begin_saving(seed, options or {})
        self._given = outcome.observation
        if self._signals is None:
            return outcome.observation, _info(outcome)
        observation = self._signals.begin(self._draws, outcome.observation, self.holding(outcome.observation))
        self._given = observation
        return observation, {**_info(outcome), "perturbations": self._draws.record}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an action for one control period.

        Args:
            action: (dim,) raw, in the order and units of `action_spec`.

        Returns:
            The observation, name -> row; the reward; whether the episode is terminated; whether it is truncated; and
            `info` with `success` and `score`.

        Raises:
            InputError: another shape, a number that is not finite, or no reset before.
        """
        if self._steps is None:
            raise InputError(f"{self.task.id}: step", expected="reset before the first step")
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (self.action_spec.dim,):
            raise InputError(
                f"action of {self.task.id} at step {self._steps}",
                got=str(action.shape),
                expected=f"({self.action_spec.dim},): {', '.join(self.action_spec.component_names)}",
            )
        if not np.isfinite(action).all():
            bad = int(np.flatnonzero(~np.isfinite(action))[0])
            raise InputError(
                f"action of {self.task.id} at step {self._steps}: {self.action_spec.component_names[bad]}",
                expected="a finite number",
                got=str(action[bad]),
            )
        self._note_action(action)
        try:
            outcome = self.advance(action if self._signals is None else self._signals.act(action))
        except DivergedError as error:
            # A failed episode must not end all the others: the next reset starts again.
            outcome = Outcome(self._last, 0.0, success=False, score=0.0, terminated=True, info={DIVERGED: str(error)})
        self._steps += 1
        self._last = outcome.observation
        terminated = outcome.success or outcome.terminated
        truncated = not terminated and (outcome.truncated or self._steps >= self.task.max_steps)
        reward = float(outcome.success) if self.sparse else float(outcome.reward)
        observation = outcome.observation if self._signals is None else self._signals.observe(outcome.observation)
        self._given = observation
        return observation, reward, terminated, truncated, _info(outcome)

    def render(self) -> np.ndarray:  # type: ignore[override]
        """The scene as (render_size, render_size, 3) uint8 RGB; the renderer is made at the first call.

        Raises:
            InputError: it was made without `render=True`, or cannot be drawn.
        """
        if self.render_mode is None:
            raise InputError(
                f"{self.task.id}: render", expected="an environment made for it", way_out="Make it with render=True"
            )
        return self.picture()


def require_absolute(env: TaskEnv) -> TaskEnv:
    """The environment, for what acts by absolute targets: experts, policies, recorded episodes.

    Raises:
        InputError: its actions are changes. It is closed.
    """
    if not env.absolute:
        env.close()
        raise InputError(
            f"option action of {env.task.id}",
            expected="absolute: experts, policies and data hold absolute targets",
            got="delta",
            way_out="Leave the option out; action=delta is for libraries that learn through gymnasium.make",
        )
    return env


def _range(dtype: np.dtype) -> tuple[float, float]:
    """Lowest and highest value of a type; real numbers are not bounded."""
    return (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)


def _digest(options: Mapping[str, Any]) -> str:
    """A short hash of options; a foreign environment's may be anything."""
    text = json.dumps(options, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _info(outcome: Outcome) -> dict[str, Any]:
    return {
        **outcome.info,
        "success": bool(outcome.success),
        "is_success": bool(outcome.success),
        "score": float(outcome.score),
    }
