"""Denoising diffusion on a fixed chain of levels (Ho et al. 2020), sampled by the schedulers of diffusers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Sequence

import numpy as np
import torch
from torch import Tensor

from policies.objectives.objective import Edit, Network, Objective, row_generators, same_level
from robot.description.ranges import Range
from robot.errors import InputError, nearest

PREDICTIONS = ("epsilon", "sample", "v")


@dataclass(frozen=True)
class DDPM(Objective):
    """Denoising diffusion on a fixed chain of noise levels (Ho et al. 2020).

        x_k = sqrt(a_k) action + sqrt(1 - a_k) noise

    on the cosine schedule (Nichol and Dhariwal 2021); the network's level is k / train_steps. The samplers are `ddim`
    (Song et al. 2021), `dpmsolver++` of second order (Lu et al. 2022b) and `ddpm`, which alone draws more noise.
    Whatever the network predicts is turned into the clean action first, and that is what the scheduler is given: so
    the three predictions and edits, clipping among them, meet the samplers in one form.

    Args:
        train_steps: levels of the chain.
        prediction: what the network predicts: `epsilon` (the noise), `sample` (the action) or `v` (Salimans and Ho
            2022: sqrt(a) noise - sqrt(1 - a) action).
        clip: keeps the clean action at each step of a sampler within so many times the range of the demonstrations,
            about its middle, whatever the normalisation; None where actions have no bound.

    Raises:
        InputError: no such prediction, or fewer than two levels.
    """

    train_steps: Annotated[int, Range(2, 100_000)] = 100
    prediction: str = "epsilon"
    clip: Annotated[float, Range(0, 1e6, above=True)] | None = 1.0

    samplers: ClassVar[tuple[str, ...]] = ("ddim", "dpmsolver++", "ddpm")
    stochastic_samplers: ClassVar[tuple[str, ...]] = ("ddpm",)
    default_sampler: ClassVar[str] = "ddim"
    default_steps: ClassVar[int] = 10

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise InputError(
                f"ddpm prediction '{self.prediction}'",
                expected=f"one of {', '.join(PREDICTIONS)}",
                way_out=nearest(self.prediction, PREDICTIONS),
            )
        if self.train_steps < 2:
            raise InputError("ddpm train_steps", expected="at least 2", got=str(self.train_steps))

    @property
    def bound(self) -> float | None:
        return self.clip

    @property
    def largest_action(self) -> float:
        """Three times the noise: the first level sampled keeps a tenth of an action, which the start leaves out."""
        return 3.0

    def choose(self, sampler: str | None, steps: int | None) -> tuple[str, int]:
        """The given sampler and steps, or the default ones: of `ddpm` the whole chain.

        Raises:
            InputError: no such sampler, less than one step, or more than the chain has levels; of `ddim` and
                `dpmsolver++` more than it has informative ones.
        """
        if sampler == "ddpm" and steps is None:
            steps = self.train_steps
        name, count = super().choose(sampler, steps)
        most = self.train_steps if name == "ddpm" else self._informative_levels()
        if count > most:
            raise InputError(
                f"steps of sampler '{name}'",
                expected=f"at most {most} for a chain of {self.train_steps}",
                got=str(count),
            )
        return name, count

    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        noise = torch.randn(action.shape, generator=generator, device=action.device, dtype=action.dtype)
        levels = torch.randint(self.train_steps, (len(action),), generator=generator, device=action.device)
        kept = alpha_bar(self.train_steps).to(action)[levels][:, None, None]
        signal, spread = kept.sqrt(), (1 - kept).sqrt()
        prediction = network(signal * action + spread * noise, levels.to(action) / self.train_steps, condition)
        target = {"epsilon": noise, "sample": action}.get(self.prediction)
        if target is None:
            target = signal * noise - spread * action
        return (prediction - target) ** 2

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
        draws = row_generators(noise, generators) if name in self.stochastic_samplers else None
        levels = self.levels(count)
        scheduler = make_scheduler(name, self.train_steps)
        scheduler.set_timesteps(timesteps=levels)
        x = noise
        for level in levels:
            prediction = network(x, same_level(level / self.train_steps, x), condition)
            clean = self.clean_action(prediction, x, level)
            if edit is not None:
                clean = edit(clean, self.sigma_of(level))
            x = scheduler.step(clean, level, x, generator=draws).prev_sample
        return x

    def levels(self, steps: int) -> list[int]:
        """Levels that a sampler visits, falling, equally spaced, the last of them one stride above clean.

        They start from the highest level at which the network's prediction is informative about the action, or, when
        there are more steps than such levels, from the end of the chain.

        Args:
            steps: how many levels, at most `train_steps`.
        """
        informative = self._informative_levels()
        count = informative if steps <= informative else self.train_steps
        return (np.round(count * np.arange(steps, 0, -1) / steps).astype(int) - 1).tolist()

    def clean_action(self, prediction: Tensor, x: Tensor, level: int) -> Tensor:
        """The clean action (B, H, D) that a prediction at a noisy x of that level means."""
        kept = alpha_bar(self.train_steps)[level].item()
        signal, spread = math.sqrt(kept), math.sqrt(1 - kept)
        if self.prediction == "epsilon":
            clean = (x - spread * prediction) / signal
        elif self.prediction == "v":
            clean = signal * x - spread * prediction
        else:
            clean = prediction
        return clean

    def sigma_of(self, level: int) -> float:
        """The noise at a level beside an action of size 1: sqrt((1 - a_k) / a_k)."""
        kept = alpha_bar(self.train_steps)[level].item()
        return math.sqrt((1 - kept) / kept)

    def _informative_levels(self) -> int:
        """How many levels have a prediction that is informative about the action.

        A predicted noise is not where less than a hundredth of the action's variance is left.
        """
        if self.prediction != "epsilon":
            return self.train_steps
        return int((alpha_bar(self.train_steps) >= 0.01).sum())


def make_scheduler(sampler: str, train_steps: int) -> Any:
    """A fresh scheduler of diffusers (they keep state) that takes the clean action at each level.

    DDIM without noise is DPM-Solver++ of first order (Lu et al. 2022, section 4.1), and this form of it takes any
    list of levels.
    """
    from diffusers.schedulers import DDPMScheduler, DPMSolverMultistepScheduler  # seconds that other objectives save

    chain = {"num_train_timesteps": train_steps, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}
    if sampler == "ddpm":
        return DDPMScheduler(**chain, variance_type="fixed_small", clip_sample=False)
    order = 1 if sampler == "ddim" else 2
    return DPMSolverMultistepScheduler(**chain, algorithm_type="dpmsolver++", solver_order=order)


@lru_cache(maxsize=8)
def alpha_bar(train_steps: int) -> Tensor:
    """a_k (train_steps,): the part of the action's variance that is left at each level of the chain."""
    from diffusers.schedulers import DDPMScheduler

    return DDPMScheduler(num_train_timesteps=train_steps, beta_schedule="squaredcos_cap_v2").alphas_cumprod
