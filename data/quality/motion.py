"""What an episode is by itself: standing still, jerk, actions at their limits."""

from __future__ import annotations

import numpy as np

from data.quality.survey import Survey, speed_of

SWITCH = 0.5
"""Of all rows: an action that is at its limits so often, such as that of a hand that opens and closes, is a switch."""

SUDDEN = 0.2
"""Of the rows of an episode may be sudden without being jerk."""


def idle_share(state: np.ndarray, action: np.ndarray, known: Survey) -> float:
    """The share of steps in which neither the state nor the action moves; 0 of a single row.

    Still is slower than 5 % of the root mean square speed of the store, in scaled numbers a row. Forces do not count as
    motion. A target that stands still while the robot follows it is no idleness, and neither is a hand that opens.

    Args:
        state: (T, D) scaled.
        action: (T, A) scaled.
        known: scalings and speeds of the store.
    """
    if len(state) < 2:
        return 0.0
    still = (speed_of(state, known.state) <= known.state_speed) & (speed_of(action, known.action) <= known.action_speed)
    return float(still.mean())


def dimensionless_jerk(action: np.ndarray) -> float:
    """The root mean square of third differences over that of first ones, of the path of the actions.

    It needs no unit and no period: 0 on a straight line, about sqrt(10) = 3.2 where each action is drawn anew. The
    fifth of the rows in which either is largest is left out, so that a hand that closes is no jerk.

    Args:
        action: (T, A) scaled.

    Returns:
        NaN of less than four rows; 0 where nothing moves.
    """
    if len(action) < 4:
        return float("nan")
    speed, jerk = (_trimmed(np.square(np.diff(action, n=order, axis=0)).sum(axis=1)) for order in (1, 3))
    return float(np.sqrt(jerk / speed)) if speed > 1e-20 else 0.0


def _trimmed(values: np.ndarray) -> float:
    """The mean of the smallest 80 %, one at least."""
    kept = max(1, int(np.ceil((1 - SUDDEN) * len(values))))
    return float(np.partition(values, kept - 1)[:kept].mean())


def clipped_share(at_limit: np.ndarray, limited: np.ndarray, known: Survey) -> np.ndarray:
    """The share (episodes,) of rows in which an action is at a limit: of the component where it is most.

    A limit is a smallest or a largest action that at least two episodes reach exactly, as clipped ones do: of actions
    that are not clipped the extreme comes once. Components that are at their limits in half of all rows are switches,
    and count not. Rows of which the gate says that it changed the target count in any case.

    Args:
        at_limit: (episodes, A, 2) rows at the smallest and at the largest action.
        limited: (episodes,) share of rows that the gate changed.
        known: lengths, and which episodes are copies.
    """
    reached = np.stack([_origins_with(at_limit[..., side], known.origin) for side in (0, 1)], axis=-1) >= 2  # (A, 2)
    switches = at_limit[known.unique].sum(axis=(0, 2)) >= SWITCH * known.lengths[known.unique].sum()
    counted = np.where(reached & ~switches[:, None], at_limit, 0).sum(axis=2)  # (episodes, A)
    shares = counted.max(axis=1, initial=0) / np.maximum(known.lengths, 1)
    return np.maximum(np.minimum(shares, 1), limited)


def _origins_with(counts: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """How many origins have a row of each component, (A,)."""
    return np.array([len(np.unique(origin[column > 0])) for column in counts.T], np.int64)
