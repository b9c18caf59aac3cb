"""Networks by name, as configurations and checkpoints write them."""

from __future__ import annotations

from typing import Any, Mapping

from torch import nn

from policies.networks.mlp import ResidualMLP
from policies.networks.tokens import TokenLayout, TokenTransformer
from policies.networks.transformer import ActionTransformer
from policies.networks.unet import ConditionalUnet1D
from policies.recipe.choice import choose

NETWORKS: Mapping[str, type[nn.Module]] = {
    "mlp": ResidualMLP,
    "transformer": ActionTransformer,
    "tokens": TokenTransformer,
    "unet": ConditionalUnet1D,
}
"""Name in a configuration -> network."""


def make_network(
    name: str, horizon: int, action_dim: int, condition_dim: int, layout: TokenLayout | None = None, **options: Any
) -> nn.Module:
    """Build a network by its name.

    Args:
        name: of `NETWORKS`.
        horizon: rows in a chunk, H.
        action_dim: components of an action, D.
        condition_dim: size of the encoded observation, C.
        layout: of the condition, where its encoder makes tokens.
        options: of the network.

    Returns:
        A module: noisy action (B, H, D), level (B,), condition (B, C) -> (B, H, D).

    Raises:
        InputError: no such network or option, an option out of range, or sizes that the network cannot take.
    """
    make = choose(f"network '{name}'", NETWORKS, name, options)
    if make is TokenTransformer:
        options["layout"] = layout
    return make(horizon, action_dim, condition_dim, **options)
