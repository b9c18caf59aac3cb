"""The budget as part of the state: a policy that sees what is left can hold back in time.

Sootla et al., "Saute RL: Almost Surely Safe Reinforcement Learning Using State Augmentation" (ICML 2022): with the
state z' = z - c/d beside the observation, and a fixed low reward from z <= 0 on, a constraint on all that an episode
spends becomes part of an ordinary task. Here the environment keeps z itself: for energy it is the level of the tank
over its first filling, so that what comes back counts too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.rl.environment import Step, VectorEnvironment
from robot.errors import InputError


class BudgetObserved:
    """An environment whose last observed number is the share of the budget that is left (Sootla et al. 2022, Saute RL).

    A step that leaves nothing earns the penalty in place of its reward, and so does each one after it until something
    has come back.

    Args:
        environment: to wrap.
        penalty: what a step with an empty budget earns, below 0. It has to be less than the steps of the task earn, or
            emptying the budget is a way out.
        lowest, highest: shares outside are clamped to these.

    Raises:
        InputError: a penalty that is not below 0.
    """

    def __init__(
        self, environment: VectorEnvironment, penalty: float = -1.0, *, lowest: float = -0.5, highest: float = 2.0
    ) -> None:
        if not penalty < 0:
            raise InputError("budget observed: penalty", expected="below 0", got=f"{penalty:g}")
        self.environment, self.penalty, self._range = environment, penalty, (lowest, highest)
        self.rows, self.action_size = environment.rows, environment.action_size
        self.observation_size = environment.observation_size + 1

    def reset(self) -> np.ndarray:
        """Begin an episode in every row, with all of its budget; returns observations (rows, observation_size)."""
        return self._with(self.environment.reset(), np.ones(self.rows))

    def step(self, action: np.ndarray) -> Step:
        """Apply actions to all rows; one whose episode ends begins its next one.

        Args:
            action: (rows, action_size) -1 to 1.
        """
        step = self.environment.step(action)
        empty = step.budget <= 0
        # An episode that begins anew has all of its budget.
        return replace(
            step,
            observation=self._with(step.observation, np.where(step.done, 1.0, step.budget)),
            last_observation=self._with(step.last_observation, step.budget),
            reward=np.where(empty, self.penalty, step.reward),
        )

    def _with(self, observation: np.ndarray, budget: np.ndarray) -> np.ndarray:
        return np.concatenate([observation, np.clip(budget, *self._range)[:, None]], axis=1)
