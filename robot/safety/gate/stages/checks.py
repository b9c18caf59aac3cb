"""Whether a chunk may be followed at all."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from robot.control.rotation import matrix_from_6d, rotation_6d_from_matrix, span_rotations
from robot.control.rotation_kernels import write_matrix_from_6d, write_rotvec_between
from robot.safety.gate.inputs import LARGEST, LONGEST_CHUNK_S, ChunkSample, Now
from robot.safety.gate.reasons import Reason
from robot.safety.gate.settings import GateSettings

Refusal = tuple[Reason, str]

_ROUNDING = 1e-9  # error of a rotation's columns below which they are left unchanged


def refuse_form(settings: GateSettings, chunk: ChunkSample) -> Refusal | None:
    """The fault in a chunk's form, at whatever time it comes: names, size, numbers, rotations, period."""
    if chunk.fault:
        return Reason.CHUNK_UNREADABLE, chunk.fault
    spec = settings.spec
    names, values = spec.component_names, chunk.values
    if values.ndim != 2 or values.shape[1] != spec.dim or not len(values):
        return Reason.CHUNK_SIZE, f"expected (rows, {spec.dim}), got {values.shape}"
    if chunk.names != names:
        pairs = zip_longest(names, chunk.names)
        ours, theirs = next(pair for pair in pairs if pair[0] != pair[1])
        return Reason.CHUNK_NAMES, f"expected {_shown(ours)}, got {_shown(theirs)}"
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        return Reason.CHUNK_NOT_FINITE, f"{names[column]} of row {row} is {values[row, column]}"
    if np.abs(values).max() > LARGEST:
        row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
        return Reason.CHUNK_HUGE, f"{names[column]} of row {row} is {values[row, column]:.3g}"
    if len(values) * spec.period_s > LONGEST_CHUNK_S:
        return Reason.CHUNK_LONG, f"{len(values)} rows of {spec.period_s:g} s"
    for field in spec.fields:
        if field.is_rotation:
            flat = np.flatnonzero(~span_rotations(values[:, spec.slices[field.name]]))
            if len(flat):
                return Reason.CHUNK_ROTATION, f"{field.name} of row {flat[0]}"
    if not abs(chunk.period_s * 1e9 - spec.period_ns) <= 0.5:
        got = f"{chunk.period_s} s" if math.isfinite(chunk.period_s) else "rows that are not evenly spaced from zero"
        return Reason.CHUNK_PERIOD, f"expected {spec.period_s} s, got {got}"
    return None


def orthonormal(settings: GateSettings, chunk: ChunkSample) -> ChunkSample:
    """The chunk with the two columns of each rotation made unit vectors at right angles where they were not."""
    values = chunk.values
    for field in settings.spec.fields:
        if field.is_rotation:
            part = settings.spec.slices[field.name]
            x, y = values[:, part][:, :3], values[:, part][:, 3:]
            lengths = np.stack([(x * x).sum(axis=1), (y * y).sum(axis=1), 1 + (x * y).sum(axis=1)])
            if np.abs(lengths - 1).max() > _ROUNDING:
                values = values.copy()
                values[:, part] = rotation_6d_from_matrix(matrix_from_6d(values[:, part]))
    return chunk if values is chunk.values else replace(chunk, values=values)


def refuse_time(settings: GateSettings, chunk: ChunkSample, now: Now, followed: ChunkSample | None) -> Refusal | None:
    """The fault in a chunk's time.

    Args:
        settings: of the gate.
        chunk: sound in form.
        now: the moment.
        followed: the chunk before it from the same source; None when there is none.
    """
    if chunk.epoch is not None and chunk.epoch != now.epoch:
        return Reason.CHUNK_EPOCH, f"made in epoch {chunk.epoch}, now is {now.epoch}"
    ahead = (chunk.start_ns - now.ros_ns) * 1e-9
    if ahead > settings.future_s:
        return Reason.CHUNK_FUTURE, f"starts {ahead:.3f} s from now"
    lead = 0 if settings.lock_step else round(settings.lead_s * 1e9)
    past = (now.ros_ns + lead - chunk.start_ns - len(chunk.values) * settings.spec.period_ns) * 1e-9
    if past >= 0:
        return Reason.CHUNK_PAST, f"ended {past:.3f} s ago"
    if followed is not None and chunk.start_ns < followed.start_ns:
        return Reason.CHUNK_ORDER, f"{(followed.start_ns - chunk.start_ns) * 1e-9:.3f} s older"
    return None


def refuse_start(
    settings: GateSettings, chunk: ChunkSample, command: np.ndarray, time_ns: int, measured: np.ndarray | None = None
) -> Refusal | None:
    """The refusal of a first chunk that starts too far from the robot; None when it is near.

    Args:
        settings: of the gate.
        chunk: sound in form.
        command: (dim,) the last.
        time_ns: the moment.
        measured: (dim,) NaN where nothing is measured: a chunk that starts there is as good as one at the command,
            which may differ by as much as the robot may lag. None compares with the command alone.
    """
    spec = settings.spec
    origins = [command] if measured is None or not len(measured) else [command, measured]
    row = min(max((time_ns - chunk.start_ns) // spec.period_ns, 0), len(chunk.values) - 1)
    first = chunk.values[row]
    for part in (part for group in settings.groups for part in group.parts):
        if np.isinf(part.start):
            continue
        where = spec.slices[part.field]
        turns = spec.fields[[field.name for field in spec.fields].index(part.field)].is_rotation
        distance = min(
            _angle(each[where], first[where]) if turns else float(np.abs(first[where] - each[where]).max())
            for each in origins
            if not np.isnan(each[where]).any()
        )  # the command is known everywhere
        if distance > part.start:
            return Reason.CHUNK_TOO_FAR, f"{part.field} starts {distance:.3g} away, {part.start:.3g} is allowed"
    return None


def _shown(name: str | None) -> str:
    """A name for a message, cut short: one on the wire may be of any length."""
    return "nothing" if name is None else f"'{name[:60]}'"


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    matrices, turn = np.empty((2, 3, 3)), np.empty(3)
    write_matrix_from_6d(np.ascontiguousarray(first), matrices[0])
    write_matrix_from_6d(np.ascontiguousarray(second), matrices[1])
    write_rotvec_between(matrices[0], matrices[1], turn)
    return float(np.linalg.norm(turn))
