"""Scaling between what the transforms give and what the network sees; its numbers are saved with the weights."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from data.learning.statistics import FieldStatistics

ACTION = "action"
LIMITS, GAUSSIAN, NONE = "limits", "gaussian", "none"
STATISTICS = ("min", "max", "mean", "std")


class FieldNormaliser(nn.Module):
    """normalised = scale * value + offset, per component.

    The buffers are NaN until statistics or a checkpoint fill them.

    Args:
        shape: of one row.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        for name in ("scale", "offset", *STATISTICS):
            self.register_buffer(name, torch.full(shape, torch.nan))

    def fit(self, mode: str, statistics: FieldStatistics) -> None:
        """Set the scaling.

        Args:
            mode: `limits` maps [min, max] to [-1, 1], `gaussian` to zero mean and unit deviation, `none` keeps values.
            statistics: of rows; a component that does not change maps to 0 with unit gain.
        """
        scale, offset = scaling(mode, statistics)
        self.scale.copy_(torch.from_numpy(scale))
        self.offset.copy_(torch.from_numpy(offset))
        for name in STATISTICS:
            getattr(self, name).copy_(torch.from_numpy(np.asarray(getattr(statistics, name))))

    def forward(self, value: Tensor) -> Tensor:
        return torch.addcmul(self.offset, value, self.scale)

    def inverse(self, value: Tensor) -> Tensor:
        return (value - self.offset) / self.scale


class Normaliser(nn.Module):
    """One scaling per low-dimensional observation key, and one for actions.

    Args:
        shapes: key -> shape of one row, without history; `action` among them.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]):
        super().__init__()
        self.keys = tuple(shapes)
        # A module's name must not hold a dot, an observation's often does.
        self.fields = nn.ModuleDict({_module_name(name): FieldNormaliser(shape) for name, shape in shapes.items()})

    def __getitem__(self, name: str) -> FieldNormaliser:
        field = self.fields[_module_name(name)]
        assert isinstance(field, FieldNormaliser)
        return field

    def observation(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Normalise the keys that have a scaling; images pass as they are."""
        return {name: self[name](value) if name in self.keys else value for name, value in observation.items()}


def scaling(mode: str, statistics: FieldStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset, float64, of normalised = scale * value + offset."""
    if mode == NONE:
        return np.ones_like(statistics.mean), np.zeros_like(statistics.mean)
    if mode == LIMITS:
        half, middle = (statistics.max - statistics.min) / 2, (statistics.max + statistics.min) / 2
    else:
        half, middle = statistics.std, statistics.mean
    # Rounding noise on a value that is meant to be constant must not be amplified to the size of a signal.
    constant = half <= 1e-6 * np.maximum(1.0, np.maximum(abs(statistics.min), abs(statistics.max)))
    scale = np.where(constant, 1.0, 1.0 / np.where(constant, 1.0, half))
    return scale, -middle * scale


def _module_name(name: str) -> str:
    return name.replace(".", "/")
