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
    """Whether a person holds the enabling device, and has taken the robot: buttons 0 and 1 of a stamped `Joy`."""
    return Joy(header=header_of(stamp_ns, session), axes=[], buttons=[int(held), int(taken)])


def enable_signal(message: Joy, received_ns: int) -> Signal:
    held = bool(message.buttons) and message.buttons[0] == 1
    return Signal(time_of(message.header.stamp), received_ns, held=held, publisher=message.header.frame_id)


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
