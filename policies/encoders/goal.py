"""Goals: an observation to reach, as what a policy is told to do."""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from policies.encoders.cnn import SmallCNN
from policies.encoders.prompt import PromptEncoder
from policies.networks.linear import Linear
from policies.networks.sizes import Dropout, Width
from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import GOAL


class GoalPrompt(PromptEncoder):
    """An observation to reach, of low-dimensional keys, of cameras, or of both; demonstrations are told what they led
    to (`data.learning.sources.hindsight`). No goal is a condition of its own where `drop` trained it (Reuss et al.
    2023, BESO).

    Args:
        keys: of the observation that make a goal.
        shapes: key -> shape of one row; training fills it in.
        size: C, numbers of the condition.
        drop: share of training windows without their goal; above 0 the policy takes a guidance weight.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self,
        keys: Sequence[str] = (),
        shapes: Mapping[str, Any] | None = None,
        size: Width = 64,
        drop: Dropout = 0.1,
    ) -> None:
        super().__init__()
        self.shapes = {name: tuple(int(each) for each in (shapes or {}).get(name, ())) for name in keys}
        self.spec = PromptSpec(GOAL, goal=self.shapes, guidance=drop > 0)
        self.drop, self.condition_dim = drop, size
        self._sizes = [math.prod(shape) for shape in self.shapes.values()]
        cameras = {name: shape for name, shape in self.shapes.items() if len(shape) == 3}
        self.networks = nn.ModuleDict(
            {name.replace(".", "/"): SmallCNN((shape[0], shape[1])) for name, shape in cameras.items()}
        )
        numbers = sum(math.prod(shape) for name, shape in self.shapes.items() if name not in cameras)
        features = numbers + sum(network.features for network in self.networks.values())  # type: ignore[misc]
        for name in ("offset", "scale"):
            self.register_buffer(name, torch.full((numbers,), torch.nan))
        self.layers = nn.Sequential(Linear(features, size), nn.SiLU(), Linear(size, size))
        self.without = nn.Parameter(torch.zeros(size))

    def fit(self, goals: np.ndarray | None = None) -> None:
        """Take mean and deviation of the numbers of goals (n, G)."""
        if goals is None:
            return
        low = self._split(torch.from_numpy(goals).double())[0]
        spread = (low - low.mean(0)).square().mean(0).sqrt()
        self.offset.copy_(low.mean(0))
        self.scale.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def read(self, prompts: Sequence[TaskPrompt]) -> Tensor:
        """The goals, (B, G), key after key in raw units; NaN for none."""
        super().read(prompts)
        self._remark_missing("goals", any(prompt.goal is None for prompt in prompts))
        rows = torch.full((len(prompts), sum(self._sizes)), torch.nan)
        for number, prompt in enumerate(prompts):
            if prompt.goal is not None:
                parts = [np.asarray(prompt.goal[name], np.float32).ravel() for name in self.shapes]
                rows[number] = torch.from_numpy(np.concatenate(parts))
        return rows

    def none(self, rows: int) -> Tensor:
        return torch.full((rows, sum(self._sizes)), torch.nan)

    def forward(self, goals: Tensor) -> Tensor:
        """(B, G) to (B, C)."""
        given = ~goals.isnan().any(dim=1, keepdim=True)
        if self.training and self.drop:
            given = given & (torch.rand(len(goals), 1, device=goals.device) >= self.drop)
        low, images = self._split(torch.where(given, goals, 0.0))
        parts = [(low - self.offset) / self.scale]
        for name, image in images.items():
            scaled = image.movedim(-1, 1) / 127.5 - 1
            parts.append(self.networks[name.replace(".", "/")](scaled.contiguous(memory_format=torch.channels_last)))
        return torch.where(given, self.layers(torch.cat(parts, dim=1)), self.without)

    def _split(self, goals: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Goals (B, G) as their low-dimensional numbers (B, L), and camera -> (B, h, w, 3)."""
        low, images = [goals[:, :0]], {}
        for (name, shape), part in zip(self.shapes.items(), goals.split(self._sizes, dim=1)):
            if len(shape) == 3:
                images[name] = part.unflatten(1, shape)
            else:
                low.append(part)
        return torch.cat(low, dim=1), images
