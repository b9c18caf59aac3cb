"""A residual perceptron over the flattened chunk: the small default for low-dimensional tasks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.networks.embedding import LevelEmbedding
from policies.networks.linear import Linear
from policies.networks.sizes import Depth, Dropout, Width


class FilmBlock(nn.Module):
    """x + Linear(SiLU(FiLM(LayerNorm(x)))), with scale and shift per feature (Perez et al. 2018)."""

    def __init__(self, width: int, features: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = Linear(features, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.linear = Linear(width, width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        scale, shift = self.film(features).chunk(2, dim=-1)
        x_modulated = self.norm(x) * (1 + scale) + shift
        return x + self.linear(self.dropout(functional.silu(x_modulated)))


class ResidualMLP(nn.Module):
    """Residual MLP over the flattened chunk, with FiLM (Perez et al. 2018) from the condition and the noise level.

    FiLM starts as the identity and the last layer as zero, so an untrained network predicts zero.

    Args:
        horizon: rows in a chunk, H.
        action_dim: components of an action, D.
        condition_dim: size of the encoded observation, C.
        width: hidden features. The defaults make 1.75 M parameters on a task such as PushT.
        depth: residual blocks.
        features: size of the vector that modulates the blocks.
        dropout: probability inside the blocks while training.
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        condition_dim: int,
        width: Width = 512,
        depth: Depth = 4,
        features: Width = 144,
        dropout: Dropout = 0.0,
    ):
        super().__init__()
        self.embedding = LevelEmbedding(128)
        self.features = Linear(self.embedding.dim + condition_dim, features)
        self.first = Linear(horizon * action_dim + condition_dim, width)
        self.blocks = nn.ModuleList(FilmBlock(width, features, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = Linear(width, horizon * action_dim)
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
        features = functional.silu(self.features(torch.cat((self.embedding(level), condition), dim=-1)))
        x = self.first(torch.cat((noisy_action.flatten(1), condition), dim=-1))
        for block in self.blocks:
            x = block(x, features)
        return self.last(functional.silu(self.norm(x))).view_as(noisy_action)
