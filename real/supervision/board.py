"""What is known of a running graph at one moment: the gate's state, status of every process, ages of streams."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Mapping, Sequence

from real.ros.reading import integer
from robot.contract.wiring import Ages
from robot.safety.gate.reasons import Reason

GOOD, POOR, BAD = "ok", "warn", "error"
SILENT_S = 2.0  # status comes twice a second
HISTORY = 8
WINDOW = 200  # messages whose rate is shown

TEXTS = {reason.value: reason.text for reason in Reason}
TOLD = (
    "latency_p95_ms",
    "period_p99_ms",
    "tick_p99_ms",
    "plans",
    "refused",
    "held",
    "moving",
    "speed",
    "late",
    "energy_level_j",
    "energy_overdrafts",
    "spring_arm_j",
)
RARE = ("unread", "errors")  # shown when there are any
MOST_PROCESSES, LONGEST_TEXT = 64, 300  # anybody may publish a status: a page of long ones took 10 ms to paint


@dataclass
class StreamTimes:
    """When messages of a stream came, monotonic s."""

    ages: Ages | None = None
    times: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def age_s(self, now_s: float) -> float | None:
        return now_s - self.times[-1] if self.times else None

    def rate_hz(self) -> float:
        """The rate of the last messages."""
        span = self.times[-1] - self.times[0] if len(self.times) > 1 else 0.0
        return (len(self.times) - 1) / span if span > 0 else 0.0

    def level(self, now_s: float) -> str:
        age_s = self.age_s(now_s)
        if age_s is None:
            return BAD
        if self.ages is None:
            return GOOD
        return BAD if age_s > self.ages.hold_s else POOR if age_s > self.ages.warn_s else GOOD


@dataclass(frozen=True)
class Status:
    """The last status of a process, and when it came (monotonic s)."""

    level: str
    text: str
    values: Mapping[str, str]
    heard_s: float


class Board:
    """Collects what is known of a graph; shows nothing.

    Args:
        streams: name -> from which age on it is late, holds the robot, is a fault.
    """

    def __init__(self, streams: Mapping[str, Ages]):
        self.streams = {name: StreamTimes(ages) for name, ages in streams.items()}
        self.statuses: dict[str, Status] = {}
        self.gate, self.gate_s = "", 0.0
        self.history: deque[tuple[str, str]] = deque(maxlen=HISTORY)

    def stream(self, name: str, now_s: float) -> None:
        self.streams[name].times.append(now_s)

    def status(self, name: str, level: str, text: str, values: Mapping[str, str], now_s: float) -> bool:
        """Note the status of a process; False when there are too many processes for another one."""
        name = name[:LONGEST_TEXT]
        if name not in self.statuses and len(self.statuses) >= MOST_PROCESSES:
            return False
        shortened = {key: value[:LONGEST_TEXT] for key, value in values.items()}
        self.statuses[name] = Status(level, text[:LONGEST_TEXT], shortened, now_s)
        return True

    def state(self, line: str, now_s: float, clock: str) -> bool:
        """Note the gate's state, `mode reason`; returns whether it has changed.

        Args:
            line: as the gate publishes it.
            now_s: monotonic.
            clock: time of day, for people.
        """
        line = line[:LONGEST_TEXT]
        if line == self.gate:
            return False
        self.gate, self.gate_s = line, now_s
        self.history.append((clock, self.gate_text()))
        return True

    def gate_text(self) -> str:
        """The gate's state in words."""
        mode, _, reason = self.gate.partition(" ")
        return f"{mode}: {reason_text(reason)}" if mode else "gate not heard of"

    def level_of(self, name: str, now_s: float) -> str:
        """The level of a process; a silent one is as bad as one that reports an error."""
        status = self.statuses[name]
        return BAD if now_s - status.heard_s > SILENT_S else status.level

    def process_text(self, name: str, now_s: float) -> str:
        status = self.statuses[name]
        age_s = now_s - status.heard_s
        if age_s > SILENT_S:
            return f"silent for {age_s:.0f} s; before: {status.text}"
        return status.text

    def stream_text(self, name: str, now_s: float) -> str:
        stream = self.streams[name]
        age_s = stream.age_s(now_s)
        if age_s is None:
            return "not heard"
        return f"{stream.rate_hz():.0f} Hz, {_age(age_s)}"

    def counts(self) -> dict[str, int]:
        """What the gate has counted: limits, refusals, stops; without what it does when all is well."""
        gate = self.statuses.get("gate")
        values = (
            {}
            if gate is None
            else {
                name.removeprefix("count_"): integer(value)
                for name, value in gate.values.items()
                if name.startswith("count_")
            }
        )
        counts = {name: count for name, count in values.items() if count is not None and count >= 0}
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def numbers(self, name: str) -> str:
        values = self.statuses[name].values
        keys = [key for key in TOLD if values.get(key, "") != ""]
        keys += [key for key in RARE if values.get(key, "0") != "0"]
        return "  ".join(f"{key} {values[key]}" for key in keys)


def line_of(board: Board, now_s: float, alive: str) -> str:
    """All in one line: what is not well is named, the rest is counted."""
    ill = [
        f"{name}: {board.process_text(name, now_s)}"
        for name in sorted(board.statuses)
        if name != "gate" and board.level_of(name, now_s) != GOOD
    ]
    if "gate" in board.statuses and now_s - board.statuses["gate"].heard_s > SILENT_S:
        ill.insert(0, f"gate: {board.process_text('gate', now_s)}")
    late = [
        f"{name} {board.stream_text(name, now_s)}"
        for name, stream in board.streams.items()
        if stream.level(now_s) != GOOD
    ]
    parts = [board.gate_text(), alive, *ill, *late]
    if not late:
        parts.append(f"{len(board.streams)} streams in time")
    return " | ".join(part for part in parts if part)


def page_of(board: Board, now_s: float, title: str, alive: str) -> Sequence[str]:
    """Rows of a page, the important ones first: a small terminal cuts the end."""
    since = f"for {now_s - board.gate_s:.1f} s" if board.gate else ""
    rows = [title, "", f"  gate    {board.gate_text()}  {since}".rstrip(), f"  alive   {alive}", ""]
    width = max((len(name) for name in (*board.statuses, *board.streams)), default=0)
    for name in sorted(board.statuses):
        rows.append(
            f"{_mark(board.level_of(name, now_s))} {name.ljust(width)}  {board.process_text(name, now_s)}  "
            f"{board.numbers(name)}".rstrip()
        )
    rows.append("")
    for name, stream in board.streams.items():
        rows.append(f"{_mark(stream.level(now_s))} {name.ljust(width)}  {board.stream_text(name, now_s)}")
    counts = board.counts()
    if counts:
        rows += ["", "  counted " + ", ".join(f"{name} {count}" for name, count in counts.items())]
    if board.history:
        rows += ["", *(f"  {clock}  {text}" for clock, text in reversed(board.history))]
    return rows


def reason_text(reason: str) -> str:
    """What a person reads for a reason of the gate."""
    return TEXTS.get(reason, reason)


def _mark(level: str) -> str:
    return {GOOD: " ", POOR: "-", BAD: "!"}[level]


def _age(age_s: float) -> str:
    return f"{age_s * 1e3:.0f} ms old" if age_s < 1 else f"{age_s:.1f} s old"
