"""Observations between arrays and tensors."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from robot.description import ObservationSpec
from robot.errors import InputError

_WINDOWS = (
    "That is one row: ObservationHistory(spec.observation) of robot.control.observation.history makes windows "
    "of rows, and window[None] is a batch of one"
)


def observation_tensors(
    spec: ObservationSpec, observation: Mapping[str, np.ndarray], device: torch.device
) -> dict[str, Tensor]:
    """Raw arrays as tensors on a device, after a check of names and shapes.

    Args:
        spec: keys with their histories.
        observation: name -> (batch, steps, ...).
        device: of the tensors.

    Raises:
        InputError: a key is missing, or an array has another shape.
    """
    tensors, batch = {}, None
    for field in spec:
        if field.name not in observation:
            raise InputError(
                f"observation '{field.name}'",
                expected="every key that is seen",
                got=f"only {', '.join(observation) or 'nothing'}",
            )
        value = np.asarray(observation[field.name])
        batch = len(value) if batch is None and value.ndim else batch
        expected = (batch, field.history.steps, *field.shape)
        if value.shape != expected:
            raise InputError(
                f"observation '{field.name}'",
                expected=f"(batch, steps, ...) = {expected}",
                got=str(value.shape),
                way_out=_WINDOWS if value.shape == field.shape else None,
            )
        value = value if field.is_image else value.astype(np.float32, copy=False)
        tensors[field.name] = torch.from_numpy(np.ascontiguousarray(value)).to(device)
    return tensors
