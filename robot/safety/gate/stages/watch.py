"""The messages received, and whether they came in time: streams, signs of life, the enabling device, the driver."""

from __future__ import annotations

import math
from dataclasses import replace

from robot.safety.gate import inputs as events
from robot.safety.gate.inputs import GateInputs, Now, Signal, StateSample
from robot.safety.gate.reasons import Reason
from robot.safety.gate.settings import GateSettings, StreamSettings
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.state import StreamState, Watched

# While one of these holds, the measured state is not the robot's state.
UNTRUSTED = frozenset(
    {Reason.NO_STATE, Reason.STATE_BAD, Reason.STATE_STALE, Reason.STATE_FROZEN, Reason.STATE_GONE, Reason.CROWD}
)

LONGEST_S = 1e9  # longer than any device falls silent for

RUNNING = "running"  # the one state of a driver that is no fault

Causes = dict[Reason, str]  # reason -> names and numbers


def listen(
    parts: Parts, watched: Watched, enabled: bool, inputs: GateInputs, now: Now
) -> tuple[Watched, list[StateSample]]:
    """The signals after the messages of a tick, and the samples to use.

    Args:
        parts: of the gate.
        watched: before.
        enabled: whether the gate is enabled: then no other enabling device takes the place of one that has fallen
            silent. That is a fault, after which somebody enables the gate again.
        inputs: of the tick.
        now: its moment.

    Returns:
        The signals known now, and the samples that are sound and newer than those before.
    """
    settings, fresh = parts.settings, list[StateSample]()
    streams = dict(watched.streams) if inputs.states else watched.streams
    for name, sample in inputs.states.items():
        stream_settings = settings.streams.get(name)
        if stream_settings is None:
            continue
        stream = _hear(parts, name, stream_settings, streams.get(name), sample, now)
        if stream is None:
            continue
        if not stream.fault and stream.advanced_ns == sample.received_ns:
            own = parts.values[name].own(sample.values)
            fresh.append(sample if own is sample.values else replace(sample, values=own))
        streams[name] = stream
    hold, fault = _ns(settings.alive_s), _ns(math.inf if enabled else settings.enable_fault_s)
    return Watched(
        streams,
        _newer(watched.alive, inputs.alive, hold),
        _newer(watched.held, inputs.enable_held, fault),
        inputs.driver if inputs.driver is not None else watched.driver,
        watched.policy,
        watched.person,
        watched.person_ns,
        watched.crowds if inputs.crowds is None else inputs.crowds,
    ), fresh


def _hear(
    parts: Parts, name: str, expected: StreamSettings, known: StreamState | None, sample: StateSample, now: Now
) -> StreamState | None:
    """The stream after a message; None when another publisher sent it while the followed one still publishes."""
    ahead, future_s = (sample.stamp_ns - now.ros_ns) * 1e-9, parts.settings.future_s
    fault = sample.fault or (f"stamped {ahead:.3f} s ahead" if ahead > future_s else "")
    fault = fault or parts.values[name].fault(sample.values)
    if known is None and sample.fault:
        return None
    if known is None:
        stamp_ns = min(sample.stamp_ns, now.ros_ns)
        return StreamState(stamp_ns, sample.received_ns, sample.received_ns, sample.publisher, fault)
    if known.publisher not in ("", sample.publisher) and sample.received_ns - known.received_ns < _ns(expected.fault_s):
        return None
    advanced = sample.stamp_ns > known.stamp_ns and ahead <= future_s and not sample.fault
    if advanced:
        return StreamState(sample.stamp_ns, sample.received_ns, sample.received_ns, sample.publisher, fault)
    return replace(known, received_ns=sample.received_ns, publisher=sample.publisher, fault=fault)


def _newer(known: Signal | None, came: Signal | None, silent_ns: int) -> Signal | None:
    """The signal in force: another publisher's only when the one before has fallen silent."""
    if came is None:
        return known
    if known is not None and known.publisher != came.publisher and came.received_ns - known.received_ns < silent_ns:
        return known
    return came


