"""What a decision is made of: the columns of a replay, as one numpy record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Iterable, Mapping, Sequence

import numpy as np

from robot.description import ObservationField, PolicySpec
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError

WINDOW, NEXT = "window.", "next."
"""Prefixes of the keys that were seen, and of those that followed."""
DEMONSTRATION = -1
"""The version of a policy that is none: a person's or an expert's decision."""
CUT_OFF = -2
"""The version of what is no decision: the moment at which an episode was cut off, with the chunks that were drawn there
and none of which was executed. What a value is bootstrapped from."""
AFTERWARDS = -3
"""The version of decisions after a success that ended nothing: steps were taken, but there is nothing to learn."""
CANDIDATES, PLANNED, NOISE, CHOSEN = "candidates", "planned", "noise", "chosen"
EXTRAS = (NOISE, PLANNED, CANDIDATES, CHOSEN)
"""Columns that a batch of transitions does without."""

Size = Annotated[int, Range(1, 1_000_000)]
Some = Annotated[int, Range(0, 1_000_000)]


@dataclass(frozen=True)
class Key:
    """A key of a window.

    Args:
        shape: of it, history included: (steps, ...).
        dtype: numpy name.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class ReplaySchema:
    """The columns of a replay.

    Args:
        window: key -> its shape and type, of what a decision sees.
        dim: components of an action.
        rows: k, the most rows of a chunk that are executed.
        horizon: rows of a planned chunk; 0 keeps no plans.
        noise: shape of the noise that a chunk is drawn from; None keeps none.
        candidates: K, chunks that a decision chooses from; 0 keeps none.
        has_cost: whether each step has a cost beside its reward.

    Raises:
        InputError: no key, a type that numpy does not know or that is no number, or a size outside its range.
    """

    window: Mapping[str, Key]
    dim: Size
    rows: Size = 1
    horizon: Some = 0
    noise: tuple[Size, ...] | None = None
    candidates: Some = 0
    has_cost: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "replay schema")
        if not self.window:
            raise InputError("replay schema: window", expected="at least one key", got="none")
        for name, key in self.window.items():
            try:
                numeric = np.dtype(key.dtype).kind in "biuf"
            except TypeError:
                numeric = False
            if not numeric or any(size < 1 for size in key.shape):
                raise InputError(
                    f"replay schema: window.{name}",
                    expected="a shape of sizes above 0 and a type of numbers",
                    got=f"{tuple(key.shape)} of {key.dtype}",
                )
        if self.candidates and not self.horizon:
            raise InputError("replay schema: horizon", expected="1 or more, as candidates are chunks", got="0")

    @classmethod
    def of(
        cls,
        spec: PolicySpec,
        *,
        noise: Sequence[int] | None = None,
        candidates: int = 0,
        rows: int | None = None,
        has_cost: bool = False,
    ) -> ReplaySchema:
        """The columns of a policy's decisions.

        Args:
            spec: of the policy.
            noise: shape of its noise (`Policy.noise_shape`); None keeps none.
            candidates: chunks to keep of those that a decision chose from.
            rows: executed per plan; the policy's own number when None.
            has_cost: whether steps have a cost.
        """
        return cls(
            {key.name: _key(key) for key in spec.observation},
            spec.action.dim,
            spec.n_action_steps if rows is None else rows,
            spec.horizon,
            None if noise is None else tuple(noise),
            candidates,
            has_cost,
        )

    @cached_property
    def dtype(self) -> np.dtype:
        """One decision, aligned: `floats` numbers of type float32 first, the columns of `EXTRAS` last."""
        return _aligned([*self._core(), *self._extras()])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return self.dtype.names or ()

    @cached_property
    def core(self) -> np.dtype:
        """The part of a decision that a batch of transitions needs: the first bytes of `dtype`."""
        return _aligned(self._core())

    @cached_property
    def floats(self) -> int:
        """Numbers of type float32 at the beginning of a record."""
        return sum(prod(shape) for _, kind, shape in self._core() if kind == "float32")

    @cached_property
    def other_floats(self) -> tuple[str, ...]:
        """Columns of the core that are numbers of another type of float."""
        return tuple(name for name, kind, _ in self._core() if np.dtype(kind).kind == "f" and kind != "float32")

    def _core(self) -> Iterable[tuple[str, str, tuple[int, ...]]]:
        keys = [
            (prefix + name, str(np.dtype(key.dtype)), tuple(key.shape))
            for prefix in (WINDOW, NEXT)
            for name, key in self.window.items()
        ]
        yield from (key for key in keys if key[1] == "float32")
        yield "executed", "float32", (self.rows, self.dim)
        yield "reward", "float32", (self.rows,)
        if self.has_cost:
            yield "cost", "float32", (self.rows,)
        yield from (key for key in keys if key[1] != "float32")
        yield "episode", "int64", ()
        yield "version", "int64", ()
        yield "length", "int32", ()
        for name in ("terminated", "truncated", "intervention"):
            yield name, "bool", ()

    def _extras(self) -> Iterable[tuple[str, str, tuple[int, ...]]]:
        if self.noise is not None:
            yield NOISE, "float32", self.noise
        if self.horizon:
            yield PLANNED, "float32", (self.horizon, self.dim)
        if self.candidates:
            yield CANDIDATES, "float32", (self.candidates, self.horizon, self.dim)
            yield CHOSEN, "int32", ()


def _aligned(columns: Iterable[tuple[str, str, tuple[int, ...]]]) -> np.dtype:
    return np.dtype(list(columns), align=True)


def _key(field: ObservationField) -> Key:
    dtype = field.dtype if field.is_image else "float32"
    return Key((field.history.steps, *field.shape), dtype)
