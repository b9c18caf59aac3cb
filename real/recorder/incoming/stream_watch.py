"""Whether a stream is fit to be recorded: its rate, its age, what it has lost, whether it has frozen."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Sequence

import numpy as np

from real.ros.recorder_state import StreamCounts
from robot.contract.wiring import Ages

WINDOW = 200  # messages whose rate is shown
FROZEN_S = 1.0  # of one and the same picture, or the age that holds where that is longer: a sensor has noise
FUTURE_NS = 100_000_000  # a stamp further ahead is of another clock
LOST = 1.5  # periods between two stamps from which on a message is missing
BIN_NS = 100_000  # of latencies
MOST_BINS = 100_000  # of a latency that is told from a longer one: ten seconds
QUANTILES = (0.0, 0.5, 0.95, 0.99)
MOST_DROPS = 100_000  # in one gap: a clock that jumps has lost nothing


@dataclass(frozen=True)
class StreamSummary:
    """A stream over a take.

    Args:
        rate_hz: of the stamps.
        received, drops, refused: messages.
        expected_hz: as the contract has it.
        latency_ms: smallest, median, 95th and 99th percentile of receipt less stamp.
        span_ns: stamps of the first and of the last message.
    """

    rate_hz: float
    received: int
    drops: int
    refused: int
    latency_ms: tuple[float, ...]
    span_ns: tuple[int, int] = (0, 0)
    expected_hz: float = 0.0


class StreamWatch:
    """Watches the messages of one stream.

    Dropped are messages that were lost on their way, where the middleware numbers them (`lost_on_the_way`). Of a
    sensor, and where they have no numbers, they are those that are missing between two stamps: then a sender that is
    late is not told from a loss.

    Args:
        name: of the stream.
        rate_hz: of its driver.
        ages: from which on it is late, holds the robot, is a fault.
        sensor: whether its content is noisy, so that it never repeats: a camera on a robot, not on a twin.
    """

    def __init__(self, name: str, rate_hz: float, ages: Ages, *, sensor: bool = False) -> None:
        self.name, self._period_ns, self._ages = name, 1e9 / rate_hz, ages
        self.sensor = sensor
        self._stamps: deque[int] = deque(maxlen=WINDOW)
        self._frozen_s = max(FROZEN_S, ages.hold_s)
        self._received_s: float | None = None
        self._well_s: float | None = None  # when the last message came with which nothing was wrong
        self._before_s: float | None = None  # and the one before it
        self._numbered = False
        self._content: bytes | memoryview = b""
        self._changed_s = 0.0
        self._trouble, self._trouble_s = "", float("-inf")
        self.begin()

    def begin(self) -> None:
        """Count anew, for a take."""
        self.received = self.drops = self.refused = 0
        self._latencies: Counter[int] = Counter()  # bin -> messages
        self._first_ns: int | None = None
        self._jump = ""

    def lost_on_the_way(self, count: int | None) -> None:
        """Note messages that were sent and did not come; None where that is not known."""
        if count is not None and not self.sensor:
            self._numbered = True
            self.drops += count

    def came(self, stamp_ns: int, now_ns: int, now_s: float, content: bytes | memoryview = b"") -> str:
        """Note a message.

        Args:
            stamp_ns: of the message.
            now_ns: in the same time; 0 while there is none.
            now_s: monotonic.
            content: of a `sensor`, which is compared with the one before.

        Returns:
            Why the message cannot be recorded; empty where it can.
        """
        self._received_s = now_s
        if now_ns and stamp_ns - now_ns > FUTURE_NS:
            return self._refuse(f"stamped {(stamp_ns - now_ns) * 1e-9:.1f} s in the future", now_s)
        if now_ns and (now_ns - stamp_ns) * 1e-9 > self._ages.fault_s:
            return self._refuse(f"stamped {(now_ns - stamp_ns) * 1e-9:.1f} s in the past", now_s)
        if self._stamps and stamp_ns < self._stamps[-1]:
            back_s = (self._stamps[-1] - stamp_ns) * 1e-9
            reason = f"its stamps went back by {back_s:.3f} s"
            if back_s > self._ages.fault_s:
                self._jump = reason
            self._stamps.clear()
            return self._refuse(reason, now_s)
        if self._stamps and stamp_ns == self._stamps[-1]:
            return self._refuse("the same stamp twice", now_s)
        if self._stamps:
            gap = (stamp_ns - self._stamps[-1]) / self._period_ns
            if gap > LOST and not self._numbered:
                self.drops += min(round(gap) - 1, MOST_DROPS)
        if self.sensor and content != self._content:  # which ends at the first byte that differs
            self._content, self._changed_s = content, now_s
        self._stamps.append(stamp_ns)
        self._before_s, self._well_s = self._well_s, now_s
        self.received += 1
        self._first_ns = stamp_ns if self._first_ns is None else self._first_ns
        if now_ns:
            self._latencies[min(max((now_ns - stamp_ns) // BIN_NS, -MOST_BINS), MOST_BINS)] += 1
        return ""

    def came_all(self, stamps_ns: np.ndarray, now_ns: Sequence[int], now_s: Sequence[float]) -> bool:
        """Note messages that came together, oldest first, as `came` does one by one.

        Args:
            stamps_ns: (k,) of the messages.
            now_ns, now_s: k, as of `came`.

        Returns:
            False where one of them cannot be recorded, or its content is to be looked at: none was noted.
        """
        if self.sensor or 0 in now_ns:
            return False
        ages_ns = np.array(now_ns, dtype=np.int64) - stamps_ns
        before = self._stamps[-1] if self._stamps else None
        gaps_ns = np.diff(stamps_ns) if before is None else np.diff(stamps_ns, prepend=before)
        if ages_ns.min() < -FUTURE_NS or ages_ns.max() * 1e-9 > self._ages.fault_s or (gaps_ns <= 0).any():
            return False
        if not self._numbered:
            gaps = gaps_ns / self._period_ns
            lost = np.rint(gaps[gaps > LOST]).astype(np.int64) - 1
            self.drops += int(np.minimum(lost, MOST_DROPS).sum())
        stamps = stamps_ns.tolist()
        self._stamps.extend(stamps)
        self._before_s, self._well_s = (self._well_s if len(stamps) == 1 else now_s[-2]), now_s[-1]
        self._received_s = now_s[-1]
        self.received += len(stamps)
        self._first_ns = stamps[0] if self._first_ns is None else self._first_ns
        self._latencies.update(np.clip(ages_ns // BIN_NS, -MOST_BINS, MOST_BINS).tolist())
        return True

    def refuse(self, reason: str, now_s: float) -> None:
        """Note that the message which came last cannot be recorded."""
        self._received_s, self._well_s = now_s, self._before_s
        self._refuse(reason, now_s)

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the last message; None before the first."""
        return None if self._received_s is None else now_s - self._received_s

    @property
    def rate_hz(self) -> float:
        """Of the last messages, by their stamps."""
        span = self._stamps[-1] - self._stamps[0] if len(self._stamps) > 1 else 0
        return (len(self._stamps) - 1) * 1e9 / span if span > 0 else 0.0

    def trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may."""
        age_s = self.age_s(now_s)
        if age_s is None:
            return "silent since the start"
        if age_s > self._ages.hold_s:
            return f"silent for {age_s:.1f} s"
        if now_s - self._trouble_s < self._ages.fault_s:
            return self._trouble
        return self._frozen(now_s, self._frozen_s)

    def lost(self, now_s: float) -> str:
        """Why a take must end: a fault of the stream; empty while there is none."""
        age_s, well_s = self.age_s(now_s), self._well_s
        if age_s is None or age_s > self._ages.fault_s:
            return f"silent for {age_s or 0.0:.1f} s"
        if well_s is None or now_s - well_s > self._ages.fault_s:
            return f"refused: {self._trouble}"
        return self._jump or self._frozen(now_s, max(2 * self._frozen_s, self._ages.fault_s))

    def _frozen(self, now_s: float, most_s: float) -> str:
        for_s = now_s - self._changed_s
        return f"frozen: the same picture for {for_s:.1f} s" if self.sensor and for_s > most_s else ""

    def counts(self, now_s: float) -> StreamCounts:
        """Rate, age and drops, for people."""
        age_s = self.age_s(now_s)
        return StreamCounts(round(self.rate_hz, 1), None if age_s is None else round(age_s, 3), self.drops)

    def summary(self) -> StreamSummary:
        """The stream since `begin`."""
        first = self._first_ns or 0
        last = self._stamps[-1] if self._stamps and self._first_ns is not None else first
        rate = (self.received - 1) * 1e9 / (last - first) if last > first else 0.0
        latency_ms = tuple(map(self._latency, QUANTILES))
        return StreamSummary(
            rate, self.received, self.drops, self.refused, latency_ms, (first, last), 1e9 / self._period_ns
        )

    def _latency(self, quantile: float) -> float:
        """A quantile of receipt less stamp, ms."""
        left = quantile * (self._latencies.total() - 1)
        for latency, count in sorted(self._latencies.items()):
            left -= count
            if left < 0:
                return round(latency * BIN_NS * 1e-6, 1)
        return 0.0

    def _refuse(self, reason: str, now_s: float) -> str:
        self.refused += 1
        self._trouble, self._trouble_s = reason, now_s
        return reason
