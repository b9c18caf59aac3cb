"""From observations to chunks and from chunks to the action that is due: one runner for evaluation, collection,
deployment and reinforcement learning alike.
"""

from __future__ import annotations

import copy
from collections import deque
from typing import Mapping

import numpy as np

from robot.control.ensembling import TemporalEnsemble, ensembled_action
from robot.control.observation.history import ObservationHistory
from robot.control.plan_request import ROUGHNESS, PlanRequest, best_continuation, decide_plans
from robot.description.chunk import ActionChunk
from robot.description.decision import Decision
from robot.description.prompt import TaskPrompt
from robot.description.protocols import Policy
from robot.description.specs import PolicySpec
from robot.errors import InputError, TillerError


def query_seed(episode_seed: int, query: int) -> int:
    """The seed of the noise of one plan: 63 bits that numpy's SeedSequence mixes from the episode's seed and the number
    of the plan within the episode, counted from 0.
    """
    return int(np.random.SeedSequence([episode_seed, query]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class ChunkRunner:
    """Receding horizon: plan a chunk, execute its first rows, plan again.

    Without an ensemble `n_action_steps` rows of a chunk are executed before the next plan. With one, plans are made
    every `ensemble.every` steps and every plan that still covers the present is weighed.

    Args:
        spec: of the policy that plans.
        n_action_steps: rows executed per plan; the policy's own number when None.
        ensemble: weigh overlapping chunks instead of executing one after the other; None takes the policy's own, if it
            has one and `n_action_steps` is None too.
        delay_steps: rows that pass while a plan is being made (real-time chunking): the next plan is requested that
            many rows before the executed ones run out, and the rows already committed are offered as its prefix.
            A plan cannot take longer than the rows that it is executed for; an ensemble has no use for it.
        candidates: plans that are drawn where one continues a chunk.
        roughness: by how much rougher than the smoothest of them one of higher value may be, as a share.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        n_action_steps: int | None = None,
        ensemble: TemporalEnsemble | None = None,
        delay_steps: int = 0,
        candidates: int = 8,
        roughness: float = ROUGHNESS,
    ):
        if not 0 <= roughness < np.inf:
            raise InputError("roughness", expected="a finite number, 0 or more", got=str(roughness))
        steps = spec.n_action_steps if n_action_steps is None else n_action_steps
        if not 1 <= steps <= spec.horizon:
            raise InputError("n_action_steps", expected=f"1 to the policy's horizon {spec.horizon}", got=str(steps))
        if ensemble is None and n_action_steps is None and spec.ensemble is not None:
            ensemble = TemporalEnsemble(spec.ensemble)
        self.spec = spec
        self.n_action_steps = steps if ensemble is None else ensemble.every
        self.ensemble = ensemble
        self.delay_steps = delay_steps
        self._candidates, self._roughness = candidates, roughness
        self.plans = 0
        self._history = ObservationHistory(spec.observation)
        self._chunks: deque[ActionChunk] = deque()
        self._held: np.ndarray | None = None

    @property
    def most_delay_steps(self) -> int:
        """No more than the executed rows, and with them within the horizon."""
        return 0 if self.ensemble is not None else min(self.n_action_steps, self.spec.horizon - self.n_action_steps)

    @property
    def delay_steps(self) -> int:
        """Rows that pass while a plan is being made. It may change between two plans; a pending request
        keeps its own.
        """
        return self._delay_steps

    @delay_steps.setter
    def delay_steps(self, steps: int) -> None:
        if steps and self.ensemble is not None:
            raise InputError(
                "delay_steps", expected="0 with an ensemble, which executes rows of many plans", got=str(steps)
            )
        most = self.most_delay_steps
        if not 0 <= steps <= most:
            raise InputError(
                "delay_steps",
                expected=f"0 to {most}: no more than the {self.n_action_steps} executed rows, and with them within the "
                f"horizon {self.spec.horizon}",
                got=str(steps),
            )
        self._delay_steps = steps

    def reset(self) -> None:
        """Start an episode: no past, no chunk, the count of plans back at 0."""
        self._history.reset()
        self._chunks.clear()
        self._held = None
        self.plans = 0

    def fork(self) -> ChunkRunner:
        """A runner with the same past, whose future is its own."""
        other = copy.copy(self)
        other._history, other._chunks = self._history.copy(), self._chunks.copy()
        return other

    def interrupt(self, held: np.ndarray | None = None) -> None:
        """Drop the plans, which are not executed: a person moves the robot, or it is held. A plan is due at once, and
        continues none before it.

        Args:
            held: (dim,) the command at which the robot stands until the plan is executed: where plans arrive late it
                stands for the rows that pass meanwhile. None where something moves the robot, or its command is
                unknown: the plan is free then.
        """
        dim = self.spec.action.dim
        if held is not None and np.shape(held) != (dim,):
            raise InputError("held command", expected=f"({dim},)", got=str(np.shape(held)))
        self._chunks.clear()
        self._held = None if held is None else np.array(held, dtype=np.float64)

    @property
    def chunk(self) -> ActionChunk | None:
        """The newest chunk."""
        return self._chunks[-1] if self._chunks else None

    def observe(self, observation: Mapping[str, np.ndarray], stamp_ns: int) -> None:
        """Append the observation of one control step, one row per key, with its source's stamp."""
        self._history.append(observation, stamp_ns)

    def needs_plan(self, now_ns: int) -> bool:
        """Whether the rows to execute run out, counting those that pass while planning."""
        if not self._chunks:
            return True
        # Requested at row n, a plan arrives at row n + delay: the rows in between are executed meanwhile.
        return self._chunks[-1].index_at(now_ns) >= self.n_action_steps

    @property
    def samples(self) -> int:
        """Plans to draw for each request: several where a plan continues a chunk, see `best_continuation`."""
        return self._candidates if self.delay_steps else 1

    def window(self) -> dict[str, np.ndarray]:
        """The policy's current observation: name -> (steps, ...)."""
        return self._history.window()

    def request(
        self, *, seed: int | None = None, prompt: TaskPrompt | None = None, noise: np.ndarray | None = None
    ) -> PlanRequest:
        """The request for a plan at the newest observation. Where plans arrive late the request carries the committed
        rows, the first of an episode too: its prefix has weight zero, so that every row of a batch is of one kind.

        Args:
            seed: of the plan's noise.
            prompt: what to do.
            noise: (samples, *noise_shape) that decides the plan.
        """
        prefix, weight = self.prefix() if self.delay_steps else (None, None)
        return PlanRequest(
            self.window(), self._history.stamp_ns, self.plans, seed, prompt, self.samples, noise, prefix, weight
        )

    def prefix(self) -> tuple[np.ndarray, np.ndarray]:
        """The committed rows, counted from the newest observation.

        Returns:
            values (horizon, dim) and weight (horizon,): 1 for the `delay_steps` rows that will have passed when the
            plan arrives, falling linearly to 0 where the last chunk ends. Without a chunk all 0, but for the rows that
            pass where the robot is held (`interrupt`): those are its command.
        """
        horizon = self.spec.horizon
        values, weight = np.zeros((horizon, self.spec.action.dim)), np.zeros(horizon)
        if self._chunks:
            last = self._chunks[-1]
            shift = max(0, last.index_at(self._history.stamp_ns))
            rest = last.values[shift:]
            values[: len(rest)] = rest
            if len(rest):
                values[len(rest) :] = rest[-1]
            rows = np.arange(horizon)
            soft = (len(rest) - rows) / max(len(rest) - self.delay_steps, 1)
            weight = np.where(rows < min(self.delay_steps, len(rest)), 1.0, np.clip(soft, 0.0, 1.0))
        elif self._held is not None:
            values[:] = self._held
            weight[: self.delay_steps] = 1.0
        return values, weight

    def best(self, decision: Decision, request: PlanRequest) -> int:
        """The number of the plan, of a row's decision, that `take` makes the current chunk."""
        return best_continuation(decision.chunk, request, decision.value, self._roughness)

    def take(self, decision: Decision, request: PlanRequest) -> ActionChunk:
        """Make the best of the plans of a row's decision, `chunk` (samples, horizon, dim), the current chunk. They may
        come any time after their request was made: the chunk starts where its observation was.
        """
        best = self.best(decision, request)
        value = None if decision.value is None else float(decision.value[best])
        return self.accept(decision.chunk[best], request.stamp_ns, value)

    def accept(self, values: np.ndarray, stamp_ns: int | None = None, value: float | None = None) -> ActionChunk:
        """Make a plan (horizon, dim) the current chunk.

        Args:
            values: the plan.
            stamp_ns: of the newest observation that it was made from; None where that is the newest of all.
            value: that a critic gave it.
        """
        values = np.asarray(values)
        if values.shape != (self.spec.horizon, self.spec.action.dim):
            raise InputError("plan", expected=f"({self.spec.horizon}, {self.spec.action.dim})", got=str(values.shape))
        if not np.isfinite(values).all():
            raise TillerError(
                f"plan {self.plans}: holds values that are not finite. Check the policy's input and training"
            )
        start_ns = self._history.stamp_ns if stamp_ns is None else stamp_ns
        chunk = ActionChunk(values, start_ns, self.spec.action.period_s, self.plans, self.spec.action, value)
        if self.ensemble is None:
            self._chunks.clear()
        self._chunks.append(chunk)
        self._held = None
        while self._chunks[0].end_ns <= chunk.start_ns:
            self._chunks.popleft()
        self.plans += 1
        return chunk

    def maybe_plan(self, policy: Policy, task: TaskPrompt | None = None, seed: int | None = None) -> ActionChunk | None:
        """Plan with `policy` when a plan is due at the newest observation, else return None."""
        if not self.needs_plan(self._history.stamp_ns):
            return None
        request = self.request(seed=seed, prompt=task)
        return self.take(decide_plans(policy, [request]).row(0), request)

    def targets(self, chunk: ActionChunk) -> np.ndarray:
        """The rows (horizon, dim) to execute of the newest chunk: with an ensemble, of each interval the mean of all
        plans for it so far.
        """
        if self.ensemble is None:
            return chunk.values
        times = [chunk.start_ns + row * chunk.period_ns for row in range(len(chunk.values))]
        return np.stack([ensembled_action(self._chunks, time_ns, self.ensemble.rate) for time_ns in times])

    def action(self, now_ns: int) -> np.ndarray:
        """The target (dim,) for the interval that contains `now_ns`; the last row is held when the chunk has ended."""
        if not self._chunks:
            raise TillerError("no plan has been made yet. Plan before you act")
        if self.ensemble is not None and now_ns < self._chunks[-1].end_ns:
            return ensembled_action(self._chunks, now_ns, self.ensemble.rate)
        chunk = self._chunks[-1]
        return chunk.values[min(max(chunk.index_at(now_ns), 0), len(chunk.values) - 1)]
