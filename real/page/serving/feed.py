"""What the page shows, the newest of each kind: written by the thread of ROS, read by the thread of the server.

Neither waits for the other. A reader that is slow gets the newest of a channel and never the ones before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Callable, Mapping, NamedTuple


class Kind(IntEnum):
    """What the body of a message is: JSON, a JPEG, triangles (`geometry`), poses (n, 3, 4) float32."""

    STATE = 0
    CAMERA = 1
    SCENE = 2
    POSES = 3


class Channel(NamedTuple):
    """A kind, and the number of the camera or of the scene."""

    kind: Kind
    number: int = 0


@dataclass(frozen=True)
class Entry:
    """The newest of a channel.

    Args:
        sequence: counts what was published on the channel, from 1.
        stamp_ns: when it was measured.
        body: of its kind.
    """

    sequence: int
    stamp_ns: int
    body: bytes


class Feed:
    """The newest entry per channel, and how many pages look at them.

    Attributes:
        woken: called by `wake`, on the thread of who publishes.
    """

    def __init__(self) -> None:
        self.woken: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._entries: dict[Channel, Entry] = {}
        self._viewers = 0

    def publish(self, channel: Channel, body: bytes, stamp_ns: int = 0) -> None:
        """Put an entry in the place of the one before."""
        with self._lock:
            before = self._entries.get(channel)
            self._entries[channel] = Entry(before.sequence + 1 if before else 1, stamp_ns, body)

    def wake(self) -> None:
        """Have the pages look: once for what was published together."""
        self.woken()

    def newer(self, seen: Mapping[Channel, int]) -> dict[Channel, Entry]:
        """The entries of channels whose sequence number is another than the one seen, scenes before their poses."""
        with self._lock:
            fresh = [(channel, each) for channel, each in self._entries.items() if seen.get(channel) != each.sequence]
        return dict(sorted(fresh))

    @property
    def viewers(self) -> int:
        """How many pages are connected."""
        return self._viewers

    def joined(self) -> None:
        with self._lock:
            self._viewers += 1

    def left(self) -> None:
        with self._lock:
            self._viewers -= 1
