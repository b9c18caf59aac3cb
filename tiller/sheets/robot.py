"""`tiller doctor robot=NAME`: a robot's joints, limits and rest posture, checked, held for a second, and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from robot.errors import InputError, TillerError

if TYPE_CHECKING:
    from robot.description.loading import RobotDescription
    from sim.twin.checks.rest import RestFindings
    from sim.twin.robot import TwinRobot

LARGEST_DRIFT_M = 0.002


def show_robot(name: str, *, urdf: str | None, flange: str | None, picture: Path, overwrite: bool) -> int:
    """Print all that is known of a robot and draw it.

    Args:
        name: of a file in `configs/robot`, or a path.
        urdf: file to hold it against; None holds it against its MJCF alone.
        flange: the URDF's link that is the arm's flange; None takes the one of the same name.
        picture: PNG to draw it to.
        overwrite: replace that file.

    Returns:
        0, or 1 where the URDF disagrees or the robot does not hold its rest posture.

    Raises:
        InputError: no such robot, it disagrees with its MJCF, or the picture is there already.
    """
    from robot.description.comparison import table
    from robot.description.loading import load_robot
    from sim.twin.checks.agreement import require_agreement
    from sim.twin.checks.rest import rest_for, stand_up
    from sim.twin.checks.urdf import CONFIGURATIONS, urdf_differences

    if picture.suffix.lower() != ".png":
        raise InputError(f"output {picture}", expected="a file that ends in .png")
    if picture.exists() and not overwrite:
        raise InputError(
            f"output {picture}",
            expected="a new file",
            got="one that is there",
            way_out="Choose another output=, or overwrite=true",
        )
    description = load_robot(name)
    require_agreement(description)
    rows = urdf_differences(description, urdf, flange) if urdf else []
    robot = stand_up(description)
    print_joints(description)
    print("The description agrees with its models.")
    if rows:
        print(f"It does not agree with {urdf}:\n{table(rows, 'description', 'URDF')}")
    elif urdf:
        print(f"It agrees with {urdf}: limits, and the flange at {CONFIGURATIONS} configurations.")
    rest = rest_for(robot)
    print_rest(description, rest)
    _draw(robot, picture)
    return 1 if rows or rest.drift_m > LARGEST_DRIFT_M else 0


def print_joints(description: RobotDescription) -> None:
    """Print the table of commanded joints, and their action."""
    from rich.console import Console
    from rich.table import Column, Table

    spec = description.spec
    action = description.action_spec(0.05)
    followers = sum(len(group.coupling) for group in spec.groups)
    print(
        f"Robot '{spec.name}': {len(spec.joint_names)} commanded joints, {followers} that follow. Action of "
        f"{action.dim}: {', '.join(f'{field.name} ({field.size}) {field.unit}' for field in action.fields)}"
    )
    longest = max(map(len, spec.joint_names))
    columns = ("group", "lowest", "highest", "rest", "velocity", "effort")
    table = Table(Column("joint", min_width=longest, no_wrap=True), *columns)
    for group in spec.groups:
        for number, (joint, (low, high)) in enumerate(zip(group.names, group.position)):
            known = [f"{limits[number]:g}" if limits else "" for limits in (group.velocity, group.effort)]
            table.add_row(joint, group.name, f"{low:g}", f"{high:g}", f"{spec.rest[joint]:g}", *known)
    Console(width=max(Console().width, longest + 72)).print(table)


def print_rest(description: RobotDescription, found: RestFindings) -> None:
    """Print where the tcps rest, and how well."""
    for limb in description.limbs:
        position, rotation = found.tcps[limb.name]
        print(
            f"At rest {limb.field('tcp')} is at {_vector(position)} m, its z axis (out of the hand) along "
            f"{_vector(rotation[:, 2])}"
        )
    print(
        "At rest nothing touches."
        if not found.contacts
        else f"At rest these touch: {', '.join(' and '.join(pair) for pair in found.contacts)}"
    )
    verdict = "It holds" if found.drift_m <= LARGEST_DRIFT_M else "It does NOT hold"
    print(
        f"{verdict} its rest posture: within 1 s the tcp moves by {1000 * found.drift_m:.3f} mm, joint "
        f"'{found.joint}' most, by {found.joint_drift:.2g}"
    )


def _vector(values: np.ndarray) -> str:
    return f"({', '.join(f'{value + 0.0:.3f}' for value in np.round(values, 3))})"


def _draw(robot: TwinRobot, picture: Path) -> None:
    from matplotlib.image import imsave

    from sim.rendering.backend import require_backend
    from sim.twin.checks.rest import portrait

    try:
        require_backend()
    except TillerError as nothing:
        print(f"Not drawn. {nothing}")
        return
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        imsave(picture, portrait(robot))
    except OSError as error:
        raise InputError(
            f"output {picture}", expected="a file that can be written", got=error.strerror or str(error)
        ) from error
    print(f"Drawn to {picture}")


def default_picture(robot: str) -> Path:
    """The default path of a robot's picture: `outputs/doctor/<date>/<robot>.png`."""
    from tiller.runs.output import claim_folder

    return claim_folder("doctor", None) / f"{Path(robot).stem}.png"
