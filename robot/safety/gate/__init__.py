"""The gate between any source of targets and the robot: a pure core that one node runs."""

from robot.safety.gate.inputs import (
    ChunkSample,
    DriverSample,
    GateInputs,
    GateOutput,
    Now,
    Rejection,
    Signal,
    StateSample,
)
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.settings import (
    CapsuleSettings,
    GateSettings,
    GroupSettings,
    LeashSettings,
    PartSettings,
    StreamSettings,
)

__all__ = [
    "CapsuleSettings",
    "ChunkSample",
    "DriverSample",
    "GateInputs",
    "GateOutput",
    "GateSettings",
    "GroupSettings",
    "Kind",
    "LeashSettings",
    "Mode",
    "Now",
    "PartSettings",
    "Reason",
    "Rejection",
    "Signal",
    "StateSample",
    "StreamSettings",
]
