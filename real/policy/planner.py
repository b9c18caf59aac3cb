"""Inference beside the executor: one worker thread, one job at a time, results picked up by whoever asks.

PyTorch gives the interpreter back while it computes, so callbacks go on in time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Callable, Mapping

import numpy as np

from robot.description import Policy, TaskPrompt
from robot.description.specs import PolicySpec
from robot.errors import TillerError

RECENT = 100  # plans whose latency is remembered


@dataclass(frozen=True, eq=False)
class PlanJob:
    """A plan that is asked for.

    Args:
        window: name -> (steps, ...), raw units.
        stamp_ns: of the newest observation in it.
        number: of the plan within its episode.
        seed: of its noise.
        samples: plans to draw.
        generation: of the episode; a plan of another one is thrown away.
        task: what to do.
        prefix, prefix_weight: rows that are committed; None without.
    """

    window: Mapping[str, np.ndarray]
    stamp_ns: int
    number: int
    seed: int
    samples: int = 1
    generation: int = 0
    task: TaskPrompt | None = None
    prefix: np.ndarray | None = None
    prefix_weight: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What came of a job: plans (samples, horizon, dim), or the error."""

    job: PlanJob
    values: np.ndarray | None
    seconds: float
    error: str = ""


class Planner:
    """Loads a policy and samples from it in a thread of its own.

    Args:
        load: makes the policy; heavy imports happen in it.
    """

    def __init__(self, load: Callable[[], Policy]) -> None:
        self._load = load
        self._jobs: SimpleQueue[PlanJob | None] = SimpleQueue()
        self._plans: deque[Plan] = deque()
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self.policy: Policy | None = None
        self.error = ""
        self.busy = False
        self._thread = threading.Thread(target=self._work, name="planner", daemon=True)
        self._thread.start()

    @property
    def spec(self) -> PolicySpec | None:
        """Of the policy, once it is loaded and has made a first plan."""
        return self.policy.spec if self.policy is not None else None

    def ask(self, job: PlanJob) -> None:
        """Begin a plan; only when not `busy`."""
        assert not self.busy, "one plan at a time"
        self.busy = True
        self._jobs.put(job)

    def take(self) -> Plan | None:
        """A plan that is ready; None when there is none."""
        if not self._plans:
            return None
        self.busy = False
        return self._plans.popleft()

    def latency_s(self, quantile: float) -> float:
        """Of the last plans; 0 before the first."""
        seconds = list(self._seconds)
        return float(np.quantile(seconds, quantile)) if seconds else 0.0

    def close(self) -> None:
        """End the thread when its plan is made."""
        self._jobs.put(None)
        self._thread.join(5.0)

    def _work(self) -> None:
        try:
            policy = self._load()
            _warm(policy)
            self.policy = policy
        except TillerError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"the policy cannot be loaded: {type(error).__name__}: {error}"
        if self.policy is None:
            return
        while (job := self._jobs.get()) is not None:
            self._plans.append(self._make(self.policy, job))

    def _make(self, policy: Policy, job: PlanJob) -> Plan:
        started = time.perf_counter()
        prefix, weight = (None if part is None else part[None] for part in (job.prefix, job.prefix_weight))
        try:
            values = np.asarray(
                policy.sample(
                    {name: rows[None] for name, rows in job.window.items()},
                    task=job.task,
                    samples=job.samples,
                    seeds=[job.seed],
                    prefix=prefix,
                    prefix_weight=weight,
                )
            )[0]
        except Exception as error:
            return Plan(job, None, time.perf_counter() - started, f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - started
        self._seconds.append(seconds)
        return Plan(job, values, seconds)


def _warm(policy: Policy) -> None:
    """The first calls compile and allocate; they happen before the node says that it is ready."""
    blank = {
        field.name: np.zeros((1, field.history.steps, *field.shape), field.dtype) for field in policy.spec.observation
    }
    for name, rows in blank.items():
        if name.endswith("rotation"):
            rows[..., 0] = rows[..., 4] = 1.0
    for _ in range(3):
        policy.sample(blank, seeds=[0])
