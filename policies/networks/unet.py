"""The conditional 1-D U-Net of diffusion policy (Chi et al. 2023; after Janner et al. 2022), laid out for few rows.

Chunks stay (B, length, channels) throughout. A convolution is then one matrix product with the rows under its
kernel laid side by side: at batch 1 each weight is read from memory once, in order, which is what bounds that case.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.networks.embedding import LevelEmbedding
from policies.networks.linear import Linear
from policies.networks.sizes import Width
from robot.description.ranges import Range
from robot.errors import InputError

KernelSize = Annotated[int, Range(1, 255)]
EmbeddingSize = Annotated[int, Range(2, 65_536)]


class TimeConv(nn.Module):
    """`nn.Conv1d` over (B, length, channels), padded to keep the length where the stride is one."""

    def __init__(self, inside: int, outside: int, kernel_size: int, stride: int = 1):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.linear = Linear(kernel_size * inside, outside)  # weight (outside, kernel, inside), flattened

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(side_by_side(x, self.kernel_size, self.stride, self.kernel_size // 2))


class TimeDoubling(nn.Module):
    """`nn.ConvTranspose1d` of kernel 4 and stride 2: each new row is made from the two old rows next to it."""

    def __init__(self, channels: int):
        super().__init__()
        self.even = Linear(2 * channels, channels)
        self.odd = Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        pairs = side_by_side(x, 2, 1, 1)
        return torch.stack((self.even(pairs[:, :-1]), self.odd(pairs[:, 1:])), dim=2).flatten(1, 2)


def side_by_side(x: Tensor, kernel_size: int, stride: int, padding: int) -> Tensor:
    """The rows under each position of a kernel, zeros beyond the ends: (B, L, C) to (B, L', kernel_size * C)."""
    if kernel_size == 1:
        return x
    windows = functional.pad(x, (0, 0, padding, padding)).unfold(1, kernel_size, stride)
    return windows.transpose(2, 3).flatten(2)


class ConvBlock(nn.Module):
    """Convolution, group norm, Mish."""

    def __init__(self, inside: int, outside: int, kernel_size: int, groups: int):
        super().__init__()
        self.conv = TimeConv(inside, outside, kernel_size)
        self.norm = nn.GroupNorm(groups, outside)

    def forward(self, x: Tensor) -> Tensor:
        image = self.conv(x).transpose(1, 2).unsqueeze(2)  # channels-last, which group norm knows in 2-D only
        return functional.mish(self.norm(image).squeeze(2).transpose(1, 2))


class ResidualBlock(nn.Module):
    """Two convolutions with FiLM between them, and a residual connection."""

    def __init__(self, inside: int, outside: int, kernel_size: int, groups: int):
        super().__init__()
        self.channels = outside
        self.first = ConvBlock(inside, outside, kernel_size, groups)
        self.second = ConvBlock(outside, outside, kernel_size, groups)
        self.straight = nn.Identity() if inside == outside else Linear(inside, outside)

    def forward(self, x: Tensor, film: Tensor) -> Tensor:
        """(B, L, inside) and scale and shift (B, 2 * outside) to (B, L, outside)."""
        scale, shift = film.unsqueeze(1).chunk(2, dim=-1)
        return self.second(self.first(x) * (1 + scale) + shift) + self.straight(x)


class ConditionalUnet1D(nn.Module):
    """U-Net over the rows of a chunk, conditioned everywhere by FiLM with scale and bias (Chi et al. 2023).

    The defaults are those of the paper's PushT policy, 66 M parameters. FiLM starts as the identity.

    Args:
        horizon: rows in a chunk, H, a multiple of 2^(levels - 1).
        action_dim: components of an action, D.
        condition_dim: size of the encoded observation, C.
        down_dims: channels of each level.
        kernel_size: of the convolutions, odd.
        groups: of the group norms.
        step_embedding: size of the embedded noise level.

    Raises:
        InputError: the horizon cannot be halved so often, the kernel is even, or the groups do not divide the channels.
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        condition_dim: int,
        down_dims: Sequence[Width] = (256, 512, 1024),
        kernel_size: KernelSize = 5,
        groups: Width = 8,
        step_embedding: EmbeddingSize = 256,
    ):
        super().__init__()
        _check(horizon, down_dims, kernel_size, groups)
        self.level = nn.Sequential(
            LevelEmbedding(step_embedding),
            Linear(step_embedding, 4 * step_embedding),
            nn.Mish(),
            Linear(4 * step_embedding, step_embedding),
        )

        def pair(inside: int, outside: int) -> nn.ModuleList:
            return nn.ModuleList(ResidualBlock(dim, outside, kernel_size, groups) for dim in (inside, outside))

        self.down = nn.ModuleList(pair(*ends) for ends in pairwise((action_dim, *down_dims)))
        self.halving = nn.ModuleList(TimeConv(dim, dim, kernel_size=3, stride=2) for dim in down_dims[:-1])
        self.middle = pair(down_dims[-1], down_dims[-1])
        rising = list(pairwise(reversed(down_dims)))
        self.up = nn.ModuleList(pair(2 * coarse, fine) for coarse, fine in rising)
        self.doubling = nn.ModuleList(TimeDoubling(fine) for _, fine in rising)
        self.last = nn.Sequential(
            ConvBlock(down_dims[0], down_dims[0], kernel_size, groups), Linear(down_dims[0], action_dim)
        )
        blocks = [block for module in (*self.down, self.middle, *self.up) for block in module]
        self.film_sizes = [2 * block.channels for block in blocks]
        self.film = Linear(step_embedding + condition_dim, sum(self.film_sizes))  # of all blocks, in order
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    @property
    def readout(self) -> nn.Module:
        """The last layer: what it reads is the network's penultimate activation."""
        return self.last[-1]

    def forward(self, noisy_action: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """Predict from a noisy chunk.

        Args:
            noisy_action: (B, H, D).
            level: (B,) noise level, of the order of one.
            condition: (B, C).

        Returns:
            (B, H, D).
        """
        features = functional.mish(torch.cat((self.level(level), condition), dim=-1))
        films = iter(self.film(features).split(self.film_sizes, dim=-1))

        def through(pair: nn.ModuleList, x: Tensor) -> Tensor:
            for block in pair:
                x = block(x, next(films))
            return x

        x = through(self.down[0], noisy_action)
        skips = []
        for halving, pair in zip(self.halving, self.down[1:]):
            x = through(pair, halving(x))
            skips.append(x)
        x = through(self.middle, x)
        for pair, doubling in zip(self.up, self.doubling):
            x = doubling(through(pair, torch.cat((x, skips.pop()), dim=-1)))
        return self.last(x)


def _check(horizon: int, down_dims: Sequence[int], kernel_size: int, groups: int) -> None:
    stride = 2 ** (len(down_dims) - 1)
    if horizon % stride:
        below = horizon - horizon % stride
        choices = " or ".join(str(value) for value in (below, below + stride) if value)
        raise InputError(
            f"horizon of a U-Net with {len(down_dims)} levels",
            expected=f"a multiple of {stride}",
            got=str(horizon),
            way_out=f"The nearest are {choices}",
        )
    if kernel_size % 2 == 0:
        raise InputError("kernel_size of a U-Net", expected="an odd number", got=str(kernel_size))
    bad = [dim for dim in down_dims if dim % groups]
    if bad:
        raise InputError("groups of a U-Net", expected=f"a divisor of all of {tuple(down_dims)}", got=str(groups))
