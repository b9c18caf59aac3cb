"""Soft actor-critic on rows of an environment, from a replay in memory (Haarnoja et al. 2018; see `ActorCritic`).

The actions learnt from are the executed ones. A time limit does not end a return: values are bootstrapped from the
observation that the last step led to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Mapping

import numpy as np
import torch
from torch import Tensor

from data.learning.replay.replay import Replay
from data.learning.replay.schema import NEXT, WINDOW, Key, ReplaySchema
from data.learning.replay.transitions import transitions
from policies.rl.actor_critic import ActorCritic, ActorCriticConfig, StepBatch
from policies.rl.environment import Step
from policies.rl.policy import ActorPolicy
from policies.rl.state import nested, stream, under
from robot.description.ranges import Range

STATE = "state"
"""The one key of an observation that is a vector."""

Count = Annotated[int, Range(1, 1_000_000_000)]


@dataclass(frozen=True)
class SacConfig(ActorCriticConfig):
    """How SAC learns.

    Args:
        batch_size: of an update.
        replay: steps kept.
        warmup: steps of uniform actions before the first update.
        steps_per_update: of the environments, all rows counted.
    """

    batch_size: Count = 256
    replay: Count = 500_000
    warmup: Annotated[int, Range(0, 1_000_000_000)] = 10_000
    steps_per_update: Count = 8


class Sac(ActorCritic):
    """Soft actor-critic on rows of an environment.

    Args:
        size, actions: of an observation and an action.
        config: how it learns.
        seed: of weights, exploration and batches.
        more_critics: as of `ActorCritic`.
        has_cost: whether the replay keeps the costs of steps.

    Attributes:
        replay: the newest steps, each a decision of one row.
    """

    config: SacConfig

    def __init__(
        self,
        size: int,
        actions: int,
        config: SacConfig = SacConfig(),
        seed: int = 0,
        *,
        more_critics: int = 0,
        has_cost: bool = False,
    ) -> None:
        super().__init__(size, actions, config, seed, more_critics=more_critics)
        self.replay = Replay(ReplaySchema({STATE: Key((1, size))}, actions, has_cost=has_cost), config.replay)
        self._steps, self._episode = 0, np.zeros(0, dtype=np.int64)

    def begin(self, segment: int) -> None:
        """Begin a segment of a training: new episodes in all rows, random generator seeded by (seed, segment)."""
        self.random.manual_seed(stream(self.seed, segment))
        self._episode = np.zeros(0, dtype=np.int64)

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Actions to explore with: uniform ones during the warm-up, then samples of the actor.

        Args:
            observation: (rows, size).

        Returns:
            (rows, actions) -1 to 1.
        """
        if self._steps < self.config.warmup:
            return (2 * torch.rand(len(observation), self.actions, generator=self.random) - 1).numpy()
        scaled = self.scale(torch.from_numpy(observation.astype(np.float32)))
        action: np.ndarray = self.actor.sample(scaled, self.random)[0].numpy()
        return action

    def take(self, observation: np.ndarray, step: Step) -> dict[str, float]:
        """Learn from a step of all rows.

        Args:
            observation: (rows, size) that was acted on.
            step: what came of it.

        Returns:
            The figures of the last update, none where there was none.

        Raises:
            InputError: more rows than the replay holds, or numbers that are not finite.
        """
        self.remember(observation, step)  # which refuses what is not finite
        self.scale.see(torch.from_numpy(observation.astype(np.float32)))
        before, self._steps = self._steps, self._steps + len(observation)
        if self._steps <= self.config.warmup:
            return {}
        due = self._steps // self.config.steps_per_update - before // self.config.steps_per_update
        rows = torch.randint(len(self.replay), (due * self.config.batch_size,), generator=self.random)
        figures: dict[str, float] = {}
        for batch in self.batch(rows.numpy()).split(self.config.batch_size):
            figures |= self.update(batch)
        return figures

    def remember(self, observation: np.ndarray, step: Step) -> None:
        """Add a step of all rows to the replay, with the executed actions."""
        if len(self._episode) != len(observation):
            self._episode = self.replay.begin(len(observation))
        self.replay.add(
            window={STATE: observation[:, None]},
            executed=step.executed[:, None],
            reward=step.reward[:, None],
            terminated=step.terminated,
            truncated=step.truncated,
            next_window={STATE: step.last_observation[:, None]},
            episode=self._episode,
            cost=step.cost[:, None] if self.replay.schema.has_cost else None,
        )
        self._episode = self._episode.copy()
        self._episode[step.done] = self.replay.begin(int(step.done.sum()))

    def batch(self, rows: np.ndarray) -> StepBatch:
        """Steps of the replay as tensors."""
        drawn = transitions(self.replay, rows, gamma=self.config.gamma).map(torch.from_numpy)
        return StepBatch(
            drawn.observation[STATE][:, 0],
            drawn.next_observation[STATE][:, 0],
            drawn.action[:, 0],
            drawn.reward,
            drawn.discount,
            drawn.alive,
            drawn.cost,
        )

    def policy(self) -> ActorPolicy:
        """The policy as it is now: the most likely actions."""
        return ActorPolicy.of(self.scale, self.actor, self.config.width, self.config.depth, free_deviation=False)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a training, name -> tensor, for a checkpoint: the replay too."""
        replay = {name: torch.from_numpy(values) for name, values in self.replay.state().items()}
        return super().tensors() | under("replay", replay)

    def numbers(self) -> dict[str, Any]:
        return {"steps": self._steps, **super().numbers()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `numbers` returned.

        Raises:
            InputError: a replay of other sizes.
        """
        super().restore(tensors, numbers)
        self._steps = int(numbers["steps"])
        kept = {name: values.numpy() for name, values in nested(tensors, "replay").items()}
        if "rows" in kept:
            self._restore_table(kept["rows"], int(kept["next"]))
        else:
            self.replay.restore(kept)

    def _restore_table(self, table: np.ndarray, following: int) -> None:
        """Fill the replay with the steps of a checkpoint that knew a ring of [s, s', u, reward, cost, alive]."""
        size = self.replay.schema.window[STATE].shape[1]
        count = len(table) if len(table) < self.config.replay else len(table) + following
        before, after, action, reward, cost, alive = np.split(
            table, np.cumsum([size, size, self.actions, 1, 1]).tolist(), axis=1
        )
        records = np.zeros(len(table), self.replay.schema.dtype)
        records[WINDOW + STATE], records[NEXT + STATE] = before[:, None], after[:, None]
        records["executed"], records["reward"], records["length"] = action[:, None], reward, 1
        if self.replay.schema.has_cost:
            records["cost"] = cost
        records["terminated"], records["truncated"] = alive[:, 0] == 0, True  # which step followed is not known
        records["episode"] = np.arange(len(table))
        self.replay.restore({"count": np.array(count), "records": records.view(np.uint8).reshape(len(table), -1)})
