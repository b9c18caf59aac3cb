"""A policy that acts control step by control step, in a loop that is not the evaluation's."""

from __future__ import annotations

from typing import Callable, Mapping

import numpy as np

from robot.control.runner import ChunkRunner, query_seed
from robot.description import Policy, TaskPrompt
from robot.description.decision import require_execution


class PolicyActor:
    """Plans with a policy when its rows run out, and hands out the row that is due.

    Args:
        policy: plans.
        instruction: of the episode that runs, asked for at each reset; None for none.
        n_action_steps: rows executed per plan; the policy's own number when None.
    """

    def __init__(
        self, policy: Policy, instruction: Callable[[], str] | None = None, *, n_action_steps: int | None = None
    ) -> None:
        self._policy, self._instruction, self._prompt = policy, instruction, TaskPrompt()
        self._runner = ChunkRunner(policy.spec, n_action_steps=n_action_steps)
        require_execution(policy, self._runner.n_action_steps)
        self._seed = self._now_ns = 0

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None:
        """Begin an episode; `random` gives the seed of its plans' noise."""
        self._runner.reset()
        self._prompt = TaskPrompt(self._instruction() if self._instruction is not None else "")
        self._seed, self._now_ns = int(random.integers(2**62)), 0

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action (dim,) for the next control period."""
        self._runner.observe(observation, self._now_ns)
        self._runner.maybe_plan(self._policy, task=self._prompt, seed=query_seed(self._seed, self._runner.plans))
        action = self._runner.action(self._now_ns)
        self._now_ns += self._policy.spec.action.period_ns
        return action
