"""The state of a training as named tensors, and seeds that need no state: functions of (seed, segment)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer


def stream(seed: int, segment: int) -> int:
    """The random seed of one segment of a training."""
    return int(np.random.SeedSequence([seed, segment]).generate_state(1)[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights inside from the seed; the random generator outside is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def under(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors with a prefix before their names; later updates do not change them."""
    return {f"{name}.{key}": tensor.detach().clone() for key, tensor in tensors.items()}


def nested(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of that name, without it."""
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """`number:moment` -> tensor, by the number of the parameter."""
    return {
        f"{number}:{moment}": torch.as_tensor(value)
        for number, moments in optimiser.state_dict()["state"].items()
        for moment, value in moments.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Fill an optimiser, made as it was, with what `optimiser_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, moment = key.partition(":")
        state.setdefault(int(number), {})[moment] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
