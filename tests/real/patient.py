"""A twin's contract for busy machines: slow streams, and ages that a process which does not get its turn keeps to."""

from __future__ import annotations

from pathlib import Path

import yaml

from robot.description.contracts import contract_folder

RATE_HZ = 40


def patient_contract(folder: Path) -> Path:
    """Write the contract of the Panda's twin with narrower limits and much patience."""
    parts = yaml.safe_load((contract_folder() / "panda_twin.yaml").read_text())
    for stream in parts["state"].values():
        stream["rate_hz"] = min(stream["rate_hz"], RATE_HZ)
        stream |= {"floor_s": 5.0, "fault_s": 20.0}
    parts["sinks"]["twin"]["rate_hz"] = parts["tick_hz"] = RATE_HZ
    parts["staleness"] = {"alive_s": 10.0, "person_s": 2.0}
    parts["limits"]["tcp"] = {"speed": 0.5, "acceleration": 4.0, "turn_speed": 2.0, "turn_acceleration": 15.0,
                              "workspace": {"low": [0.2, -0.4, 0.02], "high": [0.7, 0.4, 0.6]}}
    file = folder / "patient_twin.yaml"
    file.write_text(yaml.safe_dump(parts))
    return file
