"""Where a robot is told to go, held against what it can do, and how far from there it is."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from robot.control.reach import Reach
from robot.control.rotation import rotation_6d_from_matrix
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest
from robot.safety.gate.checks import refuse_form
from robot.safety.gate.inputs import ChunkSample
from robot.safety.gate.moves import ways
from robot.safety.gate.settings import GateSettings

SLACK = 1e-6  # beyond a limit that a rounded number may be


def goal_of(
    settings: GateSettings, description: RobotDescription, target: np.ndarray, told: Mapping[str, np.ndarray]
) -> np.ndarray:
    """A target (dim,) with some fields changed.

    Args:
        settings: of the gate.
        description: of the robot.
        target: (dim,) the fields that are not told.
        told: field -> values; rotations also as (3, 3).

    Raises:
        InputError: no such field, a wrong size, no rotation, outside of limits or out of reach.
    """
    spec, goal = settings.spec, np.array(target, dtype=np.float64)
    fields = {field.name: field for field in spec.fields}
    parts = {part.field: part for group in settings.groups for part in group.parts}
    for name, value in told.items():
        if name not in fields:
            raise InputError(f"field '{name}'", expected=f"one of {', '.join(fields)}", way_out=nearest(name, fields))
        values = np.atleast_1d(np.asarray(value, dtype=np.float64))
        if fields[name].is_rotation and values.shape == (3, 3):
            values = rotation_6d_from_matrix(values)
        if values.shape != (fields[name].size,):
            raise InputError(
                name, expected=f"{fields[name].size} numbers in {fields[name].unit}", got=str(values.shape)
            )
        low, high = parts[name].low, parts[name].high
        if low and ((values < np.array(low) - SLACK) | (values > np.array(high) + SLACK)).any():
            raise InputError(
                name,
                expected=f"within {_text(low)} .. {_text(high)} {fields[name].unit}, the limits of the contract",
                got=_text(values),
            )
        goal[spec.slices[name]] = values
    refusal = refuse_form(settings, ChunkSample(spec.component_names, goal[None], 0, spec.period_s, 0, 0))
    if refusal is not None:
        raise InputError("where to go", expected="finite numbers and rotations", got=refusal[1])
    within = goal.copy()
    if sum(Reach(limb, spec).clamp(within) for limb in description.limbs):
        away = float(np.linalg.norm(within - goal))
        raise InputError("where to go", expected="a place in reach of the arm", got=f"one {away:.3f} beyond it")
    return goal


def off(
    description: RobotDescription, spec: ActionSpec, goal: np.ndarray, measured: Mapping[str, np.ndarray]
) -> tuple[float, float, np.ndarray]:
    """How far the measured robot is from a target (dim,).

    Returns:
        The largest distance of a tcp, m; the largest angle of a tcp's rotation or an arm's joint, rad; the ways of
        everything, tools too, (n,) in their units. What nothing measures counts as there.
    """
    here = goal.copy()
    for name, part in spec.slices.items():
        if name in measured and measured[name].shape == here[part].shape:
            here[part] = measured[name]
    found, place, turn = ways(spec, here, goal), 0.0, 0.0
    tools = [limb.field(limb.tool.command.name) for limb in description.limbs]
    for field in spec.fields:
        if field.name in tools:
            continue
        way = found[field.name]
        if field.is_rotation:
            turn = max(turn, float(np.linalg.norm(way)))
        elif field.kind == "pose":
            place = max(place, float(np.linalg.norm(way)))
        else:
            turn = max(turn, float(np.abs(way).max()))
    return place, turn, np.concatenate([found[field.name] for field in spec.fields])


def _text(numbers: object) -> str:
    return "(" + ", ".join(f"{number:.4g}" for number in np.asarray(numbers)) + ")"
