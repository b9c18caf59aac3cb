"""Signs of life, the enabling device, the driver's state and status pages on the wire."""

from __future__ import annotations

from typing import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import Joy
from std_msgs.msg import Header

from real.ros.messages import header_of, time_of
from robot.safety.gate.inputs import DriverSample, Signal

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
RUNNING = "running"


def alive_message(stamp_ns: int, session: str) -> Header:
    """The sign of life of a process: a bare `std_msgs/Header`."""
    return header_of(stamp_ns, session)


def alive_signal(message: Header, received_ns: int) -> Signal:
    return Signal(time_of(message.stamp), received_ns, publisher=message.frame_id)


def enable_message(held: bool, stamp_ns: int, session: str, taken: bool = False) -> Joy:
    """The state of an enabling device, as a `Joy`, which is stamped.

    Args:
        held: whether a person holds it: button 0.
        stamp_ns: when.
        session: of the device; another run of it has another.
        taken: whether the person has taken the robot over: button 1. A device without it takes nothing.
    """
    return Joy(header=header_of(stamp_ns, session), axes=[], buttons=[int(held), int(taken)])


def enable_signal(message: Joy, received_ns: int) -> Signal:
    held, taken = ([*message.buttons[:2], 0, 0])[:2]
    return Signal(
        time_of(message.header.stamp), received_ns, held == 1, publisher=message.header.frame_id, taken=taken == 1
    )


def status_message(
    name: str, level: bytes, text: str, values: Mapping[str, object], stamp_ns: int, hardware: str = ""
) -> DiagnosticArray:
    """One line of status with its numbers.

    Args:
        name: of what it is about.
        level: `OK`, `WARN` or `ERROR`.
        text: what a person reads.
        values: shown as they print.
        stamp_ns: when it was true.
        hardware: serial number or name of the robot.
    """
    status = DiagnosticStatus(
        level=level,
        name=name,
        message=text,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
    return DiagnosticArray(header=header_of(stamp_ns), status=[status])


def status_of(message: DiagnosticArray) -> dict[str, tuple[bytes, str, dict[str, str]]]:
    """Name -> level, text and values."""
    return {
        each.name: (each.level, each.message, {pair.key: pair.value for pair in each.values}) for each in message.status
    }


def driver_message(state: str, stamp_ns: int, detail: str = "") -> DiagnosticArray:
    """A driver's state of its robot: `running`, or another one."""
    return status_message("driver", OK if state == RUNNING else ERROR, state, {"detail": detail}, stamp_ns)


def driver_sample(message: DiagnosticArray, received_ns: int) -> DriverSample:
    """The driver's state. Of several lines the worst counts: by its level, then one that does not run the robot. A line
    that is an error does not run it, whatever its text; a message without any line counts as `silent`.
    """
    lines = sorted(message.status, key=lambda line: (line.level, line.message != RUNNING))
    state = lines[-1].message if lines else "silent"
    if lines and lines[-1].level >= ERROR and state == RUNNING:
        state = f"{RUNNING}, at the level of an error"
    return DriverSample(state, time_of(message.header.stamp), received_ns)
