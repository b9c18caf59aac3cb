"""Networks that are right for actions drawn from N(MEAN, SPREAD^2), in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from policies.objectives import DDPM, EDM, FlowMatching, Network, Objective
from policies.objectives.ddpm import alpha_bar

MEAN, SPREAD = 0.3, 0.4
CONDITION = torch.zeros(1, 1)


def exact_denoiser(x: Tensor, sigma: Tensor | float) -> Tensor:
    return (SPREAD**2 * x + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)


def exact_flow(x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
    t = level[:, None, None]
    variance = (1 - t) ** 2 + (t * SPREAD) ** 2
    return MEAN + (t * SPREAD**2 - (1 - t)) / variance * (x - t * MEAN)


def exact_edm(objective: EDM) -> Network:
    def network(scaled: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        sigma = torch.exp(4 * level)[:, None, None]
        skip, out, scale = objective.preconditioning(sigma)
        x = scaled / scale
        return (exact_denoiser(x, sigma) - skip * x) / out

    return network


def exact_ddpm(objective: DDPM) -> Network:
    def network(x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        kept = alpha_bar(objective.train_steps)[(level * objective.train_steps).round().long()][:, None, None].to(x)
        clean = exact_denoiser(x / kept.sqrt(), ((1 - kept) / kept).sqrt())
        noise = (x - kept.sqrt() * clean) / (1 - kept).sqrt()
        return {"epsilon": noise, "sample": clean, "v": kept.sqrt() * noise - (1 - kept).sqrt() * clean}[
            objective.prediction
        ]

    return network


def exact(objective: Objective) -> Network:
    if isinstance(objective, FlowMatching):
        return exact_flow
    if isinstance(objective, EDM):
        return exact_edm(objective)
    assert isinstance(objective, DDPM)
    return exact_ddpm(objective)


def row_generators(rows: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(row) for row in range(rows)]
