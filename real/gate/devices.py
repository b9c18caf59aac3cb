"""Signals of enabling devices between two ticks: none hides another's, and none is hidden by its own next one."""

from __future__ import annotations

from dataclasses import replace

from robot.safety.gate.inputs import Signal

MOST_DEVICES = 16  # of which signals are kept in a tick
SILENT_NS = 150_000_000  # after which another device's signals are passed on, and a silent one's take is not


class EnablingDevices:
    """The newest signal of each device since the last tick.

    The device that is passed on stays the same while it sends: one that sends right behind it does not hide it. A hand
    that is taken off and put back within a tick is seen to be off in this tick, and to be back in the next; a robot
    that is taken and given back within a tick is seen to be taken first.

    The signal that is passed on reports a take while any device that sends reports one, and a give when the last of
    them gives: `Signal.taker` names that device where it is another.
    """

    def __init__(self) -> None:
        self._signals: dict[str, Signal] = {}
        self._later: dict[str, Signal] = {}
        self._device, self._received_ns = "", 0
        self._takers: dict[str, int] = {}  # device -> when it last reported a take, monotonic ns
        self._giver = ""

    def add(self, signal: Signal) -> None:
        """Take a message."""
        name = signal.publisher
        before = self._signals.get(name)
        if before is None and len(self._signals) >= MOST_DEVICES:
            return
        self._note_take(signal)
        if before is not None and not before.held and signal.held:
            self._later[name] = signal
            if signal.taken:
                self._signals[name] = replace(before, taken=True)
        elif before is not None and before.taken and not signal.taken:
            self._signals[name], self._later[name] = replace(signal, taken=True), signal
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
        if signal is None or signal.taken:
            return signal
        giver = self._giver
        if signal.held:
            self._giver = ""  # a give counts while a device is held: until then it waits
        return self._with_taker(signal, giver)

    def _note_take(self, signal: Signal) -> None:
        if signal.taken:
            self._takers[signal.publisher] = signal.received_ns
            self._giver = "" if self._giver == signal.publisher else self._giver
            if len(self._takers) > MOST_DEVICES:
                del self._takers[next(iter(self._takers))]
        elif self._takers.pop(signal.publisher, None) is not None:
            self._giver = signal.publisher

    def _with_taker(self, signal: Signal, giver: str) -> Signal:
        """A signal that reports no take of its own, with the take or the give of another device."""
        for device, received_ns in self._takers.items():
            if signal.received_ns - received_ns <= SILENT_NS and device != signal.publisher:
                return replace(signal, taken=True, taker=device)
        return replace(signal, taker=giver) if giver not in ("", signal.publisher) else signal
