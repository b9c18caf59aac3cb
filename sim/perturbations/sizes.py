"""Sizes of the perturbations at each severity: the files of `configs/perturbation`, read into dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Mapping

import yaml

from robot.description import from_json, to_json
from robot.description.ranges import Range
from robot.errors import InputError, nearest, one_line
from robot.folders import configs_folder

WORST = 5
"""The highest severity; the lowest one, 0, is the task as it is and has no size."""

Severity = Annotated[int, Range(0, WORST)]


@dataclass(frozen=True)
class ObjectPose:
    """The task's things start elsewhere.

    Args:
        offset_m: how far from their own start, in any direction along the table.
        turn_rad: how far turned about the vertical, either way.
    """

    offset_m: float
    turn_rad: float


@dataclass(frozen=True)
class TableHeight:
    """The table, and everything on it, is higher or lower.

    Args:
        offset_m: by how much, up or down.
    """

    offset_m: float


@dataclass(frozen=True)
class Distractors:
    """Things that the task has nothing to do with lie on the table.

    Args:
        count: how many.
        clearance_m: free space between each of them and everything else at the start.
    """

    count: int
    clearance_m: float


@dataclass(frozen=True)
class Friction:
    """The task's things and the fingers are more slippery.

    Args:
        factor: of all their coefficients of friction.
    """

    factor: float


@dataclass(frozen=True)
class Mass:
    """The task's moving things are heavier.

    Args:
        factor: of their masses and inertias.
    """

    factor: float


@dataclass(frozen=True)
class Payload:
    """Each arm carries a mass at its tcp that nobody told it of: it sags by mass * g / stiffness.

    Args:
        mass_kg: of it.
    """

    mass_kg: float


@dataclass(frozen=True)
class Lighting:
    """Light of another direction, strength and colour; seen in images alone.

    Args:
        tilt_rad: by which the lamps' direction turns, any way.
        gain: the strength is multiplied or divided by it.
        tint: largest change of each colour channel, as a part of it.
    """

    tilt_rad: float
    gain: float
    tint: float


@dataclass(frozen=True)
class Textures:
    """Table, floor, background and the task's things have other colours, or patterns; seen in images alone.

    Args:
        mix: part of another colour, drawn for each, in its colour.
        patterned: whether table and floor get a pattern too.
    """

    mix: float
    patterned: bool


@dataclass(frozen=True)
class Camera:
    """The observed cameras stand elsewhere, look elsewhere and see a wider or narrower field.

    Args:
        offset_m: of their position, in any direction.
        turn_rad: of their orientation, about any axis.
        view_deg: of their vertical field of view, either way.
    """

    offset_m: float
    turn_rad: float
    view_deg: float


@dataclass(frozen=True)
class ObservationNoise:
    """Every reading is wrong by a normal error of its own, drawn anew each step.

    Args:
        metre, radian, unitless, pixel, newton, newton_metre: standard deviation of numbers in m, rad, 1, px, N and N*m.
        depth_mm: of depth images, in mm.
        image_levels: of colour images, in levels of 255.
    """

    metre: float
    radian: float
    unitless: float
    pixel: float
    newton: float
    newton_metre: float
    depth_mm: float
    image_levels: float


@dataclass(frozen=True)
class ObservationDelay:
    """What is observed is what was so some control steps ago; at the start, what was so first.

    Args:
        steps: ago.
    """

    steps: int


@dataclass(frozen=True)
class ActionLatency:
    """What is executed is the action of some control steps ago; at the start the robot holds.

    Args:
        steps: ago.
    """

    steps: int


# In the order in which they are applied: distractors avoid what the ones before them have moved.
SIZES: Mapping[str, type] = {
    "object_pose": ObjectPose,
    "table_height": TableHeight,
    "distractors": Distractors,
    "friction": Friction,
    "mass": Mass,
    "payload": Payload,
    "lighting": Lighting,
    "textures": Textures,
    "camera": Camera,
    "observation_noise": ObservationNoise,
    "observation_delay": ObservationDelay,
    "action_latency": ActionLatency,
}
"""Name of a perturbation -> what it takes at one severity."""


def require_known(name: str) -> None:
    """Refuse an unknown perturbation, offering the nearest name."""
    if name not in SIZES:
        raise InputError(
            "perturbation", expected=f"one of {', '.join(SIZES)}", got=f"'{name}'", way_out=nearest(name, SIZES)
        )


def load_sizes(name: str) -> tuple[Any, ...]:
    """The sizes of a perturbation at severities 1 to `WORST`, as its dataclass.

    Raises:
        InputError: unknown name, or its file is wrong.
    """
    require_known(name)
    return read_sizes(name, configs_folder() / "perturbation" / f"{name}.yaml")


@cache
def read_sizes(name: str, file: Path) -> tuple[Any, ...]:
    """The sizes of a perturbation in a file of the form `severities: [...]`, the mildest first."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"perturbation file {file}", expected="a YAML file", got=one_line(error)) from error
    rows = from_json(_File, values, where=str(file)).severities
    if len(rows) != WORST:
        raise InputError(f"{file}: severities", expected=f"{WORST}, for severity 1 to {WORST}", got=str(len(rows)))
    sizes: tuple[Any, ...] = tuple(
        from_json(SIZES[name], row, where=f"{file}: severity {number}") for number, row in enumerate(rows, 1)
    )
    for number, size in enumerate(sizes, 1):
        for key, value in to_json(size).items():
            if not (isfinite(value) and value >= 0):
                raise InputError(
                    f"{file}: severity {number}.{key}", expected="a finite number of at least 0", got=str(value)
                )
    return sizes


@dataclass(frozen=True)
class _File:
    severities: tuple[dict[str, Any], ...]
