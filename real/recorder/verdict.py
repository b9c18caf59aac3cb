"""The verdict on a take: one line that a person hears or reads after it."""

from __future__ import annotations

from typing import Mapping

from real.recorder.incoming.stream_watch import StreamSummary

LATE_MS = 100.0
SLOW = 0.9  # of the rate that the contract has


def verdict(end: str, seconds: float, streams: Mapping[str, StreamSummary], idle: float, label: str) -> str:
    """How a take has ended, how long it was, and what is wrong with it.

    Args:
        end: `saved`, `discarded`, or why it was lost.
        seconds: of its rows.
        streams: over the take.
        idle: share of its rows in which nobody moved.
        label: `success`, `failure`, or empty.
    """
    parts = [end, f"{seconds:.0f} s", label]
    for name, each in streams.items():
        troubles = [f"{count} {what}" for count, what in ((each.drops, "drops"), (each.refused, "refused")) if count]
        if each.rate_hz < SLOW * each.expected_hz:
            troubles.append(f"at {each.rate_hz:.0f} of {each.expected_hz:.0f} Hz")
        if each.latency_ms[2] > LATE_MS:
            troubles.append(f"{each.latency_ms[2]:.0f} ms late")
        if troubles:
            parts.append(f"{name} {' and '.join(troubles)}")
    if idle >= 0.01:
        parts.append(f"{100 * idle:.0f} % idle")
    return ", ".join(part for part in parts if part)
