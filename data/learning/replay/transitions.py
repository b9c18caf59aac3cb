"""What value functions learn from: drawn decisions with discounted rewards, over one decision or several."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping, Sequence

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import NEXT, PLANNED, WINDOW, ReplaySchema
from robot.errors import InputError

LAST, ZERO, PLAN = "last", "zero", "planned"
PADDINGS = (LAST, ZERO, PLAN)


@dataclass(frozen=True, eq=False)
class Transitions:
    """Decisions side by side, as arrays or as tensors.

    Args:
        observation: key -> (batch, steps, ...) that was seen.
        action: (batch, k, dim) executed rows, padded where fewer were executed, raw units.
        length: (batch,) rows executed.
        reward: (batch,) sum_j gamma^j r_j over the steps of all n decisions.
        discount: (batch,) gamma^steps, of what comes after them.
        alive: (batch,) 1 where something comes after them, also where only the time was over; 0 where the task ended.
        next_observation: key -> (batch, steps, ...) that followed.
        intervention: (batch,) bool, a person acted.
        version: (batch,) of the policy that decided; `DEMONSTRATION` for none.
        cost: (batch,) sum_j gamma^j c_j; None where the replay keeps none.
    """

    observation: Mapping[str, Any]
    action: Any
    length: Any
    reward: Any
    discount: Any
    alive: Any
    next_observation: Mapping[str, Any]
    intervention: Any
    version: Any
    cost: Any = None

    def map(self, function: Any) -> Transitions:
        """The same with a function of every array."""
        return Transitions(**{field.name: _mapped(getattr(self, field.name), function) for field in fields(self)})


def transitions(
    replay: Replay,
    rows: np.ndarray,
    *,
    gamma: float,
    n_steps: int = 1,
    reward_shift: float = 0.0,
    padding: str = LAST,
) -> Transitions:
    """Decisions of some rows as transitions.

    With k_i the rows that decision i of n executed, and K_i those before it,

        R = sum_i gamma^K_i sum_{j<k_i} gamma^j (r_ij + shift),        discount = gamma^(k_1 + ... + k_n)

    (Sutton & Barto, "Reinforcement Learning", 2018, section 7.1, for decisions that last several steps). The sum ends
    with the episode, and with the newest decision that is there.

    Args:
        replay: that holds them.
        rows: (batch,) of it.
        gamma: discount of a step.
        n_steps: decisions that are summed.
        reward_shift: added to the reward of every executed step.
        padding: of the action where fewer rows were executed: `last` repeats the last one, `zero`, or `planned` shows
            what the plan had, where there was one, else the last one.

    Raises:
        InputError: a row outside of the replay, a discount outside [0, 1], fewer than one decision, a shift that is not
            finite, or a padding that does not exist or needs plans that are not kept.
    """
    schema = replay.schema
    _require(schema, gamma, n_steps, reward_shift, padding)
    first = replay.read(rows)
    powers = np.power(gamma, np.arange(schema.rows + 1)).astype(np.float32)
    weights = powers[:-1]
    reward, cost = _discounted(first, weights, reward_shift)
    discount = powers[first["length"]]
    last, place, going = first, np.asarray(rows), ~(first["terminated"] | first["truncated"])
    for _ in range(n_steps - 1):
        place = np.where(going, replay.following(place), -1)
        going = place >= 0
        if not going.any():
            break
        more = replay.read(place[going])
        earned, spent = _discounted(more, weights, reward_shift)
        reward[going] += discount[going] * earned
        if cost is not None and spent is not None:
            cost[going] += discount[going] * spent
        discount[going] *= powers[more["length"]]
        last = last.copy() if last is first else last
        last[going] = more
        going[going] = ~(more["terminated"] | more["truncated"])
        place = np.maximum(place, 0)
    return Transitions(
        {name: first[WINDOW + name] for name in schema.window},
        _padded(replay, rows, first, padding),
        first["length"],
        reward,
        discount,
        (~last["terminated"]).astype(np.float32),
        {name: last[NEXT + name] for name in schema.window},
        first["intervention"],
        first["version"],
        cost,
    )


def joined(parts: Sequence[Transitions]) -> Transitions:
    """Several batches as one, such as half of demonstrations and half of experience; all have costs, or none has."""

    def join(values: Sequence[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return {name: join([value[name] for value in values]) for name in values[0]}
        return None if values[0] is None else np.concatenate(values)

    names = [each.name for each in fields(Transitions)]
    return Transitions(**{name: join([getattr(part, name) for part in parts]) for name in names})


def _require(schema: ReplaySchema, gamma: float, n_steps: int, reward_shift: float, padding: str) -> None:
    for name, right, expected, got in (
        ("gamma", 0 <= gamma <= 1, "0 to 1", gamma),
        ("n_steps", n_steps >= 1, "1 or more", n_steps),
        ("reward_shift", np.isfinite(reward_shift), "a finite number", reward_shift),
        ("padding", padding in PADDINGS, f"one of {', '.join(PADDINGS)}", padding),
        ("padding", padding != PLAN or schema.horizon >= schema.rows, "last or zero, as no plans are kept", padding),
    ):
        if not right:
            raise InputError(f"transitions: {name}", expected=expected, got=str(got))


def _discounted(records: np.ndarray, weights: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Discounted sums (n,) of the rewards, shifted, and of the costs of the executed rows."""
    reward = records["reward"]
    if shift:
        reward = np.where(np.arange(len(weights)) < records["length"][:, None], reward + np.float32(shift), 0)
    cost = records["cost"] @ weights if "cost" in (records.dtype.names or ()) else None
    total: np.ndarray = reward @ weights
    return total, cost


def _padded(replay: Replay, rows: np.ndarray, records: np.ndarray, padding: str) -> np.ndarray:
    """Executed rows (batch, k, dim), and what stands behind them where there were fewer."""
    executed, length, k = records["executed"], records["length"], replay.schema.rows
    short = np.flatnonzero(length < k)
    if not len(short) or padding == ZERO:  # zeros are what is stored there
        return executed
    behind = np.arange(k) >= length[short, None]
    last = executed[short, length[short] - 1][:, None]
    fill = last
    if padding == PLAN:
        fill = replay.column(PLANNED, np.asarray(rows)[short])[:, :k]
        fill = np.where(np.isfinite(fill), fill, last)  # none was planned
    padded = executed.copy()
    padded[short] = np.where(behind[..., None], fill, executed[short])
    return padded


def _mapped(value: Any, function: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: function(each) for name, each in value.items()}
    return None if value is None else function(value)
