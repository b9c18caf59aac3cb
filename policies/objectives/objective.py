"""What every training objective offers: a loss, and samplers that turn noise into actions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Callable, ClassVar, Sequence

import torch
from torch import Tensor

from robot.errors import InputError, nearest

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`network(noisy_action (B, H, D), level (B,), condition (B, C)) -> (B, H, D)`."""

Edit = Callable[[Tensor, float], Tensor]
"""`edit(clean (B, H, D), sigma) -> (B, H, D)`: a change to the clean action that a sampler predicts at each step.

sigma is the level of noise at which it was predicted, in the sense of x = clean + sigma noise up to a factor: infinite
where x is noise alone.
"""


class Objective(ABC):
    """A way to train a network on chunks of actions and to draw chunks from it, all in normalised action space.

    An objective holds settings only; weights live in the network.

    Attributes:
        samplers: names that `sample` knows.
        stochastic_samplers: those that draw more noise than they are given.
        default_sampler, default_steps: what `sample` takes without others.
        uses_noise: whether the noise given to `sample` decides the result.
    """

    samplers: ClassVar[tuple[str, ...]]
    stochastic_samplers: ClassVar[tuple[str, ...]] = ()
    default_sampler: ClassVar[str]
    default_steps: ClassVar[int]
    uses_noise: ClassVar[bool] = True

    @property
    def bound(self) -> float | None:
        """Times the range of the demonstrations that the predicted clean action is kept within while sampling; None for
        no bound.

        The caller keeps it by an `edit`.
        """
        return None

    @property
    def largest_action(self) -> float:
        """Root mean square of an action's component, normalised, beyond which the noise that sampling starts from
        leaves out too much of it; infinite where it starts from noise alone whatever the action.
        """
        return math.inf

    @abstractmethod
    def loss(
        self, network: Network, action: Tensor, condition: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The loss of each element, to be masked and averaged by the caller.

        Args:
            network: predicts from (noisy action, level, condition).
            action: (B, H, D) from demonstrations.
            condition: (B, C).
            generator: source of the noise and of the levels.

        Returns:
            (B, H, D).
        """

    @abstractmethod
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
        """Turn noise into chunks of actions.

        Args:
            network: as in `loss`.
            noise: (B, H, D), standard normal; its shape is all that counts where `uses_noise` is false.
            condition: (B, C).
            sampler: one of `samplers`.
            steps: how many steps it takes.
            generators: one per row for samplers that draw more noise, so that no row depends on its batch mates.
            edit: applied to the clean action predicted at each step: where it writes a committed prefix, the
                samplers end exactly there and the rest of the chunk is drawn to go with it.

        Returns:
            (B, H, D).

        Raises:
            InputError: no such sampler, a number of steps it cannot take, or no generators for a stochastic one.
        """

    def deterministic(self, sampler: str) -> bool:
        """Whether the given noise alone decides what `sampler` returns.

        Raises:
            InputError: no such sampler.
        """
        return self.choose(sampler, None)[0] not in self.stochastic_samplers

    def choose(self, sampler: str | None, steps: int | None) -> tuple[str, int]:
        """The given sampler and steps, or the default ones.

        Args:
            sampler: one of `samplers`; None takes the default.
            steps: that it takes; None takes the default number.

        Raises:
            InputError: no such sampler, or a number of steps that it cannot take.
        """
        name = self.default_sampler if sampler is None else sampler
        count = self.default_steps if steps is None else steps
        if name not in self.samplers:
            raise InputError(
                f"sampler '{name}'", expected=f"one of {', '.join(self.samplers)}", way_out=nearest(name, self.samplers)
            )
        if count < 1:
            raise InputError(f"steps of sampler '{name}'", expected="at least 1", got=str(count))
        return name, count


def row_generators(like: Tensor, generators: Sequence[torch.Generator] | None) -> list[torch.Generator]:
    """The generators of a stochastic sampler, checked to be one per row of `like`."""
    if generators is None or len(generators) != len(like):
        raise InputError(
            "generators of a stochastic sampler",
            expected=f"{len(like)}, one a row",
            got="none" if generators is None else str(len(generators)),
        )
    return list(generators)


def row_noise(like: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise of the shape (B, H, D) of `like`, each row from its own generator."""
    rows = [torch.randn(like.shape[1:], generator=one, device=one.device, dtype=like.dtype) for one in generators]
    return torch.stack(rows).to(like.device)


def same_level(level: float, like: Tensor) -> Tensor:
    """One noise level for all rows of `like`: (B,)."""
    return torch.full((len(like),), level, device=like.device, dtype=like.dtype)
