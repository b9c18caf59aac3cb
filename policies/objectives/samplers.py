"""Samplers of the diffusion x = action + sigma noise: plain functions of a denoiser, a start and a list of sigmas.

Each follows dx/dsigma = (x - D(x, sigma)) / sigma (Karras et al. 2022, equation 1) from `sigmas[0]` down to
`sigmas[-1]`, which may be zero: there each of them ends in D itself. `denoise(x, sigma)` returns the clean action D
that it predicts, of the shape of x; x is (B, H, D).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Callable, Mapping, Sequence

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
FreshNoise = Callable[[Tensor], Tensor]
"""Standard normal noise of the shape of its argument."""


def ddim(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """First order, exact where D is constant (Song et al. 2021; DPM-Solver-1 of Lu et al. 2022).

    Where x is not scaled down as noise grows, as here, Euler's step in sigma is the same step: `euler` is this too.
    """
    for sigma, lower in pairwise(sigmas):
        clean = denoise(x, sigma)
        x = clean + (lower / sigma) * (x - clean)
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Second order, two evaluations per step but for one that ends at zero (Karras et al. 2022, algorithm 1)."""
    for sigma, lower in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        ahead = x + (lower - sigma) * slope
        if lower > 0:
            slope = (slope + (ahead - denoise(ahead, lower)) / lower) / 2
            ahead = x + (lower - sigma) * slope
        x = ahead
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M): second order with one evaluation per step (Lu et al. 2022b, algorithm 2).

    With lambda = -ln(sigma), D is continued linearly from the step before; the first step and one that ends at zero
    are of first order.
    """
    before: tuple[Tensor, float] | None = None
    for sigma, lower in pairwise(sigmas):
        clean = denoise(x, sigma)
        target = clean
        if lower > 0:
            length = math.log(sigma / lower)
            if before is not None:
                last_clean, last_length = before
                target = clean + (clean - last_clean) * (length / (2 * last_length))
            before = clean, length
        x = target + (lower / sigma) * (x - target)
    return x


def ancestral(denoise: Denoise, x: Tensor, sigmas: Sequence[float], fresh_noise: FreshNoise) -> Tensor:
    """Euler with fresh noise in each step: the Markov chain of DDPM (Ho et al. 2020) for any list of sigmas.

    Each step goes down to sigma_down and back up with variance sigma_up^2, where sigma_down^2 + sigma_up^2 = lower^2.
    """
    for sigma, lower in pairwise(sigmas):
        clean = denoise(x, sigma)
        down = lower**2 / sigma
        up = math.sqrt(lower**2 - down**2)
        x = clean + (down / sigma) * (x - clean)
        if lower > 0:
            x = x + up * fresh_noise(x)
    return x


ODE_SAMPLERS: Mapping[str, Callable[[Denoise, Tensor, Sequence[float]], Tensor]] = {
    "ddim": ddim,
    "euler": ddim,
    "heun": heun,
    "dpm++2m": dpmpp_2m,
}
