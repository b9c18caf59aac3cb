"""Networks by name, as configurations and checkpoints write them."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping

from torch import nn

from policies.networks.mlp import ResidualMLP
from policies.networks.transformer import ActionTransformer
from policies.networks.unet import ConditionalUnet1D
from robot.errors import InputError, nearest

NETWORKS: Mapping[str, type[nn.Module]] = {
    "mlp": ResidualMLP,
    "transformer": ActionTransformer,
    "unet": ConditionalUnet1D,
}


def make_network(name: str, horizon: int, action_dim: int, condition_dim: int, **options: Any) -> nn.Module:
    """Build the network that `name` means: noisy action (B, H, D), level (B,), condition (B, C) -> (B, H, D).

    Raises:
        InputError: no such network, or it has no such option.
    """
    return choose(f"network '{name}'", NETWORKS, name, options)(horizon, action_dim, condition_dim, **options)


def choose(thing: str, choices: Mapping[str, Callable[..., Any]], name: str,
           options: Mapping[str, Any]) -> Callable[..., Any]:
    """The choice of that name, once it is known to take these options."""
    if name not in choices:
        raise InputError(thing, expected=f"one of {', '.join(choices)}", way_out=nearest(name, choices))
    known = inspect.signature(choices[name]).parameters
    for option in options:
        if option not in known:
            raise InputError(f"{thing}: option '{option}'", expected=f"one of {', '.join(known)}",
                             way_out=nearest(option, known))
    return choices[name]
