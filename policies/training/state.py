"""What an exact resume needs beside the averaged weights: raw weights, optimiser, schedule and counters.

The order of rows, the noise and the augmentation of an update are functions of (seed, update), so no generator's state
has to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from policies.model.checkpoint_folder import read_json
from policies.model.files import fill, read_tensors, write_json, write_tensors
from policies.recipe.recipe import TrainingConfig
from robot.description import from_json, to_json
from robot.errors import InputError

WEIGHTS, OPTIMISER, STATE = "weights.safetensors", "optimiser.safetensors", "state.json"
# Other values of these make another run; all others hold from the first update after a resume on.
FIXED = ("seed", "batch_size", "demonstrations", "order", "weights", "overfit_one_batch", "validation")


@dataclass(frozen=True)
class TrainingState:
    """Counters of a run.

    Args:
        update: updates done.
        elapsed_s: time spent training.
        average_updates: updates that the moving average has seen.
        schedule: state of the learning rate's schedule.
        config: of the run so far.
        processor_s: of it, time of this process on its cores.
    """

    update: int
    elapsed_s: float
    average_updates: int
    schedule: Mapping[str, Any]
    config: TrainingConfig
    processor_s: float = 0.0


def write_training(folder: Path, state: TrainingState, model: nn.Module, optimiser: Optimizer) -> None:
    """Write the files of a training state into a new folder."""
    folder.mkdir()
    write_tensors(folder / WEIGHTS, model.state_dict())
    write_tensors(folder / OPTIMISER, _named_state(model, optimiser))
    write_json(folder / STATE, to_json(state))


def read_training(folder: Path, model: nn.Module, optimiser: Optimizer) -> TrainingState:
    """Fill a model and its optimiser, made as they were when written; returns the counters.

    Raises:
        InputError: a file is missing, cut short, or of another model.
    """
    state = from_json(TrainingState, read_json(folder / STATE), where=str(folder / STATE))
    fill(model, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    tensors = read_tensors(folder / OPTIMISER)
    parameters = dict(model.named_parameters())
    indices = {name: index for index, name in enumerate(parameters)}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, kind = key.rpartition(":")
        if name not in indices:
            raise InputError(
                f"checkpoint file '{folder / OPTIMISER}'", expected="the parameters of this model", got=f"'{name}'"
            )
        moments.setdefault(indices[name], {})[kind] = _with_strides_of(parameters[name], tensor)
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return state


def _with_strides_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A moment with the strides of its parameter: the fused AdamW walks through both in memory order."""
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor


def _named_state(model: nn.Module, optimiser: Optimizer) -> dict[str, Tensor]:
    """`parameter:moment` -> tensor."""
    names = [name for name, _ in model.named_parameters()]
    state = optimiser.state_dict()["state"]
    return {
        f"{names[index]}:{kind}": torch.as_tensor(value)
        for index, kinds in state.items()
        for kind, value in kinds.items()
    }


def require_same_run(state: TrainingState, asked: TrainingConfig) -> None:
    """Refuse to go on with other choices than a run began with, where that would be another run.

    Raises:
        InputError: names the first of the choices that differs, or the steps when they are done already.
    """
    for name in FIXED:
        before, now = getattr(state.config, name), getattr(asked, name)
        if before != now:
            raise InputError(
                f"resume: training.{name}",
                expected=f"{before}, as the run began",
                got=str(now),
                way_out="Give the same choices, or another output folder",
            )
    if asked.steps < state.update:
        raise InputError(
            "resume: training.steps",
            expected=f"at least {state.update}, the updates that are done",
            got=str(asked.steps),
            way_out="Give at least so many, or another output folder",
        )


def changed_choices(state: TrainingState, asked: TrainingConfig) -> list[str]:
    """The choices that changed when a run was resumed, in words; empty where all are the same."""
    before, now = to_json(state.config), to_json(asked)
    changed = [
        f"training.{name} {now[name]} (was {before[name]})"
        for name in now
        if name != "stop_after" and before[name] != now[name]
    ]
    if asked.stop_after is not None and asked.stop_after <= state.update:
        changed.append(f"training.stop_after {asked.stop_after} is behind it and stops nothing")
    return changed
