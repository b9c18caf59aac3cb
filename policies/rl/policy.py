"""The result of a training: a policy that acts on arrays, in a folder of safetensors and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import torch
from torch import nn

from policies.model.checkpoint_folder import read_json
from policies.model.files import fill, new_checkpoint, read_tensors, write_json, write_tensors
from policies.rl.networks import Actor, Scale
from robot.description import from_json, to_json
from robot.errors import InputError

FORMAT, VERSION = "tiller-actor", 1
KNOWN = ((FORMAT, VERSION), ("tiller-safe-policy", 1))
WEIGHTS, RECORD = "model.safetensors", "policy.json"


@dataclass(frozen=True)
class ActorRecord:
    """The content of policy.json.

    Args:
        size, actions: of an observation and an action.
        width, depth, free_deviation: of the actor.
        notes: where it comes from; the budget that it was trained for and its hash.
    """

    format: str
    version: int
    size: int
    actions: int
    width: int
    depth: int
    free_deviation: bool
    notes: Mapping[str, Any] = field(default_factory=dict)


class ActorPolicy:
    """A policy that was trained here: observations in, the most likely actions out.

    Args:
        record: its sizes, and notes on where it comes from; the weights are fresh.
    """

    def __init__(self, record: ActorRecord) -> None:
        self.record = record
        self.network = nn.ModuleDict(
            {
                "scale": Scale(record.size),
                "actor": Actor(
                    record.size, record.actions, record.width, record.depth, free_deviation=record.free_deviation
                ),
            }
        )

    @classmethod
    def of(cls, scale: Scale, actor: Actor, width: int, depth: int, *, free_deviation: bool) -> ActorPolicy:
        """A copy of an actor that is being trained.

        Args:
            scale: of its observations.
            actor: its network.
            width, depth, free_deviation: what the actor was made with.
        """
        size, actions = len(scale.shift), actor.body[-1].out_features // (1 if free_deviation else 2)
        policy = cls(ActorRecord(FORMAT, VERSION, size, actions, width, depth, free_deviation))
        policy.network["scale"].load_state_dict(scale.state_dict())
        policy.network["actor"].load_state_dict(actor.state_dict())
        return policy

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """The most likely actions.

        Args:
            observation: (rows, size) raw units.

        Returns:
            (rows, actions) float32, -1 to 1.

        Raises:
            InputError: observations of another shape.
        """
        if observation.ndim != 2 or observation.shape[1] != self.record.size:
            raise InputError("policy: observation", expected=f"(rows, {self.record.size})", got=str(observation.shape))
        scaled = self.network["scale"](torch.from_numpy(observation.astype(np.float32)))
        action: np.ndarray = torch.tanh(self.network["actor"](scaled)[0]).numpy()
        return action

    def save(self, path: Path, notes: Mapping[str, Any] | None = None) -> Path:
        """Write the policy as a folder; an existing one is replaced once the new one is complete.

        Args:
            path: the folder.
            notes: on where it comes from; None keeps those of the record.

        Returns:
            The folder.

        Raises:
            InputError: the path cannot be written to.
            TillerError: the disk is full, or a file could not be written.
        """
        record = ActorRecord(**{**vars(self.record), "notes": notes or self.record.notes})
        with new_checkpoint(path) as folder:
            write_tensors(folder / WEIGHTS, self.network.state_dict())
            write_json(folder / RECORD, to_json(record))
        return path

    @classmethod
    def load(cls, path: Path) -> ActorPolicy:
        """Read a policy.

        Args:
            path: the folder that `save` wrote.

        Raises:
            InputError: no policy there, another format, or a file that is missing, cut short or incomplete.
        """
        value = read_json(path / RECORD)
        header = (value.get("format"), value.get("version")) if isinstance(value, dict) else (None, None)
        if header not in KNOWN:
            raise InputError(
                f"policy '{path}'",
                expected=f"format {FORMAT} version {VERSION}",
                got=f"format {header[0]} version {header[1]}",
            )
        policy = cls(from_json(ActorRecord, value, where=str(path / RECORD)))
        fill(policy.network, read_tensors(path / WEIGHTS), path / WEIGHTS)
        return policy
