"""How messages travel, in one place. Both ends of a topic take the same name from here.

Readers of state are best effort because those match every publisher: some drivers publish best effort, and a reliable
reader gets nothing from them. Commands are reliable because controllers subscribe so. What is true until further notice
is latched, which works only where both ends set it.
"""

from __future__ import annotations

from typing import Protocol, Sequence

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

RECORD_IMAGE = _profile(reliable=True, depth=30)
RECORD_STATE = _profile(reliable=True, depth=1000)
"""Recording: deep queues, for a disk that stalls by a second, and nothing lost where the publisher sends it again. Only
through `adapted`: a reliable reader gets nothing from a publisher that is not."""


class Publisher(Protocol):
    """A publisher of a topic, as `Node.get_publishers_info_by_topic` gives it."""

    @property
    def qos_profile(self) -> QoSProfile:
        """How it publishes."""


def adapted(profile: QoSProfile, publishers: Sequence[Publisher]) -> QoSProfile:
    """A reader's profile that matches every publisher of a topic.

    One that comes later may not match: who reads for long looks again when the publishers have changed.

    Args:
        profile: that is wanted.
        publishers: of the topic now.

    Returns:
        The profile; reliable, or with what was published before, only if all publishers offer that. Without a
        publisher it is neither, which matches any.
    """
    offers = [each.qos_profile for each in publishers]
    reliable = bool(offers) and all(each.reliability == ReliabilityPolicy.RELIABLE for each in offers)
    latched = bool(offers) and all(each.durability == DurabilityPolicy.TRANSIENT_LOCAL for each in offers)
    return _profile(
        reliable=reliable and profile.reliability == ReliabilityPolicy.RELIABLE,
        depth=profile.depth,
        latched=latched and profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
    )
