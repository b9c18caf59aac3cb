"""The actions of recorded rows, from the commands that were sent between them."""

from __future__ import annotations

import numpy as np

from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.errors import InputError

HOLE_NS = 50_000_000  # ten commands of a gate at 200 Hz


def action_rows(
    spec: ActionSpec,
    times_ns: np.ndarray,
    targets: np.ndarray,
    stamps_ns: np.ndarray,
    period_ns: int,
    *,
    holds: bool = False,
    hole_ns: int = HOLE_NS,
) -> tuple[np.ndarray, np.ndarray]:
    """The action of each row: the target for the interval that begins at its stamp.

    Over an interval the set-point moves from the previous target to the interval's own and reaches it at the end
    (`robot.control.trajectory`). So the action of a row at t is where the commands were at t + period, between two of
    them as a `Trajectory` is, rotations along the shorter arc. Where commands and rows are not aligned with the chunks
    that were followed, an action is off by less than what its target moves in one period of the commands.

    Args:
        spec: of the targets.
        times_ns: (m,) strictly increasing: when each command is reached.
        targets: (m, dim) the commands.
        stamps_ns: (n,) of the rows.
        period_ns: from a row's stamp to the end of its interval.
        holds: whether each command is stamped with the beginning of its interval and is in force for all of it, as in
            lock-step: then it is the one in force at t.
        hole_ns: how far apart the two commands around t + period may be. With `holds` a command is in force for a
            period and no longer.

    Returns:
        (n, dim) float64, and (n,) bool: whether there were commands; the targets of the others are not a number.

    Raises:
        InputError: commands of another size, or times that do not increase.
    """
    times, stamps = np.asarray(times_ns, dtype=np.int64), np.asarray(stamps_ns, dtype=np.int64)
    commands = np.asarray(targets, dtype=np.float64)
    if commands.shape != (len(times), spec.dim):
        raise InputError("commands", expected=f"({len(times)}, {spec.dim}) targets", got=str(commands.shape))
    if (np.diff(times) <= 0).any():
        raise InputError("times of commands", expected="each later than the one before", got="some that are not")
    actions, found = np.full((len(stamps), spec.dim), np.nan), np.zeros(len(stamps), dtype=bool)
    if not len(times):
        return actions, found
    if holds:
        latest = np.searchsorted(times, stamps, side="right") - 1
        found = (latest >= 0) & (stamps - times[latest] < period_ns)
        actions[found] = commands[latest[found]]
        return actions, found
    ends = stamps + period_ns
    after = np.searchsorted(times, ends, side="left")
    inside = after < len(times)
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    exact = times[after] == ends
    found = inside & (exact | ((times[before] < ends) & (times[after] - times[before] <= hole_ns)))
    actions[found] = Trajectory(spec, times, commands).at(ends[found])
    # A native action is in force until the end of its interval: a path is on the next one there.
    native = [name for name, field in zip(spec.slices, spec.fields) if field.kind == "native"]
    for name in native:
        actions[found, spec.slices[name]] = commands[after[found], spec.slices[name]]
    return actions, found


def warm_up(spec: ActionSpec) -> None:
    """Load the machine code for targets of a spec: for a second nothing else is done."""
    targets = np.random.default_rng(0).normal(size=(2, spec.dim))
    action_rows(spec, np.array([0, 2]), targets, np.array([0]), 1)
