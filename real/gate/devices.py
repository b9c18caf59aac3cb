"""Signals of enabling devices between two ticks: none hides another's, and none is hidden by its own next one."""

from __future__ import annotations

from robot.safety.gate.inputs import Signal

MOST_DEVICES = 16  # of which signals are kept in a tick
SILENT_NS = 150_000_000  # after which another device's signals are passed on


class EnablingDevices:
    """The newest signal of each device since the last tick.

    The device that is passed on stays the same while it sends: one that sends right behind it does not hide it. A hand
    that is taken off and put back within a tick is seen to be off in this tick, and to be back in the next.
    """

    def __init__(self) -> None:
        self._signals: dict[str, Signal] = {}
        self._later: dict[str, Signal] = {}
        self._device, self._received_ns = "", 0

    def add(self, signal: Signal) -> None:
        """Take a message."""
        name = signal.publisher
        before = self._signals.get(name)
        if before is None and len(self._signals) >= MOST_DEVICES:
            return
        if before is not None and not before.held and signal.held:
            self._later[name] = signal
        else:
            self._signals[name] = signal
            self._later.pop(name, None)

    def take(self) -> Signal | None:
        """The signal of this tick; None where no device has sent one."""
        held = (each for each, signal in self._signals.items() if signal.held)
        name = self._device if self._device in self._signals else next(held, next(iter(self._signals), None))
        signal = self._signals.get(name) if name is not None else None
        self._signals, self._later = ({name: self._later[name]} if name in self._later else {}), {}
        if signal is not None and (
            signal.publisher == self._device or signal.received_ns - self._received_ns > SILENT_NS
        ):
            self._device, self._received_ns = signal.publisher, signal.received_ns
        return signal
