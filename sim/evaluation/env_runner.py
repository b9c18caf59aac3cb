"""One environment of a worker: it is reset or stepped through a slice of actions, and returns the results."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from robot.description import ActionSpec, ObservationSpec
from robot.errors import InputError, TillerError
from sim.rendering.filming import Film, reason
from sim.tasks.info import TaskInfo

if TYPE_CHECKING:
    from sim.tasks.environment import TaskEnv

Row = dict[str, np.ndarray]

ENERGY = "energy_"  # names of an `info` that an episode's record keeps begin with this


@dataclass(frozen=True)
class EnvConfig:
    """Parameters of a worker's environments.

    Args:
        task_id, options: for `sim.make`.
        names: observation keys to answer with.
        history: number of newest rows of a slice to answer with; older ones are not used.
        videos: folder for the videos, if there are any.
        traced: whether to answer with each step too: all keys of the observation, reward and flags.
    """

    task_id: str
    options: Mapping[str, Any]
    names: tuple[str, ...]
    history: int
    videos: Path | None = None
    traced: bool = False


@dataclass(frozen=True)
class EnvSpecs:
    """The task as the worker built it."""

    task: TaskInfo
    observation: ObservationSpec
    action: ActionSpec


@dataclass(frozen=True)
class Reset:
    """Begin an episode.

    Args:
        env: number of the environment.
        seed: of the episode.
        film: whether to make its video.
        state: of another episode, from which this one goes on; None begins at the start.
        episode: the result of that one so far.
    """

    env: int
    seed: int
    film: bool = False
    state: bytes | None = None
    episode: EpisodeProgress | None = None


@dataclass(frozen=True, eq=False)
class Steps:
    """Hold each of some actions for a period.

    Args:
        env: number of the environment.
        actions: (n, dim).
        save: whether to save the state before them.
    """

    env: int
    actions: np.ndarray
    save: bool = False


@dataclass(frozen=True)
class Hold:
    """End the episode where it is.

    Args:
        env: number of the environment.
    """

    env: int


@dataclass
class EpisodeProgress:
    """The result of an episode so far; the fields are those of `sim.statistics.records.EpisodeRecord`."""

    seed: int
    episode_return: float = 0.0
    max_reward: float = -np.inf
    score: float = -np.inf
    success: bool = False
    length: int = 0
    terminated: bool = False
    truncated: bool = False
    video: str | None = None
    no_video: str = ""
    diverged: str = ""
    energy: dict[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated

    def hold(self) -> None:
        """End it before the next step; one that had none yet has no reward and no score."""
        self.truncated = True
        if not self.length:
            self.max_reward = self.score = 0.0

    def add(self, reward: float, terminated: bool, truncated: bool, info: Mapping[str, Any]) -> None:
        score = float(info["score"])
        if not (isfinite(reward) and isfinite(score)):
            raise TillerError(f"the environment gave the reward {reward} and the score {score}, which cannot be summed")
        self.length += 1
        self.episode_return += reward
        self.max_reward = max(self.max_reward, reward)
        self.score = max(self.score, score)
        self.success |= bool(info["success"])
        self.terminated, self.truncated = bool(terminated), bool(truncated)
        self.diverged = str(info.get("diverged", ""))
        if self.diverged:
            return  # keep the energy so far
        self.energy = {
            name.removeprefix(ENERGY): float(value)
            for name, value in info.items()
            if name.startswith(ENERGY) and not isinstance(value, str)
        }


@dataclass(frozen=True, eq=False)
class Trace:
    """Steps of an episode in the order in which they were taken.

    Args:
        rows: name -> (k, ...) observations in which the actions were taken, all keys of the task.
        reward: (k,) of each action.
        terminated, truncated: (k,) bool, whether the episode ended with it.
        last: the observation after the last of them, name -> row.
    """

    rows: Mapping[str, np.ndarray]
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    last: Row


@dataclass(frozen=True, eq=False)
class StepResult:
    """The result of a reset or of steps.

    Args:
        env: number of the environment.
        rows: the newest observations, oldest first.
        episode: so far; it may have ended.
        reports_success: whether the environment has reported on success in the episode.
        instruction: of the episode.
        trace: of the steps, where they are traced.
        state: before the steps, where it was to be saved.
        drawn: what perturbations drew at the reset, plain values.
    """

    env: int
    rows: list[Row]
    episode: EpisodeProgress
    reports_success: bool = True
    instruction: str = ""
    trace: Trace | None = None
    state: bytes | None = None
    drawn: Mapping[str, Any] = field(default_factory=dict)


def build(config: EnvConfig, **more: Any) -> TaskEnv:
    """An environment.

    Raises:
        InputError: the task or an option is wrong, or its actions are not absolute.
    """
    from sim import make
    from sim.tasks.environment import require_absolute

    return require_absolute(make(config.task_id, **{**config.options, **more}))


class EnvRunner:
    """Runs one episode after the other in one environment, and in a second one, that can draw, those to be filmed.

    Args:
        config: of the worker.
        env: the environment, if it is built already.
    """

    def __init__(self, config: EnvConfig, env: TaskEnv | None = None):
        self._config = config
        self._plain = env
        self._drawing: TaskEnv | None = None
        self._undrawable = ""
        self._current: TaskEnv | None = None
        self._film: Film | None = None
        self._episode = EpisodeProgress(seed=0)
        self._reports_success = False
        self._instruction = ""
        self._seen: Row = {}
        self._drawn: dict[str, Any] = {}

    @property
    def moment(self) -> str:
        """Episode and step, for messages."""
        return f"seed {self._episode.seed}, step {self._episode.length}"

    def run(self, command: Reset | Steps | Hold) -> StepResult:
        """Carry out a command.

        Raises:
            InputError: a state is to be saved or put back that cannot be.
        """
        if isinstance(command, Reset):
            rows = self._reset(command) if command.state is None else self._continue(command)
            return StepResult(
                command.env, rows, self._episode, self._reports_success, self._instruction, drawn=self._drawn
            )
        assert self._current is not None
        if isinstance(command, Hold):
            self._episode.hold()
            self._close_video()
            # It may have ended before it could report.
            return StepResult(command.env, [], self._episode, True, self._instruction)
        state = self._current.save() if command.save else None
        rows, trace = self._step(command.actions)
        return StepResult(command.env, rows, self._episode, self._reports_success, self._instruction, trace, state)

    def close(self) -> None:
        """Drop a video that is not finished; the environments end with the process."""
        if self._film is not None:
            self._film.give_up("the episode was not finished")

    def _reset(self, command: Reset) -> list[Row]:
        self._episode, self._reports_success = EpisodeProgress(command.seed), False
        self._film = None
        if command.film:
            assert self._config.videos is not None
            self._film = Film(self._config.videos, command.seed)
        self._current, observation = self._start(command.seed)
        self._instruction, self._seen = self._current.instruction, dict(observation)
        if self._film is not None:
            self._film.add(self._current)
        return [self._select(observation)]

    def _continue(self, command: Reset) -> list[Row]:
        """Go on from another episode's state: the parent knows its rows."""
        assert command.state is not None and command.episode is not None
        self._episode = replace(command.episode)
        self._film, self._drawn = None, {}
        self._current = self._plain = self._plain or self._drawing or build(self._config)
        self._seen = self._current.restore(command.state)
        self._instruction = self._current.instruction
        return []

    def _start(self, seed: int) -> tuple[TaskEnv, Mapping[str, np.ndarray]]:
        """The environment of an episode, one that renders if filming is on and works, and its first observation."""
        if self._film is not None and not self._undrawable:
            try:
                self._drawing = self._drawing or build(self._config, render=True)
                return self._drawing, self._first(self._drawing, seed)
            except Exception as error:
                self._drawing, self._undrawable = None, reason(error)
        if self._film is not None:
            self._film.give_up(self._undrawable)
        self._plain = self._plain or self._drawing or build(self._config)
        return self._plain, self._first(self._plain, seed)

    def _first(self, env: TaskEnv, seed: int) -> Mapping[str, np.ndarray]:
        observation, info = env.reset(seed=seed)
        self._drawn = {name: info[name] for name in ("perturbations",) if name in info}
        return observation

    def _step(self, actions: np.ndarray) -> tuple[list[Row], Trace | None]:
        """Step through a slice; where the episode ends, the rest of it is dropped."""
        env, rows = self._current, []
        assert env is not None
        traced, seen, results = self._config.traced, [], []
        for action in actions:
            observation, reward, terminated, truncated, info = env.step(action)
            if traced:
                seen.append(self._seen)
                results.append((reward, terminated, truncated))
                self._seen = dict(observation)
            self._episode.add(float(reward), terminated, truncated, info)
            self._reports_success |= bool(info.get("success_told", True))
            if self._film is not None:
                self._film.add(env)
            rows.append(self._select(observation))
            if self._episode.ended:
                self._close_video()
                break
        return rows[-self._config.history :], self._trace(seen, results) if traced else None

    def _trace(self, seen: list[Row], results: list[tuple[float, bool, bool]]) -> Trace:
        rewards, terminated, truncated = (np.array(each) for each in zip(*results))
        rows = {name: np.stack([row[name] for row in seen]) for name in self._seen}
        return Trace(rows, rewards.astype(np.float32), terminated, truncated, self._seen)

    def _select(self, observation: Mapping[str, np.ndarray]) -> Row:
        row = {name: observation[name] for name in self._config.names}
        for name, values in row.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                index = int(np.flatnonzero(~np.isfinite(values))[0])
                raise InputError(
                    f"observation '{name}' of {self._config.task_id}, {self.moment}",
                    expected="finite numbers, which a policy can plan from",
                    got=f"{values.flat[index]} as number {index} of {values.size}",
                    way_out="Mend the environment",
                )
        return row

    def _close_video(self) -> None:
        if self._film is not None:
            self._episode.video = self._film.close(self._episode.success)
            self._episode.no_video, self._film = self._film.missing, None
