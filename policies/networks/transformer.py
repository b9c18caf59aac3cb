"""A transformer over the rows of a chunk with adaptive layer norm (adaLN-Zero; Peebles and Xie 2023, DiT)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.networks.embedding import LevelEmbedding
from policies.networks.linear import Linear
from policies.networks.sizes import Depth, Dropout, Width
from robot.errors import InputError


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return x * (1 + scale) + shift


class Modulation(nn.Module):
    """Condition (B, width) to several vectors (B, 1, width), all zero at first."""

    def __init__(self, width: int, vectors: int):
        super().__init__()
        self.vectors = vectors
        self.linear = Linear(width, vectors * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        return self.linear(functional.silu(condition)).unsqueeze(1).chunk(self.vectors, dim=-1)


class SelfAttention(nn.Module):
    """Every token sees every other, but those that a mask leaves out: (B, T, width) to (B, T, width)."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.project = Linear(width, 3 * width)
        self.merge = Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = self.project(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout
        )  # (B, heads, H, -1)
        return self.merge(attended.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a perceptron, each scaled, shifted and gated by the condition; the identity at first."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.modulation = Modulation(width, 6)
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.attention = SelfAttention(width, heads, dropout)
        self.perceptron = nn.Sequential(
            Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Dropout(dropout), Linear(4 * width, width)
        )

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor | None = None) -> Tensor:
        scale_1, shift_1, gate_1, scale_2, shift_2, gate_2 = self.modulation(condition)
        x = x + gate_1 * self.attention(modulate(self.norms[0](x), scale_1, shift_1), mask)
        return x + gate_2 * self.perceptron(modulate(self.norms[1](x), scale_2, shift_2))


class ActionTransformer(nn.Module):
    """A transformer with one token per row of the chunk, all of which see one another.

    Condition and noise level enter by adaptive layer norm in every block (adaLN-Zero; Peebles and Xie 2023, DiT).
    Blocks start as the identity and the last layer as zero, so an untrained network predicts zero.

    Args:
        horizon: rows in a chunk, H.
        action_dim: components of an action, D.
        condition_dim: size of the encoded observation, C.
        width: size of a token.
        depth: blocks.
        heads: of attention, a divisor of the width.
        dropout: probability, in attention and perceptrons, while training.

    Raises:
        InputError: the heads do not divide the width.
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        condition_dim: int,
        width: Width = 256,
        depth: Depth = 6,
        heads: Width = 4,
        dropout: Dropout = 0.0,
    ):
        super().__init__()
        if width % heads:
            raise InputError("heads of a transformer", expected=f"a divisor of its width {width}", got=str(heads))
        self.level = nn.Sequential(LevelEmbedding(256), Linear(256, width), nn.SiLU(), Linear(width, width))
        self.condition = Linear(condition_dim, width)
        self.first = Linear(action_dim, width)
        self.places = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = Modulation(width, 2)
        self.last = Linear(width, action_dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    @property
    def readout(self) -> nn.Module:
        """The last layer: what it reads is the network's penultimate activation."""
        return self.last

    def forward(self, noisy_action: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """Predict from a noisy chunk.

        Args:
            noisy_action: (B, H, D).
            level: (B,) noise level, of the order of one.
            condition: (B, C).

        Returns:
            (B, H, D).
        """
        features = self.level(level) + self.condition(condition)
        x = self.first(noisy_action) + self.places
        for block in self.blocks:
            x = block(x, features)
        return self.last(modulate(self.norm(x), *self.modulation(features)))
