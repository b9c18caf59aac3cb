"""The last stage before the drives: where a filter may still change the torque, and where energy is counted.

It sees the torque that is about to be applied, after every limit, with the joints' state. Today it lets all through;
the account is exact for a torque that is held over a step: W = tau . (q_next - q) (joint space, no velocity estimate).
"""

from __future__ import annotations

import numpy as np

from robot.control.compiled import compiled


@compiled
def filter_torque(torque: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> None:
    """Change the torque (n,) in place before it is applied; the identity.

    Args:
        torque: (n,) N*m, without gravity.
        position, velocity: (n,) rad and rad/s of the joints.
    """


@compiled
def work_done(torque: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """Energy (J) that a torque (n,) gave to the arm while the joints went from `before` to `after` (n,) rad."""
    total = 0.0
    for i in range(len(torque)):
        total += torque[i] * (after[i] - before[i])
    return total
