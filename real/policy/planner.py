"""Inference beside the executor: one worker thread, one request at a time, plans picked up by whoever asks.

PyTorch releases the interpreter lock while it computes, so callbacks run in time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Callable

import numpy as np

from robot.control.plan_request import PlanRequest, decide_plans
from robot.description import Decision, Policy, TaskPrompt
from robot.description.specs import PolicySpec
from robot.errors import TillerError

RECENT = 100  # plans whose latency is remembered


@dataclass(frozen=True, eq=False)
class Plan:
    """The result of a request: the decision of its row, or the error."""

    request: PlanRequest
    decision: Decision | None
    seconds: float
    error: str = ""


class Planner:
    """Loads a policy and samples from it in a thread of its own.

    Args:
        load: makes the policy; heavy imports happen in it.
    """

    def __init__(self, load: Callable[[], Policy]) -> None:
        self._load = load
        self._requests: SimpleQueue[PlanRequest | None] = SimpleQueue()
        self._plans: deque[Plan] = deque()
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self.policy: Policy | None = None
        self.error = ""
        self.busy = False
        self._dropped: PlanRequest | None = None
        self._request: PlanRequest | None = None
        self._thread = threading.Thread(target=self._work, name="planner", daemon=True)
        self._thread.start()

    @property
    def spec(self) -> PolicySpec | None:
        """Spec of the policy, once it is loaded and has made a first plan."""
        return self.policy.spec if self.policy is not None else None

    def request(self, request: PlanRequest) -> None:
        """Begin a plan; only when not `busy`."""
        assert not self.busy, "one plan at a time"
        self.busy = True
        self._request = request
        self._requests.put(request)

    def drop(self) -> None:
        """Discard the plan that is being made, once it is done."""
        self._dropped = self._request

    def take(self) -> Plan | None:
        """A plan that is ready; None when there is none."""
        if not self._plans:
            return None
        self.busy = False
        plan = self._plans.popleft()
        return None if plan.request is self._dropped else plan

    def latency_s(self, quantile: float) -> float:
        """A quantile of the latency of the last plans; 0 before the first."""
        seconds = list(self._seconds)
        return float(np.quantile(seconds, quantile)) if seconds else 0.0

    def close(self) -> None:
        """End the thread when its plan is made."""
        self._requests.put(None)
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
        while (request := self._requests.get()) is not None:
            self._plans.append(self._make(self.policy, request))

    def _make(self, policy: Policy, request: PlanRequest) -> Plan:
        started = time.perf_counter()
        try:
            decision = decide_plans(policy, [request]).row(0)
        except Exception as error:
            return Plan(request, None, time.perf_counter() - started, f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - started
        self._seconds.append(seconds)
        return Plan(request, decision, seconds)


def _warm(policy: Policy) -> None:
    """The first calls compile and allocate; they happen before the node reports that it is ready."""
    blank = {
        field.name: np.zeros((1, field.history.steps, *field.shape), field.dtype) for field in policy.spec.observation
    }
    for name, rows in blank.items():
        if name.endswith("rotation"):
            rows[..., 0] = rows[..., 4] = 1.0
    known = policy.spec.prompt.instructions
    task = TaskPrompt(known[0]) if known else None
    for _ in range(3):
        policy.sample(blank, task=task, seeds=[0])
