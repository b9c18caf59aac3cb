"""How messages travel, in one place. Both ends of a topic take the same name from here.

Readers of state are best effort because those match every publisher: some drivers publish best effort, and a reliable
reader gets nothing from them. Commands are reliable because controllers subscribe so. What is true until further notice
is latched, which works only where both ends set it.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(reliable: bool, depth: int, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
    )


STATE = _profile(reliable=False, depth=5)
"""Reading states, signs of life and the enabling device: an old one is worth nothing."""

STATE_OUT = _profile(reliable=True, depth=5)
"""Publishing them: a reliable writer matches readers of both kinds."""

IMAGE = _profile(reliable=False, depth=1)
"""Images, both ends: a frame that was lost is not worth waiting for."""

COMMAND = _profile(reliable=True, depth=1)
"""Commands to controllers, chunks and targets: the newest, for sure."""

STATUS = _profile(reliable=True, depth=20)
"""Status and what was sent: every one."""

LATCHED = _profile(reliable=True, depth=1, latched=True)
"""The task, the gate's mode, calibrations: late subscribers get the newest."""

CLOCK = _profile(reliable=False, depth=1)
"""Simulation time, as rclpy's own time source reads it."""

RECORD_IMAGE = _profile(reliable=False, depth=30)
RECORD_STATE = _profile(reliable=True, depth=200)
"""Recording: deep queues, for a disk that stalls."""
