"""`tiller.connect`: whether a name is a robot's or a contract's, and what each gives."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from robot.contract.loading import contract_names
from robot.description.loading import robot_names
from robot.errors import InputError, MissingExtraError, nearest, one_line

if TYPE_CHECKING:
    from robot.description import ConnectedRobot


def connect(name: str, **options: Any) -> ConnectedRobot:
    """See `tiller.connect`."""
    if is_contract(name):
        if find_spec("rclpy") is None:
            raise MissingExtraError(f"rclpy (ROS 2; or source an installed one), which contract '{name}' needs,", "ros")
        from real.process.settings import require_settings

        require_settings()  # rclpy ends the process where its middleware is not installed
        from real.connection.robot import RosRobot

        return RosRobot(name, **options)
    from sim.twin import make_twin

    return make_twin(name, **options)


def is_contract(name: str) -> bool:
    """Whether a name or file is a contract's; else it is a robot's.

    Raises:
        InputError: it is neither.
    """
    if name in robot_names():
        return False
    if name in contract_names():
        return True
    try:
        parts = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        known = [*contract_names(), *robot_names()]
        raise InputError(
            f"'{name}'",
            expected="a contract, a robot, or a file of one",
            got=one_line(error),
            way_out=nearest(name, known),
        ) from None
    return isinstance(parts, dict) and "sinks" in parts
