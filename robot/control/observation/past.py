"""The recent messages of one stream, bounded by time and by memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Any, Mapping

MOST_BYTES = 32 << 20
"""Bytes of one stream's messages: 35 images of 480 x 640 in colour."""
LEAST = 2  # messages, whatever their size: what lies between them is interpolated
MESSAGE_BYTES = 512  # of a message beside its numbers


class Past:
    """Messages by their moments, oldest first.

    A message is forgotten when the one after it is older than the span, so that the beginning of the span can be
    interpolated, or when all together have more than `most_bytes`; the newest two are always kept.

    Args:
        span_ns: back from the newest message.
        most_bytes: of all messages.
    """

    def __init__(self, span_ns: int, most_bytes: int = MOST_BYTES):
        self._span_ns, self._most_bytes = span_ns, most_bytes
        self.stamps: deque[int] = deque()
        self.values: deque[Mapping[str, Any]] = deque()
        self._sizes: deque[int] = deque()
        self.bytes = 0

    def append(self, stamp_ns: int, values: Mapping[str, Any]) -> None:
        """Add a message that is newer than all others: name -> array, or bytes."""
        size = MESSAGE_BYTES
        for each in values.values():
            size += len(each) if isinstance(each, bytes) else each.nbytes
        self.stamps.append(stamp_ns)
        self.values.append(values)
        self._sizes.append(size)
        self.bytes += size
        while len(self.stamps) > LEAST and (self.stamps[1] < stamp_ns - self._span_ns or self.bytes > self._most_bytes):
            self.stamps.popleft()
            self.values.popleft()
            self.bytes -= self._sizes.popleft()

    def around(self, time_ns: int) -> tuple[int, int]:
        """Indices of the last message at or before a moment, and of the first after it; -1 and the number of messages
        where there is none.
        """
        after = bisect_right(self.stamps, time_ns)
        return after - 1, after

    @property
    def newest_ns(self) -> int | None:
        """Moment of the newest message."""
        return self.stamps[-1] if self.stamps else None
