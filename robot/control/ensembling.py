"""Temporal ensembling: several overlapping chunks vote on the action that is due now.

Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware" (ACT, 2023), section IV-B: every plan
that covers an interval contributes, weighted by exp(-m i), where i = 0 is the oldest plan.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from robot.control.rotation import matrix_from_6d, rotation_6d_from_matrix
from robot.description.action import ActionSpec
from robot.description.chunk import ActionChunk


@dataclass(frozen=True)
class TemporalEnsemble:
    """How overlapping chunks are weighed.

    Args:
        rate: m of exp(-m i); 0 weighs all alike, above 0 favours old plans, below 0 new ones.
        every: control steps between two plans.
    """

    rate: float = 0.01
    every: int = 1


def ensembled_action(chunks: deque[ActionChunk] | list[ActionChunk], time_ns: int, rate: float) -> np.ndarray:
    """The weighted mean (dim,) of all targets that chunks, oldest first, have for the interval at `time_ns`.

    A rotation's mean is the mean of its columns made orthonormal again, which is the chordal mean's direction for
    rotations that lie close together. Native fields are averaged as plain numbers.

    Raises:
        ValueError: no chunk covers that time.
    """
    due = [(chunk, chunk.index_at(time_ns)) for chunk in chunks]
    votes = np.array([chunk.values[index] for chunk, index in due if 0 <= index < len(chunk.values)])
    if not len(votes):
        raise ValueError(f"no chunk covers the time {time_ns}")
    weights = np.exp(-rate * np.arange(len(votes)))
    return _project(chunks[-1].spec, weights @ votes / weights.sum())


def _project(spec: ActionSpec, action: np.ndarray) -> np.ndarray:
    for field in spec.fields:
        if field.is_rotation:
            where = spec.slices[field.name]
            action[where] = rotation_6d_from_matrix(matrix_from_6d(action[where]))
    return action
