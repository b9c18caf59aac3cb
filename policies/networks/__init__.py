"""Networks that predict from a noisy chunk of actions, a noise level and a condition."""

from policies.networks.embedding import LevelEmbedding
from policies.networks.mlp import ResidualMLP
from policies.networks.registry import NETWORKS, make_network

__all__ = ["NETWORKS", "LevelEmbedding", "ResidualMLP", "make_network"]
