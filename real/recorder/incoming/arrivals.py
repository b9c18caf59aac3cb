"""What has come of one topic since it was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator


@dataclass(eq=False)
class Arrivals:
    """Messages in the order in which they came.

    Args:
        packed: their bytes.
        now_ns: when each was taken, in the time of the stamps; 0 while there is none.
        now_s: the same, monotonic.
        size: bytes of all.
        lost: messages that were published before or between these, and did not come: by the numbers that the middleware
            gives them; None where it gives none.
    """

    packed: list[bytes] = field(default_factory=list)
    now_ns: list[int] = field(default_factory=list)
    now_s: list[float] = field(default_factory=list)
    size: int = 0
    lost: int | None = None

    def add(self, packed: bytes, now_ns: int, now_s: float) -> None:
        self.packed.append(packed)
        self.now_ns.append(now_ns)
        self.now_s.append(now_s)
        self.size += len(packed)

    def __len__(self) -> int:
        return len(self.packed)

    def __iter__(self) -> Iterator[tuple[bytes, int, float]]:
        """Each message with the moment at which it was taken."""
        return zip(self.packed, self.now_ns, self.now_s)
