"""Whether a chunk may be followed at all."""

from __future__ import annotations

import math

import numpy as np

from robot.control.turning import write_matrix_from_6d, write_rotvec_between
from robot.safety.gate.inputs import ChunkSample, Now
from robot.safety.gate.reasons import Reason
from robot.safety.gate.settings import GateSettings

Refusal = tuple[Reason, str]

_PARALLEL = 1e-12  # of the squared area that the two columns of a rotation span


def refuse_form(settings: GateSettings, chunk: ChunkSample) -> Refusal | None:
    """What is wrong with a chunk whenever it comes: names, size, numbers, rotations, period."""
    spec = settings.spec
    names, values = spec.component_names, chunk.values
    if values.ndim != 2 or values.shape[1] != spec.dim or not len(values):
        return Reason.CHUNK_SIZE, f"expected (rows, {spec.dim}), got {values.shape}"
    if chunk.names != names:
        wrong = next((ours, theirs) for ours, theirs in zip((*names, "nothing"), (*chunk.names, "nothing"))
                     if ours != theirs)
        return Reason.CHUNK_NAMES, f"expected '{wrong[0]}', got '{wrong[1]}'"
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        return Reason.CHUNK_NOT_FINITE, f"{names[column]} of row {row} is {values[row, column]}"
    for field in spec.fields:
        if field.is_rotation:
            x, y = np.split(values[:, spec.slices[field.name]], 2, axis=1)
            flat = np.flatnonzero((np.cross(x, y) ** 2).sum(axis=1) < _PARALLEL)
            if len(flat):
                return Reason.CHUNK_ROTATION, f"{field.name} of row {flat[0]}"
    if not math.isfinite(chunk.period_s) or round(chunk.period_s * 1e9) != spec.period_ns:
        return Reason.CHUNK_PERIOD, f"expected {spec.period_s} s, got {chunk.period_s} s"
    return None


def refuse_time(settings: GateSettings, chunk: ChunkSample, now: Now, followed: ChunkSample | None) -> Refusal | None:
    """What is wrong with when a chunk was made.

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


def refuse_start(settings: GateSettings, chunk: ChunkSample, command: np.ndarray, time_ns: int) -> Refusal | None:
    """Whether a chunk starts too far from the command (dim,) for a first one."""
    spec = settings.spec
    row = min(max((time_ns - chunk.start_ns) // spec.period_ns, 0), len(chunk.values) - 1)
    first = chunk.values[row]
    for part in (part for group in settings.groups for part in group.parts):
        if np.isinf(part.start):
            continue
        where = spec.slices[part.field]
        if spec.fields[[field.name for field in spec.fields].index(part.field)].is_rotation:
            distance = _angle(command[where], first[where])
        else:
            distance = float(np.abs(first[where] - command[where]).max())
        if distance > part.start:
            return Reason.CHUNK_TOO_FAR, f"{part.field} starts {distance:.3g} away, {part.start:.3g} is allowed"
    return None


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    matrices, turn = np.empty((2, 3, 3)), np.empty(3)
    write_matrix_from_6d(np.ascontiguousarray(first), matrices[0])
    write_matrix_from_6d(np.ascontiguousarray(second), matrices[1])
    write_rotvec_between(matrices[0], matrices[1], turn)
    return float(np.linalg.norm(turn))
