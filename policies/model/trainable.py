"""What the one trainer trains: a module with a loss, and how it is written and recognised."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from policies.model.batch import TensorBatch
from policies.model.provenance import Provenance


class LossModule(nn.Module):
    """A module that learns from windows.

    Attributes:
        notes: name -> sum over windows and their number, of what `note` was given since `take_notes`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, Tensor] = {}

    @abstractmethod
    def loss(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        """The loss summed over the elements that count, a scalar.

        Args:
            batch: raw windows.
            generator: source of all that is drawn, seeded by (seed, update, part) so that a resumed run is exact.
        """

    def elements(self, batch: TensorBatch) -> int:
        """Elements that count in the loss of a batch, by which it is divided; one of each window unless overridden."""
        return len(batch)

    def after_update(self) -> None:
        """Called after each update of the weights, on the module that is trained and on that of averaged weights: for
        buffers that follow the weights, such as a target network. What it changes must be buffers, which are saved.
        """

    def note(self, **numbers: Tensor) -> None:
        """Note numbers of the windows of a batch, (n,) each, whose means the trainer logs beside the loss."""
        for name, values in numbers.items():
            kept = torch.stack([values.detach().sum().float(), torch.full_like(values.sum(), len(values)).float()])
            self.notes[name] = self.notes[name] + kept if name in self.notes else kept

    def take_notes(self) -> dict[str, Tensor]:
        """The notes, which begin anew: name -> (sum, number)."""
        taken, self.notes = self.notes, {}
        return taken

    def forward(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        """`loss`, under the name by which several processes call it."""
        return self.loss(batch, generator)


class Trainable(Protocol):
    """A policy, a critic, or whatever else a module with a loss is the learnt part of.

    Attributes:
        kind: what its checkpoints hold, in one word.
        trained: what is evaluated: the policy, the critic.
        model: the learnt part.
        recipe: what it was built from, a dataclass of plain values; a run resumes with the same one only.
    """

    @property
    def kind(self) -> str: ...

    @property
    def trained(self) -> Any: ...

    @property
    def model(self) -> LossModule: ...

    @property
    def recipe(self) -> Any: ...

    def with_model(self, model: Any) -> Trainable:
        """The same around another module of the same make, such as that of averaged weights."""
        ...

    def write(self, folder: Path, provenance: Provenance) -> None:
        """Write the files of a checkpoint into an existing folder."""
        ...

    def read_origin(self, folder: Path) -> tuple[Any, Provenance]:
        """Recipe and provenance of a checkpoint of this kind.

        Raises:
            InputError: it holds something else, or its record cannot be read.
        """
        ...
