"""What actors give, by kind: the last part of their networks, and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Mapping, Protocol

import torch
from torch import nn

from policies.actors.edit import RESIDUAL, Edits
from policies.actors.noise import NoiseGaussian
from policies.actors.spec import ActorSpec
from policies.networks.ensemble import MlpEnsemble
from policies.recipe.actors import NOISE_ACTOR
from policies.recipe.choice import choose
from robot.description import from_json
from robot.description.ranges import Range
from robot.description.record import require_ranges

CODEBOOK = "codebook"
FIRST = 1e-3
"""Of the zero noise over the others, before anything is learnt."""

Width = Annotated[int, Range(1, 65_536)]
Depth = Annotated[int, Range(0, 100)]


class Head(Protocol):
    """Settings of a kind, a frozen dataclass of plain values."""

    def build(self, state: int, spec: ActorSpec) -> nn.Module:
        """The network from a state of so many numbers."""
        ...


@dataclass(frozen=True)
class Entries:
    """A value of each of several fixed noises: w_0 = 0, w_i = scale * e_i with e_i ~ N(0, I) drawn from the seed.

    Args:
        entries: how many, the zero noise among them.
        scale: of the others.
        seed: that they are drawn from.
        width, depth: of the hidden layers.
    """

    entries: Annotated[int, Range(2, 256)] = 16
    scale: Annotated[float, Range(0, 100)] = 1.0
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    width: Width = 128
    depth: Depth = 2

    def __post_init__(self) -> None:
        require_ranges(self, CODEBOOK)

    def build(self, state: int, spec: ActorSpec) -> nn.Module:
        """(batch, state) -> (entries, batch): one small network an entry, all in one batch of products. Untrained ones
        are alike everywhere, that of the zero noise a little larger.
        """
        values = MlpEnsemble(self.entries, state, self.width, self.depth)
        with torch.no_grad():
            values.weights[-1].zero_()
            values.biases[-1].zero_()
            values.biases[-1][0] = FIRST
        return values


HEADS: dict[str, type[Any]] = {CODEBOOK: Entries, NOISE_ACTOR: NoiseGaussian, RESIDUAL: Edits}
"""Kind -> settings."""


def make_head(kind: str, settings: Mapping[str, Any]) -> Any:
    """The settings of a kind.

    Raises:
        InputError: no such kind or setting, or one outside its range.
    """
    choose("actor", HEADS, kind, dict(settings))
    return from_json(HEADS[kind], dict(settings), where=f"actor {kind}")
