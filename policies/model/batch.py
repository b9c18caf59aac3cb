"""Windows side by side as tensors: what every module that is trained learns from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

import torch
from torch import Tensor

PROMPT = "prompt"
"""The fact of an episode, or the column of a window, that is its prompt as the model's encoder of prompts reads it."""


@dataclass(frozen=True, eq=False)
class TensorBatch:
    """Windows side by side on a device, raw units.

    Args:
        observation: name -> (batch, steps, ...).
        action: (batch, horizon, dim).
        is_pad: (batch, horizon).
        kept: rows that are no padding, counted before the transfer to the device.
        facts: name -> (batch, ...) of the episode that each window is of, such as `success` or `prompt`.
        columns: name -> (batch, ...) of the window's newest row, or of the window.
        following: the windows that follow these; None where the objective does not look ahead.
    """

    observation: Mapping[str, Tensor]
    action: Tensor
    is_pad: Tensor
    kept: int
    facts: Mapping[str, Tensor] = field(default_factory=dict)
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    following: TensorBatch | None = None

    def __len__(self) -> int:
        return len(self.is_pad)

    @property
    def prompt(self) -> Tensor | None:
        """The prompts (batch, ...), of the episode or of the window; None where the model reads none."""
        return self.facts.get(PROMPT, self.columns.get(PROMPT))

    def to(self, device: torch.device) -> TensorBatch:
        """The same windows on another device."""
        if device.type == "cpu":
            return self

        def moved(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: value.to(device, non_blocking=True) for name, value in values.items()}

        action, is_pad = (value.to(device, non_blocking=True) for value in (self.action, self.is_pad))
        following = None if self.following is None else self.following.to(device)
        return TensorBatch(
            moved(self.observation), action, is_pad, self.kept, moved(self.facts), moved(self.columns), following
        )
