"""How differently chunks act, and how roughly: per field of an action, in physical units, rotations in degrees."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from robot.control.rotation import angle_between, matrix_from_6d
from robot.description import ActionField, ActionSpec


def unit_of(field: ActionField) -> str:
    """The unit of a field's spread and roughness."""
    units = field.unit.split()
    return "deg" if field.is_rotation else units[0] if len(set(units)) == 1 else "mixed"


def spread(spec: ActionSpec, actions: np.ndarray) -> dict[str, np.ndarray]:
    """Distance of actions from their mean: the root of the summed variances of a field's components; of rotations, the
    root mean square angle between two of them, over the root of 2, degrees.

    Args:
        spec: of the actions.
        actions: (..., n, dim), over whose n it is taken.

    Returns:
        Name of a field -> (...).
    """
    spreads = {}
    for field in spec.fields:
        part = actions[..., spec.slices[field.name]].astype(np.float64)
        if field.is_rotation:
            turns = matrix_from_6d(part)
            angles = angle_between(turns[..., :, None, :, :], turns[..., None, :, :, :])
            count = part.shape[-2]
            mean_square = np.square(angles).sum(axis=(-2, -1)) / max(count * (count - 1), 1)
            spreads[field.name] = np.degrees(np.sqrt(mean_square / 2))
        else:
            spreads[field.name] = np.sqrt(part.var(axis=-2, ddof=1).sum(axis=-1))
    return spreads


def second_differences(spec: ActionSpec, actions: np.ndarray) -> dict[str, np.ndarray]:
    """Squared lengths of the second differences of consecutive actions: |a_(t+1) - 2 a_t + a_(t-1)|^2; of rotations
    the squared angle between a turn and the one before it, degrees.

    Args:
        spec: of the actions.
        actions: (rows, dim) of one episode.

    Returns:
        Name of a field -> (rows - 2,); empty for fewer than three rows.
    """
    squares: dict[str, np.ndarray] = {}
    for field in spec.fields:
        part = actions[:, spec.slices[field.name]].astype(np.float64)
        if len(part) < 3:
            squares[field.name] = np.zeros(0)
        elif field.is_rotation:
            turns = matrix_from_6d(part)
            steps = np.swapaxes(turns[:-1], -1, -2) @ turns[1:]
            squares[field.name] = np.square(np.degrees(angle_between(steps[:-1], steps[1:])))
        else:
            squares[field.name] = np.square(np.diff(part, n=2, axis=0)).sum(axis=-1)
    return squares


def roughness(spec: ActionSpec, episodes: Sequence[np.ndarray]) -> Mapping[str, float]:
    """Root mean square second difference of an episode (rows, dim), the median over episodes: a few that go astray are
    a thousand times as rough. 0 where all are too short.
    """
    parts = [second_differences(spec, each) for each in episodes if len(each) > 2]
    return {
        name: float(np.median([np.sqrt(part[name].mean()) for part in parts])) if parts else 0.0 for name in spec.slices
    }
