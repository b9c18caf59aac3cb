"""A twin's contract for busy machines: slow streams, and ages that a process which does not get its turn keeps to."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
import yaml

import tiller
from real.connection.robot import RosRobot
from robot.contract.loading import contract_folder

RATE_HZ = 40
STARTING_S = 150.0
DOMAINS = 80


def patient_contract(folder: Path) -> Path:
    """Write the contract of the Panda's twin with narrower limits and much patience."""
    parts = yaml.safe_load((contract_folder() / "panda_twin.yaml").read_text())
    for stream in parts["state"].values():
        stream["rate_hz"] = min(stream["rate_hz"], RATE_HZ)
        stream |= {"floor_s": 5.0, "fault_s": 20.0}
    parts["sinks"]["twin"]["rate_hz"] = parts["tick_hz"] = RATE_HZ
    parts["staleness"] = {"alive_s": 10.0, "person_s": 2.0}
    parts["limits"]["tcp"] = {
        "speed": 0.5,
        "acceleration": 4.0,
        "turn_speed": 2.0,
        "turn_acceleration": 15.0,
        "workspace": {"low": [0.2, -0.4, 0.02], "high": [0.7, 0.4, 0.6]},
    }
    file = folder / "patient_twin.yaml"
    file.write_text(yaml.safe_dump(parts))
    return file


@contextmanager
def own_graph(contract: str, domain: int) -> Iterator[RosRobot]:
    """A robot with a graph that was started for it, in a ROS domain that nobody else on this machine is in."""
    with pytest.MonkeyPatch.context() as patch:
        for number in range(DOMAINS):
            patch.setenv("ROS_DOMAIN_ID", str(20 + (domain - 20 + 13 * number) % DOMAINS))
            with tiller.connect(contract) as robot:
                if robot.started:
                    yield robot.wait_until_ready(STARTING_S)
                    return
    raise AssertionError("every domain is taken")
