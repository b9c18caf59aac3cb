"""Networks of a critic: what is seen and the executed rows of a chunk, to an output of each member."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from policies.networks.ensemble import MlpEnsemble
from policies.networks.sizes import Width
from policies.recipe.choice import choose
from robot.description.ranges import Range

Members = Annotated[int, Range(1, 1000)]
Depth = Annotated[int, Range(0, 100)]


class ValueMlp(MlpEnsemble):
    """Perceptrons with layer norm: (batch, state), (batch, action) -> (members, batch).

    Args:
        state, action: numbers of what is seen, and of the rows that are scored.
        members: of the ensemble.
        width, depth: of the hidden layers.
    """

    def __init__(self, state: int, action: int, members: Members = 2, width: Width = 256, depth: Depth = 2) -> None:
        super().__init__(members, state + action, width, depth)


class Dueling(nn.Module):
    """The value of the state and the advantage of the rows, V(s) + A(s, a) - A(s, 0).

    Wang et al., "Dueling Network Architectures for Deep Reinforcement Learning" (2016), with rows of zeros in place of
    the mean over actions: beside a plan these are the plan itself, so that V is its value.

    Args:
        state, action, members, width, depth: as of `ValueMlp`, of both.
    """

    def __init__(self, state: int, action: int, members: Members = 2, width: Width = 256, depth: Depth = 2) -> None:
        super().__init__()
        self.value = MlpEnsemble(members, state, width, depth)
        self.advantage = ValueMlp(state, action, members, width, depth)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """(batch, state), (batch, action) -> (members, batch)."""
        advantage: Tensor = self.advantage(state, action) - self.advantage(state, torch.zeros_like(action))
        return self.value(state) + advantage


class StateValue(nn.Module):
    """The value of the state alone, whatever the rows: what is to be expected there.

    Args:
        state, action, members, width, depth: as of `ValueMlp`.
    """

    def __init__(self, state: int, action: int, members: Members = 2, width: Width = 256, depth: Depth = 2) -> None:
        super().__init__()
        self.value = MlpEnsemble(members, state, width, depth)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """(batch, state), (batch, action) -> (members, batch)."""
        value: Tensor = self.value(state)
        return value


NETWORKS = {"mlp": ValueMlp, "dueling": Dueling, "state": StateValue}
"""Name in a configuration -> network."""


def make_value_network(name: str, state: int, action: int, **options: Any) -> nn.Module:
    """Build a network of values by its name.

    Args:
        name: of `NETWORKS`.
        state, action: numbers of what is seen, and of the rows that are scored.
        options: of that network.

    Raises:
        InputError: no such network or option, or an option outside its range.
    """
    network: nn.Module = choose("critic.network", NETWORKS, name, options)(state, action, **options)
    return network
