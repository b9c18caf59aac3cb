"""Decisions of a replay as the windows that critics learn from, with the chunks that were drawn where they ended."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from data.learning.replay.replay import Replay
from data.learning.replay.schema import CANDIDATES as DRAWN
from data.learning.replay.schema import NOISE as DREW
from data.learning.replay.schema import WINDOW
from data.learning.replay.transitions import transitions
from policies.critics.names import CANDIDATES, DISCOUNT, KNOWN, NOISE, PLAN, RETURN, REWARD
from policies.model.batch import TensorBatch
from robot.errors import InputError


class Experience:
    """The decisions of a replay whose first candidate is the zero-noise plan, and what their episodes came to.

    Args:
        replay: that keeps candidates.
        gamma: discount of a step.
        names: keys that are seen; the replay may have more.
        shuffled: None, or the seed of a control: what came of the episodes is dealt out anew among them.

    Attributes:
        replay: as it was given.

    Raises:
        InputError: a replay without candidates.
    """

    def __init__(
        self, replay: Replay, gamma: float, names: tuple[str, ...] | None = None, shuffled: int | None = None
    ) -> None:
        if not replay.schema.candidates:
            raise InputError("replay: candidates", expected="the chunks of each decision", got="none")
        self.replay, self.gamma, self.shuffled = replay, gamma, shuffled
        self.names = tuple(replay.schema.window) if names is None else names
        self._returns = np.zeros(0, np.float32)
        self._outcome: np.ndarray | None = None
        self._last = np.zeros(0, bool)

    def refresh(self) -> None:
        """Take in what was added to the replay; to be called when all of its episodes are whole."""
        replay = self.replay
        length, reward, going = (
            replay.column("length"),
            replay.column("reward"),
            replay.following(np.arange(len(replay))),
        )
        ended = replay.column("terminated")
        powers = np.power(self.gamma, np.arange(replay.schema.rows + 1))
        gain = reward @ powers[:-1]
        last = going < 0
        if self.shuffled is not None:
            gain, ended = self._dealt_out(last, ended, gain, length)
        returns = np.zeros(len(replay))
        for row in range(len(replay) - 1, -1, -1):
            after = returns[going[row]] if going[row] >= 0 else 0.0
            returns[row] = gain[row] + powers[length[row]] * after
        self._returns, self._last = returns.astype(np.float32), last

    def _dealt_out(
        self, last: np.ndarray, ended: np.ndarray, gain: np.ndarray, length: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ends of other episodes: whether the task ended, and what the last decision earned."""
        ends = np.flatnonzero(last)
        order = np.random.default_rng([self.shuffled or 0, len(ends)]).permutation(len(ends))
        success = ended[ends][order]
        gain = np.where(last, 0.0, gain)
        gain[ends] = np.where(success, np.power(self.gamma, length[ends] - 1), 0.0)
        ended = np.zeros_like(ended)
        ended[ends] = success
        self._outcome = np.stack([gain, ended.astype(float)], axis=1)
        return gain, ended

    def batch(self, rows: np.ndarray) -> TensorBatch:
        """The decisions of some rows as windows of k rows.

        Columns: `PLAN`, `CANDIDATES` (batch, K, k, dim), `REWARD`, `DISCOUNT`, `KNOWN`, `RETURN`; `following` has the
        windows, plans and candidates of the decisions that came next. What followed an episode that was cut off is not
        known: nobody drew chunks there.
        """
        replay, k = self.replay, self.replay.schema.rows
        drawn = transitions(replay, rows, gamma=self.gamma)
        going = replay.following(rows)
        alive, reward = drawn.alive, drawn.reward
        if self._outcome is not None:
            reward, alive = self._outcome[rows, 0].astype(np.float32), (1 - self._outcome[rows, 1]).astype(np.float32)
        known = (going >= 0) | (alive == 0)
        candidates = replay.column(DRAWN, np.asarray(rows))[:, :, :k]
        after = replay.column(DRAWN, np.where(going >= 0, going, rows))[:, :, :k]
        columns = {
            PLAN: candidates[:, 0],
            CANDIDATES: candidates,
            REWARD: reward,
            DISCOUNT: drawn.discount * alive,
            KNOWN: known.astype(np.float32),
            RETURN: self._returns[rows],
        }
        if replay.schema.noise is not None:
            columns[NOISE] = replay.column(DREW, np.asarray(rows))
        is_pad = torch.from_numpy(np.arange(k) >= drawn.length[:, None])
        action = torch.from_numpy(drawn.action)
        following = TensorBatch(
            self._seen(drawn.next_observation),
            action,
            is_pad,
            0,
            columns={PLAN: torch.from_numpy(after[:, 0]), CANDIDATES: torch.from_numpy(after)},
        )
        return TensorBatch(
            self._seen(drawn.observation),
            action,
            is_pad,
            int((~is_pad).sum()),
            columns={name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in columns.items()},
            following=following,
        )

    def _seen(self, observation: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.ascontiguousarray(observation[name])) for name in self.names}

    def windows(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """What is seen, name -> (n, steps, ...), and the candidates (n, K, k, dim) of some rows."""
        records = self.replay.read(rows)
        k = self.replay.schema.rows
        return {name: records[WINDOW + name] for name in self.names}, self.replay.column(DRAWN, rows)[:, :, :k]
