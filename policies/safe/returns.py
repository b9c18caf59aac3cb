"""Advantages of the steps of many rows, across terminated and truncated episodes."""

from __future__ import annotations

from torch import Tensor, zeros_like


def advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, done: Tensor, gamma: float, decay: float
) -> Tensor:
    """Generalised advantage estimates.

    Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation" (2016), eq. 16:
    A_t = sum_l (gamma lambda)^l delta_{t+l}, with delta_t = r_t + gamma V(s_{t+1}) - V(s_t). The sum ends with the
    episode. V(s_{t+1}) counts where only the time was over, and not where the task had ended.

    Args:
        reward: (steps, rows).
        value: (steps, rows) V(s_t).
        next_value: (steps, rows) V of what the step itself led to, before a row began anew.
        terminated, done: (steps, rows) bool, the task has ended; the episode has, for whatever reason.
        gamma, decay: of rewards, and lambda.

    Returns:
        (steps, rows).
    """
    delta = reward + gamma * next_value * (~terminated) - value
    estimates = zeros_like(delta)
    later = zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        later = delta[t] + gamma * decay * later * (~done[t])
        estimates[t] = later
    return estimates
