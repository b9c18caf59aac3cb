"""What a monitor said of the episodes of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Protocol, Sequence


@dataclass(frozen=True)
class Alarm:
    """The first alarm of an episode.

    Args:
        decision: number of the decision, from 0.
        step: control steps before it.
        name: of the score that gave it.
        score, threshold: of it.
        reason: in words.
    """

    decision: int
    step: int
    name: str
    score: float
    threshold: float
    reason: str


@dataclass(frozen=True)
class Monitored:
    """What a monitor said of an episode.

    Args:
        scores: name -> its value at each decision.
        alarm: the first one; None without one.
        held: whether the episode ended with it.
    """

    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    alarm: Alarm | None = None
    held: bool = False


class _Episode(Protocol):
    @property
    def success(self) -> bool: ...

    @property
    def length(self) -> int: ...

    @property
    def monitor(self) -> Monitored | None: ...


@dataclass(frozen=True)
class Alarms:
    """Alarms of an evaluation. Where episodes are held at an alarm, nobody knows how they would have ended: those are
    counted as held, and neither as false nor as noticed.

    Args:
        false_alarms: successes with an alarm, of `successes`.
        noticed: failures with one, of `failures`.
        noticed_early: those of them that had it before 60 % of their time.
        held: episodes that ended with an alarm.
    """

    successes: int
    false_alarms: int
    failures: int
    noticed: int
    noticed_early: int
    held: int

    @classmethod
    def of(cls, records: Sequence[_Episode]) -> Alarms | None:
        """Those of some episodes; None where no monitor watched them."""
        watched = [(record, record.monitor) for record in records if record.monitor is not None]
        if not watched:
            return None
        free = [(record, monitor) for record, monitor in watched if not monitor.held]
        failures = [(record, monitor.alarm) for record, monitor in free if not record.success]
        return cls(
            sum(record.success for record, _ in free),
            sum(record.success and monitor.alarm is not None for record, monitor in free),
            len(failures),
            sum(alarm is not None for _, alarm in failures),
            sum(alarm is not None and alarm.step < 0.6 * record.length for record, alarm in failures),
            len(watched) - len(free),
        )

    @property
    def sentence(self) -> str:
        """In words."""
        parts = []
        if self.successes:
            parts.append(f"false alarms in {self.false_alarms} of {self.successes} successes")
        if self.failures:
            parts.append(
                f"{self.noticed} of {self.failures} failures noticed, {self.noticed_early} before 60 % of their time"
            )
        if self.held:
            parts.append(f"{self.held} episodes held, which count as failures")
        return "; ".join(parts)