def stream_causes(settings: GateSettings, watched: Watched, now: Now) -> tuple[Causes, frozenset[str]]:
    """The faults of the state streams: missing, not sound, late, frozen, gone, of several publishers.

    Returns:
        The faults, and the names of the streams that do not show the robot's state now.
    """
    causes: Causes = {}
    untrusted = [name for name in watched.crowds if name in settings.streams]
    for name, stream_settings in settings.streams.items():
        stream = watched.streams.get(name)
        if stream is None:
            causes[Reason.NO_STATE] = name
            untrusted.append(name)
            continue
        if stream.fault:
            causes[Reason.STATE_BAD] = f"{name}: {stream.fault}"
            untrusted.append(name)
        if settings.lock_step:
            continue
        silent = (now.monotonic_ns - stream.received_ns) * 1e-9
        still = (now.monotonic_ns - stream.advanced_ns) * 1e-9
        old = max(silent, (now.ros_ns - stream.stamp_ns) * 1e-9)
        worst = max(old, still)
        if worst <= stream_settings.warn_s:
            continue  # the least of the three
        if worst > stream_settings.hold_s:
            untrusted.append(name)
        if worst > stream_settings.fault_s:
            causes[Reason.STATE_GONE] = f"{name}: {worst:.3f} s"
        elif still > stream_settings.hold_s >= silent:
            causes[Reason.STATE_FROZEN] = f"{name}: messages come, their stamp stands for {still:.3f} s"
        elif old > stream_settings.hold_s:
            causes[Reason.STATE_STALE] = f"{name}: {old:.3f} s"
        elif old > stream_settings.warn_s:
            causes[Reason.STATE_LATE] = f"{name}: {old:.3f} s"
    return causes, frozenset(untrusted)


def signal_causes(settings: GateSettings, watched: Watched, now: Now) -> Causes:
    """The faults of supervisor, person and driver."""
    causes: Causes = {}
    if settings.alive:
        if watched.alive is None:
            causes[Reason.NO_ALIVE] = ""
        elif (age := _age(watched.alive, now)) > settings.alive_s and not settings.lock_step:
            causes[Reason.ALIVE_LOST] = f"{age:.3f} s"
    if settings.operator == "required":
        held = watched.held
        if held is None or not held.held:
            causes[Reason.NOT_HELD] = ""
        elif settings.lock_step:
            pass  # the hand is on the device or it is not; time does not pass
        elif (age := max(_age(held, now), (now.ros_ns - held.stamp_ns) * 1e-9)) > settings.enable_fault_s:
            causes[Reason.ENABLE_GONE] = f"{age:.3f} s"
        elif age > settings.enable_hold_s:
            causes[Reason.ENABLE_LOST] = f"{age:.3f} s"
    crowds = [text for name, text in watched.crowds.items() if _counts(settings, watched, name)]
    if crowds:
        causes[Reason.CROWD] = "; ".join(crowds)
    driver = watched.driver
    if driver is not None and driver.state != RUNNING:
        causes[Reason.DRIVER] = f"'{driver.state}'"
    if settings.driver_s is not None and not settings.lock_step:
        if driver is None:
            causes[Reason.NO_STATE] = "the driver's own"  # whoever starts first waits for the other
        elif (silent := (now.monotonic_ns - driver.received_ns) * 1e-9) > settings.driver_s:
            causes[Reason.DRIVER_SILENT] = f"{silent:.3f} s"
    return causes


def _counts(settings: GateSettings, watched: Watched, name: str) -> bool:
    """Whether several publishers of a topic are too many: of states always, of chunks and signals where they do not
    name their sender.
    """
    publishers = {
        events.CHUNKS: watched.policy,
        events.TARGETS: watched.person,
        events.ALIVE: _publisher(watched.alive),
        events.ENABLE_HELD: _publisher(watched.held),
    }
    return publishers.get(name, events.NAMELESS) == events.NAMELESS


def _publisher(signal: Signal | None) -> str:
    return "nobody" if signal is None else signal.publisher or events.NAMELESS


def _age(signal: Signal, now: Now) -> float:
    return (now.monotonic_ns - signal.received_ns) * 1e-9


def _ns(seconds: float) -> int:
    return round(min(seconds, LONGEST_S) * 1e9)
