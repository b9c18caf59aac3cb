"""What a critic's network sees of the rows that it scores: them alone, or how they differ from the plan of a base."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from policies.recipe.critic import BESIDE, DEVIATION

ORDERS = 3
"""Of a deviation: the difference itself, and its first and second differences from row to row."""
LEAST_DEVIATION = 0.01
"""Of the spread: what is less counts as none."""


class Sight(nn.Module):
    """Normalised rows (..., k, D), and the normalised plan beside them, as the numbers that a network sees.

    Without a plan these are the rows. With one d = (rows - plan) / spread, the spread being the root mean square of
    such differences in the data, per row and component, and the network sees d; with `beside` the plan too, as a part
    of the state; with `deviation`, per component c and order j, how far d is and how rough,

        log(1 + mean_t (D^j d_tc)^2 / e^2) / 2,    D^0 d = d,  D^(j+1) d_t = D^j d_(t+1) - D^j d_t,   e = 0.01

    which are 0 at the plan, as d is.

    Args:
        plan: `difference`, `beside` or `deviation`; None sees the rows alone.
        steps, dim: k and D.
    """

    spread: Tensor

    def __init__(self, plan: str | None, steps: int, dim: int) -> None:
        super().__init__()
        self.plan, self.shape = plan, (steps, dim)
        self.register_buffer("spread", None if plan is None else torch.full(self.shape, torch.nan))

    @property
    def state_dim(self) -> int:
        """Numbers that are a part of the state."""
        return math.prod(self.shape) if self.plan == BESIDE else 0

    @property
    def action_dim(self) -> int:
        """Numbers of the rows."""
        steps, dim = self.shape
        return min(ORDERS, steps) * dim if self.plan == DEVIATION else steps * dim

    def state(self, plan: Tensor | None) -> list[Tensor]:
        """The parts (batch, n) of the state of plans (batch, k, D)."""
        return [plan.flatten(1)] if plan is not None and self.plan == BESIDE else []

    def action(self, rows: Tensor, plan: Tensor | None) -> Tensor:
        """Rows (batch, samples, k, D) beside plans (batch, k, D) -> (batch, samples, n)."""
        if plan is None:
            return rows.flatten(2)
        difference = (rows - plan[:, None]) / self.spread
        if self.plan != DEVIATION:
            return difference.flatten(2)
        parts = [difference.diff(n=order, dim=2) for order in range(min(ORDERS, self.shape[0]))]
        return torch.cat([(part / LEAST_DEVIATION).square().mean(2).log1p() / 2 for part in parts], dim=-1)
