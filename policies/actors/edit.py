"""An offset of what is executed, for each state, within a fixed distance of each component."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Mapping

import torch
from torch import Tensor, nn

from policies.actors.noise import beginning_actor
from policies.actors.spec import ActorSpec
from policies.networks.sizes import Depth, Width
from policies.rl.networks import Actor
from robot.description import ActionField, ActionSpec
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

RESIDUAL = "residual"
METRES, RADIANS = "m", "rad"
DELTAS: Mapping[tuple[str, str], float] = {
    ("pose", METRES): 0.01, ("joint", RADIANS): 0.05, ("joint", METRES): 0.005, ("width", METRES): 0.005,
    ("native", METRES): 0.01, ("native", RADIANS): 0.05,
}  # fmt: skip
"""(kind, unit) -> how far a component may be moved, in that unit; of all others it is 0. A rotation is one of them: the
sum of two sets of columns is none.
"""


@dataclass(frozen=True)
class Edits:
    """A squashed Gaussian over offsets, delta * tanh(x), that begins at zero in all states.

    Args:
        delta: per component of an action, in its unit; those of 0 are not moved.
        deviation: of x, that it begins with.
        width, depth: of the hidden layers.
    """

    delta: tuple[float, ...]
    deviation: Annotated[float, Range(0.01, 7)] = 0.5
    width: Width = 128
    depth: Depth = 2

    def __post_init__(self) -> None:
        require_ranges(self, RESIDUAL)
        if not any(self.delta) or not all(math.isfinite(each) and each >= 0 for each in self.delta):
            raise InputError(
                "residual: delta", expected="finite numbers from 0 on, one of them above 0", got=str(self.delta)
            )

    def build(self, state: int, spec: ActorSpec) -> EditHead:
        """(batch, state) -> the offset (batch, dim) of the mean."""
        if len(self.delta) != spec.action.dim:
            raise InputError(
                "residual: delta", expected=f"{spec.action.dim} numbers, one a component", got=str(len(self.delta))
            )
        numbers = sum(each > 0 for each in self.delta)
        actor = beginning_actor(state, numbers, self.deviation, self.width, self.depth)
        return EditHead(actor, torch.tensor(self.delta))


class EditHead(nn.Module):
    """Offsets of a squashed Gaussian actor.

    Args:
        actor: of the components that are moved.
        delta: (dim,) of all.
    """

    spread: Tensor

    def __init__(self, actor: Actor, delta: Tensor) -> None:
        super().__init__()
        self.actor = actor
        self.register_buffer("spread", torch.diag(delta)[delta > 0], persistent=False)  # (n, dim)

    @property
    def numbers(self) -> int:
        """n, components that are moved."""
        return self.spread.shape[0]

    def forward(self, state: Tensor) -> Tensor:
        mean, _ = self.actor(state)
        return self.offset(torch.tanh(mean))

    def offset(self, numbers: Tensor) -> Tensor:
        """delta * u (batch, dim) of u (batch, n) in [-1, 1]."""
        return numbers @ self.spread


def deltas(action: ActionSpec, given: Mapping[str, float]) -> tuple[float, ...]:
    """How far each component may be moved, by what is given for its field, else by its kind and unit.

    Args:
        action: whose fields they are.
        given: name of a field -> distance in its unit.

    Returns:
        dim numbers.

    Raises:
        InputError: no such field, a distance that is no finite number from 0 on, or nothing that may be moved.
    """
    names = [field.name for field in action.fields]
    for name, value in given.items():
        if name not in names:
            raise InputError(
                f"residual: delta.{name}", expected=f"a field of the action: {', '.join(names)}",
                way_out=nearest(name, names),
            )  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not (0 <= value < math.inf):
            raise InputError(f"residual: delta.{name}", expected="a finite number from 0 on", got=repr(value))
    each = [part for field in action.fields for part in _field_deltas(field, given.get(field.name))]
    if not any(each):
        kinds = ", ".join(f"{field.name} ({field.kind}, {field.unit})" for field in action.fields)
        raise InputError(
            "residual: delta", expected="a field that may be moved", got=f"none with a distance of its own: {kinds}",
            way_out="Give one in its unit: learning.residual.delta={NAME: DISTANCE}",
        )  # fmt: skip
    return tuple(each)


def _field_deltas(field: ActionField, given: float | None) -> list[float]:
    if given is not None:
        return [float(given)] * field.size
    units = field.unit.split()
    units = units * field.size if len(units) == 1 else units
    return [0.0 if field.is_rotation else DELTAS.get((field.kind, unit), 0.0) for unit in units]
