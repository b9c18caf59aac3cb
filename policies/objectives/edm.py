"""Diffusion with the preconditioning of Karras et al. (2022, EDM), as BESO uses it for actions (Reuss et al. 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Sequence

import torch
from torch import Tensor

from policies.objectives.objective import Edit, Network, Objective, row_generators, row_noise, same_level
from policies.objectives.samplers import ODE_SAMPLERS, ancestral
from policies.objectives.sigmas import SCHEDULES
from robot.description.ranges import Range
from robot.errors import InputError, nearest

Sigma = Annotated[float, Range(1e-6, 1e6)]


@dataclass(frozen=True)
class EDM(Objective):
    """Diffusion with the preconditioning of Karras et al. (2022, EDM), as BESO has it for actions (Reuss et al. 2023).

        x = action + sigma noise,    D(x, sigma) = c_skip x + c_out network(c_in x, ln(sigma) / 4)

    D predicts the action. The samplers are `ddim`, which `euler` is too, `heun`, `dpm++2m` and `ancestral`, which alone
    draws more noise (`policies.objectives.samplers`).

    Args:
        sigma_data: standard deviation of normalised actions.
        sigma_min: smallest sigma trained and sampled.
        sigma_max: largest one, from which sampling starts: sigma_max times the given noise. That leaves the action out
            of action + sigma_max noise, which favours a chunk a over another by exp(-|a|^2 / (2 sigma_max^2)): at 1
            the odds of large motions shrink much, at 10 by some percents; beyond that few steps only get coarser.
        density_loc: median of ln(sigma) in training.
        density_scale: spread of ln(sigma) in training, logistic and cut off at sigma_min and sigma_max.
        schedule: levels that samplers visit: `cosine`, `exponential` or `karras`.

    Raises:
        InputError: no such schedule, or `sigma_min` is not below `sigma_max`.
    """

    sigma_data: Sigma = 0.5
    sigma_min: Sigma = 0.005
    sigma_max: Sigma = 10.0
    density_loc: Annotated[float, Range(-20, 20)] = math.log(0.5)
    density_scale: Annotated[float, Range(0.01, 100)] = 0.7
    schedule: str = "cosine"

    samplers: ClassVar[tuple[str, ...]] = (*ODE_SAMPLERS, "ancestral")
    stochastic_samplers: ClassVar[tuple[str, ...]] = ("ancestral",)
    default_sampler: ClassVar[str] = "ddim"
    default_steps: ClassVar[int] = 10

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise InputError(
                f"edm schedule '{self.schedule}'",
                expected=f"one of {', '.join(SCHEDULES)}",
                way_out=nearest(self.schedule, SCHEDULES),
            )
        if not 0 < self.sigma_min < self.sigma_max:
            raise InputError(
                "edm sigma_min and sigma_max",
                expected="0 < sigma_min < sigma_max",
                got=f"{self.sigma_min} and {self.sigma_max}",
            )

    @property
    def largest_action(self) -> float:
        """A third of the starting noise, which leaves out the action; at least 1, for which sigma_max is chosen."""
        return max(1.0, 0.3 * self.sigma_max)

    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        noise = torch.randn(action.shape, generator=generator, device=action.device, dtype=action.dtype)
        uniform = torch.rand(len(action), generator=generator, device=action.device, dtype=action.dtype)
        sigma = self.draw_sigma(uniform)
        skip, out, scale = self.preconditioning(sigma[:, None, None])
        x = action + sigma[:, None, None] * noise
        prediction = network(scale * x, sigma.log() / 4, condition)
        return (prediction - (action - skip * x) / out) ** 2

    def sample(
        self,
        network: Network,
        noise: Tensor,
        condition: Tensor,
        sampler: str | None = None,
        steps: int | None = None,
        generators: Sequence[torch.Generator] | None = None,
        edit: Edit | None = None,
    ) -> Tensor:
        name, count = self.choose(sampler, steps)

        def denoise(x: Tensor, sigma: float) -> Tensor:
            skip, out, scale = self.preconditioning(sigma)
            clean = skip * x + out * network(scale * x, same_level(math.log(sigma) / 4, x), condition)
            return clean if edit is None else edit(clean, sigma)

        sigmas = SCHEDULES[self.schedule](count, self.sigma_max, self.sigma_min)
        x = noise * self.sigma_max
        if name == "ancestral":
            draws = row_generators(noise, generators)
            return ancestral(denoise, x, sigmas, lambda like: row_noise(like, draws))
        return ODE_SAMPLERS[name](denoise, x, sigmas)

    def preconditioning(self, sigma: Tensor | float) -> tuple[Tensor | float, Tensor | float, Tensor | float]:
        """c_skip, c_out and c_in (Karras et al. 2022, table 1), which give the network inputs and targets of unit
        variance.

        Args:
            sigma: noise level, of any shape, which is the result's too.
        """
        total = sigma**2 + self.sigma_data**2
        return self.sigma_data**2 / total, sigma * self.sigma_data / total**0.5, total**-0.5

    def draw_sigma(self, uniform: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) (B,) to training sigmas (B,): log-logistic between sigma_min and sigma_max."""
        low, high = (
            1 / (1 + math.exp(-(math.log(end) - self.density_loc) / self.density_scale))
            for end in (self.sigma_min, self.sigma_max)
        )
        return torch.exp(self.density_loc + self.density_scale * torch.logit(low + (high - low) * uniform))
