"""What pulls the chunks that a policy draws, while they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Protocol

from torch import Tensor

from policies.transforms import Tensors
from robot.description import Task

Pull = Callable[[Tensor, float], Tensor]
"""`pull(clean (batch * samples, H, D), sigma) -> (batch * samples, H, D)`: what is added to the normalised clean
actions that a sampler predicts at the noise level sigma; see `policies.objectives.objective.Edit`.
"""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A query that chunks are being drawn for.

    Args:
        observation: name -> (batch, steps, ...) raw, on the policy's device.
        task: as of `Policy.sample`.
        samples: chunks per row.
        shape: (H, D) of the noise of a chunk.
        unguided: noise (batch, n, H, D) -> the normalised chunks (batch, n, H, D) that it gives without a guide, under
            the same sampler, condition and prefix.
        decode: normalised chunks (batch, n, H, D) -> raw ones (batch, n, H, dim), differentiable.
    """

    observation: Tensors
    task: Task
    samples: int
    shape: tuple[int, int]
    unguided: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


class Guide(Protocol):
    """Makes the pull of each query."""

    def pull(self, drawing: Drawing) -> Pull:
        """What is added while the chunks of this query are drawn. Called once per query."""
        ...
