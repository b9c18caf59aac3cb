"""Decisions of a replay as the windows that critics learn from, with the chunks that were drawn where they ended."""

from __future__ import annotations

import numpy as np
import torch

from data.learning.replay.replay import Replay
from data.learning.replay.schema import AFTERWARDS, CUT_OFF, PLANNED, WINDOW
from data.learning.replay.schema import CANDIDATES as DRAWN
from data.learning.replay.schema import NOISE as DREW
from policies.critics.names import CANDIDATES, DISCOUNT, KNOWN, NOISE, PLAN, RETURN, REWARD
from policies.model.batch import TensorBatch
from robot.errors import InputError


class Experience:
    """The decisions of a replay whose first candidate is the zero-noise plan, and what came of them.

    Of a decision the rewards of n decisions are summed, as far as the episode goes, and what follows is valued by the
    chunks that were drawn there: with k_i the rows that decision i executed and K_i those before it,

        R = sum_i gamma^K_i sum_{j<k_i} gamma^j r_ij,        gamma^(k_1 + ... + k_n) of what follows

    A decision stands for its whole chunk, also where the task ended in the middle of it.

    Args:
        replay: that keeps candidates and plans.
        gamma: discount of a step.
        names: keys that are seen; None for all that the replay has.
        n_steps: n.
        shuffled: None, or the seed of a control: what came of the episodes is dealt out anew among them.

    Raises:
        InputError: a replay without candidates, or n below 1.
    """

    def __init__(
        self,
        replay: Replay,
        gamma: float,
        names: tuple[str, ...] | None = None,
        n_steps: int = 1,
        shuffled: int | None = None,
    ) -> None:
        if not replay.schema.candidates:
            raise InputError("replay: candidates", expected="the chunks of each decision", got="none")
        if n_steps < 1:
            raise InputError("experience: n_steps", expected="1 or more", got=str(n_steps))
        self.replay, self.gamma, self.n_steps, self.shuffled = replay, gamma, n_steps, shuffled
        self.names = tuple(replay.schema.window) if names is None else names
        self._columns: dict[str, np.ndarray] = {}
        self._after = self.decisions = np.zeros(0, np.int64)

    def refresh(self) -> None:
        """Take in what was added to the replay; to be called when all of its episodes are whole.

        Attributes:
            decisions: the rows that are decisions, from which batches are drawn.
        """
        replay, rows = self.replay, np.arange(len(self.replay))
        length, ended = replay.column("length"), replay.column("terminated")
        version, following = replay.column("version"), replay.following(rows)
        cut, idle = version == CUT_OFF, (version == CUT_OFF) | (version == AFTERWARDS)
        _require_success(replay)
        powers = np.power(self.gamma, np.arange(replay.schema.rows + 1))
        gain, discount = replay.column("reward") @ powers[:-1], powers[length]
        goes_on = (following >= 0) & ~cut[following] & ~ended & ~idle
        if self.shuffled is not None:
            gain, ended = self._dealt_out(~idle & ~goes_on, ended, discount / self.gamma)
        reward, product, last = gain.copy(), discount.copy(), rows.copy()
        for _ in range(self.n_steps - 1):
            more = goes_on[last]
            after = np.where(more, following[last], last)
            reward += np.where(more, product * gain[after], 0.0)
            product = np.where(more, product * discount[after], product)
            last = after
        returned = gain.copy()
        for row in np.flatnonzero(goes_on)[::-1].tolist():  # later decisions of an episode have larger numbers
            returned[row] += discount[row] * returned[following[row]]
        self._after = np.where(following[last] >= 0, following[last], last)
        # A failure that was dealt to a success has no moment of its own that it was cut off at: it is where it was.
        known = (following[last] >= 0) | ended[last] | (self.shuffled is not None)
        columns = {REWARD: reward, DISCOUNT: product * ~ended[last], KNOWN: known & ~idle, RETURN: returned}
        self._columns = {name: value.astype(np.float32) for name, value in columns.items()}
        self.decisions = np.flatnonzero(~idle)

    def _dealt_out(self, last: np.ndarray, ended: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gains and ends of other episodes: whether the task ended with their last decision, and succeeded."""
        ends = np.flatnonzero(last)
        success = ended[ends][np.random.default_rng([self.shuffled or 0, len(ends)]).permutation(len(ends))]
        gain, dealt = np.zeros(len(last)), np.zeros(len(last), bool)
        gain[ends], dealt[ends] = np.where(success, weight[ends], 0.0), success
        return gain, dealt

    def steps(self, first: int = 0) -> int:
        """Steps of the environment that the decisions from a row on took."""
        rows = np.arange(first, len(self.replay))
        taken = self.replay.column("length", rows)[self.replay.column("version", rows) != CUT_OFF]
        return int(taken.sum())

    def batch(self, rows: np.ndarray) -> TensorBatch:
        """The decisions of some rows as windows of k rows.

        Columns: `PLAN`, `CANDIDATES` (batch, K, k, dim), `REWARD`, `DISCOUNT`, `KNOWN`, `RETURN`, and `NOISE` where it
        is kept; `following` has the windows, plans and candidates of what is bootstrapped from.
        """
        rows, k = np.asarray(rows), self.replay.schema.rows
        observation, candidates = self.windows(rows)
        following, after = self.windows(self._after[rows])
        columns = {PLAN: candidates[:, 0], CANDIDATES: candidates}
        columns |= {name: value[rows] for name, value in self._columns.items()}
        if self.replay.schema.noise is not None:
            columns[NOISE] = self.replay.column(DREW, rows)
        action = torch.from_numpy(self._chunks(rows))
        is_pad = torch.zeros(len(rows), k, dtype=torch.bool)
        later = {PLAN: after[:, 0], CANDIDATES: after}
        return TensorBatch(
            _tensors(observation),
            action,
            is_pad,
            is_pad.numel(),
            columns=_tensors(columns),
            following=TensorBatch(_tensors(following), action, is_pad, 0, columns=_tensors(later)),
        )

    def windows(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """What is seen, name -> (n, steps, ...), and the candidates (n, K, k, dim) of some rows."""
        records, k = self.replay.read(rows), self.replay.schema.rows
        return {name: records[WINDOW + name] for name in self.names}, self.replay.column(DRAWN, rows)[:, :, :k]

    def _chunks(self, rows: np.ndarray) -> np.ndarray:
        """The k rows (n, k, dim) of the chunks that were decided on: what was executed of them, then what was planned;
        of a decision without a plan, such as a person's, its last row again.
        """
        records, k = self.replay.read(rows), self.replay.schema.rows
        planned = self.replay.column(PLANNED, rows)[:, :k]
        last = records["executed"][np.arange(len(rows)), records["length"] - 1][:, None]
        rest = np.where(np.isfinite(planned), planned, last)
        inside = np.arange(k) < records["length"][:, None]
        chunks: np.ndarray = np.where(inside[..., None], records["executed"], rest).astype(np.float32)
        return chunks


def _require_success(replay: Replay) -> None:
    """Refuse rewards that are none of success: values are chances, 0 to 1."""
    reward = replay.column("reward")
    total = reward.sum(axis=1)
    if len(reward) and not ((reward >= 0).all() and (total <= 1 + 1e-6).all()):
        worst = float(reward.min()) if (reward < 0).any() else float(total.max())
        raise InputError(
            "rewards to learn from",
            expected="0, and 1 at success: at most 1 in a decision",
            got=f"{worst:g}",
            way_out="Leave rewards out of the episodes, so that success is what counts",
        )


def _tensors(values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()}
