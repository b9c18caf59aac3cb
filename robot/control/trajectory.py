"""The one interpolator between chunks of targets and the set-points that a plant receives.

`values[i]` of a chunk is the target for [start + i*T, start + (i+1)*T): over that interval the set-point moves from the
previous target to `values[i]` and reaches it at the interval's end. Positions, joints, widths, stiffnesses and wrenches
move linearly, rotations along the shorter arc; a `native` field is a foreign suite's own action, which holds for the
whole interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from robot.control.rotation_kernels import write_set_points
from robot.description.action import ActionField, ActionSpec
from robot.description.chunk import ActionChunk
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Set-points over time. Immutable: every change returns a new one.

    Args:
        spec: fields of a target.
        times_ns: (n,) strictly increasing; `targets[k]` is reached at `times_ns[k]`. Before the first the path is at
            the first target, after the last it holds the last.
        targets: (n, dim).
    """

    spec: ActionSpec
    times_ns: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        if self.targets.shape != (len(self.times_ns), self.spec.dim) or not len(self.times_ns):
            raise InputError(
                "trajectory", expected=f"({len(self.times_ns)}, {self.spec.dim}) targets", got=str(self.targets.shape)
            )

    @classmethod
    def hold(cls, spec: ActionSpec, target: np.ndarray, time_ns: int) -> Trajectory:
        """The trajectory that stays at one target (dim,) from `time_ns` on."""
        return cls(spec, np.array([time_ns], dtype=np.int64), np.array(target, dtype=np.float64)[None])

    @property
    def end_ns(self) -> int:
        """When the last target is reached."""
        return int(self.times_ns[-1])

    def at(self, time_ns: int | np.ndarray) -> np.ndarray:
        """Set-points at a time or at times (k,): (dim,) or (k, dim)."""
        one = isinstance(time_ns, int)
        times = np.array([time_ns], np.int64) if one else np.ascontiguousarray(np.atleast_1d(time_ns), np.int64)
        result = np.empty((len(times), self.targets.shape[1]))
        write_set_points(times, *self._laid_out, result)
        return result[0] if one or np.ndim(time_ns) == 0 else result

    @cached_property
    def _laid_out(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Times, targets, first indices of rotations and native components, as the kernel reads them."""
        times, targets = np.ascontiguousarray(self.times_ns, np.int64), np.ascontiguousarray(self.targets, np.float64)
        return times, targets, *_indices(self.spec.fields)

    def spliced(self, chunk: ActionChunk, now_ns: int) -> Trajectory:
        """Follow `chunk` from `now_ns` on, without a jump.

        Intervals of the chunk that have ended are stale and dropped; the one that contains now is entered from this
        trajectory's position. A chunk that starts later is followed when its first interval begins, and this trajectory
        until then.

        Returns:
            The new trajectory; this one itself when the whole chunk is stale.
        """
        ends = chunk.start_ns + chunk.period_ns * np.arange(1, len(chunk.values) + 1, dtype=np.int64)
        live = ends > now_ns
        if not live.any():
            return self
        junction_ns = max(now_ns, chunk.start_ns)
        between = self.times_ns[(self.times_ns > now_ns) & (self.times_ns < junction_ns)]
        kept = np.unique(np.concatenate([[now_ns], between, [junction_ns]])).astype(np.int64)
        return Trajectory(
            self.spec, np.concatenate([kept, ends[live]]), np.concatenate([self.at(kept), chunk.values[live]])
        )


@cache
def _indices(fields: tuple[ActionField, ...]) -> tuple[np.ndarray, np.ndarray]:
    """First indices of the rotations in a target, and indices of its native components."""
    starts = np.cumsum([0, *(field.size for field in fields)])
    rotations = [start for start, field in zip(starts, fields) if field.is_rotation]
    native = [start + i for start, field in zip(starts, fields) if field.kind == "native" for i in range(field.size)]
    return np.array(rotations, dtype=np.int64), np.array(native, dtype=np.int64)
