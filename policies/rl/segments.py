"""The loop of a training: rows of episodes in, a policy and its learning curve out.

A training is a sequence of segments. Each begins all episodes anew, seeded by (seed, segment), and ends with a
checkpoint: so a run that was stopped, or killed, ends as one that was not.

    curve.csv            by environment steps, all rows counted
    last/                agent.safetensors and state.json, what the next segment begins with
    policy/              the policy, when the training is done
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Protocol

import numpy as np
from torch import Tensor

from data.store.writing.lock import WriterLock
from policies.model.checkpoint_folder import read_json
from policies.model.files import new_checkpoint, read_tensors, write_json, write_tensors
from policies.rl.environment import Step, VectorEnvironment
from policies.rl.policy import ActorPolicy
from policies.rl.state import stream
from policies.training.running.interruption import Interruption
from policies.training.running.loggers import CsvLog
from robot.description import from_json, to_json
from robot.errors import InputError

CURVE, LAST, POLICY = "curve.csv", "last", "policy"
_TENSORS, _STATE = "agent.safetensors", "state.json"


@dataclass(frozen=True)
class RunConfig:
    """How long a training is.

    Args:
        steps: of the environment, all rows counted.
        segment: steps between two checkpoints.
        log_every: steps between two rows of the curve.
        seed: of the environments' episodes.
        stop_after: stop early after so many segments, as Ctrl-C does, or None.

    Raises:
        InputError: `steps`, `segment` or `log_every` below 1.
    """

    steps: int
    segment: int = 100_000
    log_every: int = 20_000
    seed: int = 0
    stop_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "segment", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"run: {name}", expected="1 or more", got=str(getattr(self, name)))


class Agent(Protocol):
    """A learning algorithm: see `Sac`."""

    config: Any

    def begin(self, segment: int) -> None: ...

    def act(self, observation: np.ndarray) -> np.ndarray: ...

    def take(self, observation: np.ndarray, step: Step) -> dict[str, float]: ...

    def policy(self) -> ActorPolicy: ...

    def tensors(self) -> dict[str, Tensor]: ...

    def numbers(self) -> dict[str, Any]: ...

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None: ...


@dataclass
class EpisodeMeans:
    """Means over the episodes that ended since the last row of the curve."""

    rows: int
    log: CsvLog
    _running: np.ndarray = field(init=False)
    _finished: list[np.ndarray] = field(default_factory=list)
    _figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin new episodes in all rows."""
        self._running = np.zeros((self.rows, 3))

    def add(self, step: Step, figures: Mapping[str, float]) -> None:
        self._running += np.stack([step.reward, step.cost, np.ones(self.rows)], axis=1)
        for row in np.flatnonzero(step.done):
            self._finished.append(np.array([*self._running[row], step.success[row], step.budget[row] <= 0]))
            self._running[row] = 0.0
        self._figures |= figures

    def write(self, steps: int, elapsed_s: float) -> None:
        if self._finished:
            means = np.mean(self._finished, axis=0)
            episodes = dict(zip(("return", "cost", "length", "success", "overdrawn"), means.tolist()))
        else:
            episodes = {}
        self.log.log(
            steps, {"elapsed_s": round(elapsed_s, 1), "episodes": len(self._finished), **episodes, **self._figures}
        )
        self._finished = []


def train(
    make_environment: Callable[[int], VectorEnvironment],
    agent: Agent,
    config: RunConfig,
    folder: Path,
    *,
    notes: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> ActorPolicy | None:
    """Train, or resume the training that a folder holds.

    Args:
        make_environment: seed -> an environment whose episodes are those of the seed; one per segment.
        agent: newly made, with the choices that the run began with.
        config: how long.
        folder: of the run.
        notes: kept with the policy.
        report: receives one line per segment.

    Returns:
        The policy, or None when it was stopped early.

    Raises:
        InputError: the folder holds a run with other choices, or one whose files are missing or cut short; or another
            process trains there.
        TillerError: a checkpoint could not be written; the one before is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(folder, "Wait until it is done, or choose another folder")
    try:
        return _train(make_environment, agent, config, folder, notes, report)
    finally:
        lock.release()


def _train(
    make_environment: Callable[[int], VectorEnvironment],
    agent: Agent,
    config: RunConfig,
    folder: Path,
    notes: Mapping[str, Any] | None,
    report: Callable[[str], None],
) -> ActorPolicy | None:
    """Run all segments that are missing."""
    segments = -(-config.steps // config.segment)
    done, steps, elapsed_s = _resume(folder, agent, config)
    log = CsvLog(folder / CURVE, steps)
    with Interruption() as interruption:
        for segment in range(done, segments):
            if config.stop_after is not None and segment - done >= config.stop_after:
                return None
            began = time.monotonic()
            environment = make_environment(stream(config.seed, segment))
            curve = EpisodeMeans(environment.rows, log)
            agent.begin(segment)
            observation = environment.reset()
            end = min((segment + 1) * config.segment, config.steps)
            while steps < end:
                step = environment.step(agent.act(observation))
                curve.add(step, agent.take(observation, step))
                observation = step.observation
                before, steps = steps, steps + environment.rows
                if before // config.log_every != steps // config.log_every or steps >= end:
                    curve.write(steps, elapsed_s + time.monotonic() - began)
                if interruption.requested:
                    # This segment is repeated when the run resumes.
                    return None
            elapsed_s += time.monotonic() - began
            with new_checkpoint(folder / LAST) as last:
                write_tensors(last / _TENSORS, agent.tensors())
                write_json(
                    last / _STATE,
                    {
                        "segments": segment + 1,
                        "steps": steps,
                        "elapsed_s": elapsed_s,
                        "config": to_json(config),
                        "agent_config": to_json(agent.config),
                        "agent": agent.numbers(),
                    },
                )
            report(f"{folder.name}: {steps} of {config.steps} steps, {elapsed_s:.0f} s")
    policy = agent.policy()
    policy.save(folder / POLICY, notes)
    return policy


def _resume(folder: Path, agent: Agent, config: RunConfig) -> tuple[int, int, float]:
    """Restore an agent from a folder; returns segments and steps done, and the seconds they took."""
    if not (folder / LAST / _STATE).is_file():
        return 0, 0, 0.0
    state = read_json(folder / LAST / _STATE)
    began = from_json(RunConfig, state["config"], where=str(folder / LAST / _STATE))
    choices = {"segment": config.segment, "seed": config.seed, **to_json(agent.config)}
    for name, before in {"segment": began.segment, "seed": began.seed, **state["agent_config"]}.items():
        if before != choices.get(name):
            raise InputError(
                f"run '{folder}': {name}",
                expected=f"{before}, as it began",
                got=str(choices.get(name)),
                way_out="Give the same choices, or another folder",
            )
    agent.restore(read_tensors(folder / LAST / _TENSORS), state["agent"])
    return int(state["segments"]), int(state["steps"]), float(state["elapsed_s"])
