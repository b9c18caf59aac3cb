"""The inputs and the output of the gate in one tick: values that are recorded and replayed, and nothing else.

Arrays in these values are never written to after they were handed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

import numpy as np

from robot.safety.gate.reasons import Mode, Reason

# Events, in the order in which a node received them. FAILED: the node could not do its own work.
ACTIVATE, DEACTIVATE, ENABLE, DISABLE, RESET = "activate", "deactivate", "enable", "disable", "reset"
FAILED = "failed"
EVENTS = (ACTIVATE, DEACTIVATE, ENABLE, DISABLE, RESET, FAILED)

LARGEST = 1e6  # of any unit: larger values are no position of a robot; its square still has all its digits
NAMELESS = "nameless"  # publisher of chunks and signals without a session

# Topics of sources and signals, as `GateInputs.crowds` names them.
LONGEST_CHUNK_S = 10.0  # of the rows of a chunk: a sender that has died is followed no longer
CHUNKS, TARGETS, ALIVE, ENABLE_HELD = "policy/chunk", "teleop/target", "alive", "enable_held"


@dataclass(frozen=True)
class Now:
    """The moment of a tick, read once.

    Args:
        monotonic_ns: steady time: ages since receipt, watchdogs, the tick's own length.
        ros_ns: the source's time (wall clock or `/clock`): plans and header stamps.
        epoch: how often the source's time has jumped (`Clock.epoch`), resets of a twin included.
    """

    monotonic_ns: int
    ros_ns: int
    epoch: int = 0


@dataclass(frozen=True, eq=False)
class StateSample:
    """The newest message of one state stream.

    Args:
        values: name -> (k,) float64, mapped to our names, units and signs: `tcp.position`, `joint1`, `gripper.width`.
            A name that the message lacks is left out.
        stamp_ns: when it was measured, in the source's time.
        received_ns: monotonic.
        publisher: its sender; empty when unknown.
        fault: why the message could not be read; empty when it could.
    """

    values: Mapping[str, np.ndarray]
    stamp_ns: int
    received_ns: int
    publisher: str = ""
    fault: str = ""


@dataclass(frozen=True, eq=False)
class ChunkSample:
    """A chunk as received, unchecked; a person's target is a chunk of one row.

    Args:
        names: of the columns, as `ActionSpec.component_names`.
        values: (horizon, dim) float64.
        start_ns: stamp of the newest observation used, in the source's time.
        period_s: T.
        chunk_id: counts up within one publisher.
        received_ns: monotonic.
        publisher: its sender (the GID of its publisher).
        session: of the publisher; another session is another run of it.
        epoch: of the source's time in which it was made; None when the sender does not know of epochs.
        seed: of the noise that it was sampled from, for the record.
        value: that a critic gave it, for the record.
        fault: why the message could not be read; empty when it could.
    """

    names: tuple[str, ...]
    values: np.ndarray
    start_ns: int
    period_s: float
    chunk_id: int
    received_ns: int
    publisher: str = ""
    session: str = ""
    epoch: int | None = None
    seed: int | None = None
    value: float | None = None
    fault: str = ""


@dataclass(frozen=True)
class Signal:
    """A sign of life, or of a person's hand on the enabling device.

    Args:
        stamp_ns: in the source's time.
        received_ns: monotonic.
        held: of the enabling device, whether it is pressed; True for a plain sign of life.
        publisher: its sender.
        taken: of the enabling device, whether a person has taken the robot over: from a take until a give.
        taker: of several devices, the one that `taken` is of; empty for the publisher's own.
    """

    stamp_ns: int
    received_ns: int
    held: bool = True
    publisher: str = ""
    taken: bool = False
    taker: str = ""


@dataclass(frozen=True)
class DriverSample:
    """The driver's report on the robot.

    Args:
        state: `running`, or any other name, which is a fault.
        stamp_ns: in the source's time.
        received_ns: monotonic.
    """

    state: str
    stamp_ns: int
    received_ns: int


@dataclass(frozen=True, eq=False)
class GateInputs:
    """Messages since the last tick. All are optional: a tick may have no new ones.

    Args:
        states: stream -> its newest message.
        chunks: of the policy, in order of receipt.
        person: targets of the teleoperation, in order of receipt.
        alive: newest sign of life of the supervisor.
        enable_held: newest message of the enabling device.
        driver: newest message of the driver's state.
        events: of `EVENTS`, in order of receipt.
        crowds: topics with more than one publisher, by stream name or as `CHUNKS` and its like, with the topic and its
            nodes in words; None when it was not checked since the last tick.
    """

    states: Mapping[str, StateSample] = field(default_factory=dict)
    chunks: tuple[ChunkSample, ...] = ()
    person: tuple[ChunkSample, ...] = ()
    alive: Signal | None = None
    enable_held: Signal | None = None
    driver: DriverSample | None = None
    events: tuple[str, ...] = ()
    crowds: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Rejection:
    """A chunk that was not taken.

    Args:
        chunk_id, publisher: which.
        reason: why.
        detail: with names and numbers, for the log.
    """

    chunk_id: int
    publisher: str
    reason: Reason
    detail: str


@dataclass(frozen=True, eq=False)
class GateOutput:
    """The decision of the gate in one tick.

    Args:
        mode: after the tick.
        target: (dim,) that is sent now; None when nothing is (inactive, no state yet, lock-step without a row due).
        requested: (dim,) the source's target at this moment, tools whose sinks are slower than the arm's already
            further along; None when there is none.
        reasons: why this mode, the first is the main one; then limits that cut the step, then remarks.
        details: reason -> names and numbers, for status and log.
        source: `policy`, `person`, or empty.
        chunk_id, seed, value, start_ns: of the chunk that is followed; None when none is.
        row: of that chunk, to which the target belongs; -1 when none.
        rejected: chunks of this tick that were not taken.
        counts: reason -> ticks (or chunks) since the gate was activated.
        errors: field -> distance of the last command from the measured state (m or rad), where it is measured.
        dump: a fault began in this tick: write the flight record.
        springs: energy of each leash's spring with the measured state, J.
    """

    mode: Mode
    target: np.ndarray | None
    requested: np.ndarray | None
    reasons: tuple[Reason, ...]
    details: Mapping[Reason, str]
    source: str
    chunk_id: int | None
    seed: int | None
    value: float | None
    start_ns: int | None
    row: int
    rejected: tuple[Rejection, ...]
    counts: Mapping[Reason, int]
    errors: Mapping[str, float]
    dump: bool
    springs: tuple[float, ...] = ()

    @property
    def reason(self) -> Reason:
        """The main reason."""
        return self.reasons[0]
