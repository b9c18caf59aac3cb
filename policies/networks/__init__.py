"""Networks that predict from a noisy chunk of actions, a noise level and a condition."""

from policies.networks.embedding import LevelEmbedding
from policies.networks.linear import Linear
from policies.networks.mlp import ResidualMLP
from policies.networks.registry import NETWORKS, make_network
from policies.networks.transformer import ActionTransformer
from policies.networks.unet import ConditionalUnet1D

__all__ = [
    "NETWORKS",
    "ActionTransformer",
    "ConditionalUnet1D",
    "LevelEmbedding",
    "Linear",
    "ResidualMLP",
    "make_network",
]
