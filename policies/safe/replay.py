"""A replay buffer as one table of numbers with one row per step, so that a batch is gathered at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from policies.safe.environment import Step
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Transitions:
    """Separate steps.

    Args:
        observation, next_observation: (batch, size); the next is the one that the step led to.
        action: (batch, actions) that was executed.
        reward, cost: (batch,).
        alive: (batch,) 1 where something comes after the step, also when only the time was over; 0 where the task
            ended.
    """

    observation: Tensor
    next_observation: Tensor
    action: Tensor
    reward: Tensor
    cost: Tensor
    alive: Tensor


class ReplayBuffer:
    """The newest steps of a training.

    Args:
        capacity: steps kept.
        size, actions: of an observation and an action.
    """

    def __init__(self, capacity: int, size: int, actions: int) -> None:
        self.capacity, self._sizes = capacity, [size, size, actions, 1, 1, 1]
        self._rows = torch.zeros(capacity, sum(self._sizes))
        self.count, self._next = 0, 0

    def add(self, observation: np.ndarray, step: Step) -> None:
        """Store a step of all rows with the executed actions."""
        columns = (
            observation,
            step.last_observation,
            step.executed,
            step.reward[:, None],
            step.cost[:, None],
            ~step.terminated[:, None],
        )
        new = torch.from_numpy(np.concatenate(columns, axis=1, dtype=np.float32))
        if len(new) > self.capacity:
            raise InputError(
                "replay: capacity", expected=f"{len(new)} or more, the rows of the environment", got=str(self.capacity)
            )
        first = min(len(new), self.capacity - self._next)
        self._rows[self._next : self._next + first] = new[:first]
        self._rows[: len(new) - first] = new[first:]
        self._next = (self._next + len(new)) % self.capacity
        self.count = min(self.count + len(new), self.capacity)

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draw random rows (count, numbers), with repetition."""
        return self._rows[torch.randint(self.count, (count,), generator=random)]

    def split(self, rows: Tensor) -> Transitions:
        """Split drawn rows into their parts."""
        observation, after, action, reward, cost, alive = rows.split(self._sizes, dim=1)
        return Transitions(observation, after, action, reward[:, 0], cost[:, 0], alive[:, 0])

    def tensors(self) -> dict[str, Tensor]:
        """The stored rows, in buffer order, and the index of the next one."""
        return {"rows": self._rows[: self.count], "next": torch.tensor(self._next)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `tensors` returned."""
        rows = tensors["rows"]
        if rows.shape[1] != self._rows.shape[1] or len(rows) > self.capacity:
            raise InputError(
                "replay",
                expected=f"at most {self.capacity} rows of {self._rows.shape[1]} numbers",
                got=str(tuple(rows.shape)),
            )
        self.count, self._next = len(rows), int(tensors["next"])
        self._rows[: self.count] = rows
