"""What a policy's network computes beside the chunk: its condition, and what its last layer reads."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from robot.description.decision import FEATURES
from robot.errors import InputError, nearest

CONDITION, NETWORK = "condition", "network"


class FeatureTap:
    """Keeps the features of one draw, which is made while the context is open.

    Args:
        network: whose last layer is listened to; it has a `readout`.
        kind: of `robot.description.decision.FEATURES`.

    Raises:
        InputError: there is no such kind, or the network has no `readout`.
    """

    def __init__(self, network: nn.Module, kind: str) -> None:
        if kind not in FEATURES:
            raise InputError("features", expected=f"one of {', '.join(FEATURES)}", way_out=nearest(kind, FEATURES))
        self._kind = kind
        self._layer = None if kind == CONDITION else readout(network)
        self._read, self.condition = torch.zeros(0), torch.zeros(0)

    def __enter__(self) -> Self:
        if self._layer is not None:
            self._hook = self._layer.register_forward_pre_hook(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._layer is not None:
            self._hook.remove()

    def features(self, batch: int, samples: int) -> np.ndarray:
        """(batch, samples, F) float32 of the draw: the condition (batch, C), then what the last layer read in the last
        call of the network, its mean over the rows of the chunk where it reads them one by one.
        """
        parts = []
        if self._kind != NETWORK:
            parts.append(self.condition[:, None].expand(-1, samples, -1))
        if self._layer is not None:
            read = self._read[: batch * samples]  # under guidance by a prompt the rows without it stand behind
            read = read if read.ndim == 2 else read.mean(dim=1)
            parts.append(read.unflatten(0, (batch, samples)))
        joined: np.ndarray = torch.cat(parts, dim=-1).float().cpu().numpy()
        return joined

    def _listen(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._read = inputs[0]


def readout(network: nn.Module) -> nn.Module:
    """The layer that reads a network's penultimate activation.

    Raises:
        InputError: the network does not say which it is.
    """
    layer = getattr(network, "readout", None)
    if not isinstance(layer, nn.Module):
        raise InputError(
            f"features of network {type(network).__name__}",
            expected="a `readout`, its last layer",
            got="none",
            way_out=f"Take the features '{CONDITION}'",
        )
    return layer
