"""The recorder's state as it publishes it, read from text that anybody may have sent."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Mapping

from real.ros.reading import LONGEST_TEXT, Refusal, shown

WAITING, READY, RECORDING, PAUSED, ENDED, SAVING, FAILED = (
    "waiting",
    "ready",
    "recording",
    "paused",
    "ended",
    "saving",
    "failed",
)
STATES = (WAITING, READY, RECORDING, PAUSED, ENDED, SAVING, FAILED)
WORDS = ("reason", "label", "verdict", "store", "task", "instruction")
COUNTS = ("rows", "episodes", "saved", "discarded", "seed", "goal")
MOST_STREAMS, LONGEST_WORDS = 64, 300
LARGEST = 2**63 - 1


@dataclass(frozen=True)
class StreamCounts:
    """What the recorder counts of a stream: messages per second, age of the newest (s), messages that were lost."""

    rate_hz: float = 0.0
    age_s: float | None = None
    drops: int = 0


@dataclass(frozen=True)
class RecorderState:
    """A recorder at one moment.

    Args:
        state: one of `STATES`.
        reason: why, in words.
        seconds: of the take.
        rows: of the take.
        episodes: that the store has.
        saved, discarded: takes since the recorder's start that were kept, and not.
        label: `success`, `failure` or empty.
        verdict: on the last take, in words.
        disk_minutes: of recording that the disk still holds; None where it is not known.
        store, task, instruction: where to, and what is recorded.
        seed: of the twin's start.
        streams: by name.
        goal: episodes to record; 0 for none.
    """

    state: str
    reason: str = ""
    seconds: float = 0.0
    rows: int = 0
    episodes: int = 0
    saved: int = 0
    discarded: int = 0
    label: str = ""
    verdict: str = ""
    disk_minutes: float | None = None
    store: str = ""
    task: str = ""
    instruction: str = ""
    seed: int = 0
    streams: Mapping[str, StreamCounts] = field(default_factory=dict)
    goal: int = 0

    def text(self) -> str:
        """The JSON that `read_recorder` reads, below what it takes however long the texts are."""
        values = asdict(replace(self, streams={}))
        for name in WORDS:
            values[name] = _sendable(values[name])
        values["streams"] = {
            name[:LONGEST_WORDS]: asdict(counts) for name, counts in list(self.streams.items())[:MOST_STREAMS]
        }
        return json.dumps(values, ensure_ascii=False)

    def line(self) -> str:
        """For a status of one line."""
        count = f"{self.episodes} of {self.goal}" if self.goal else f"{self.episodes}"
        how_long = f" {self.seconds:.0f} s" if self.state in (RECORDING, PAUSED, ENDED) else ""
        why = f": {self.reason}" if self.reason and self.state in (WAITING, FAILED) else ""
        label = f", {self.label}" if self.label else ""
        return f"recorder: {self.state}{how_long}{label}{why}, {count} saved"


def read_recorder(text: str) -> RecorderState | Refusal:
    """A recorder's state from its JSON. Values that are missing or of another kind are their defaults; long texts are
    cut.
    """
    if len(text) > LONGEST_TEXT:
        return Refusal(f"a recorder's state of {len(text)} characters, {LONGEST_TEXT} are read")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Refusal(f"no JSON, {type(error).__name__}: {shown(text)}")
    if not isinstance(record, dict) or record.get("state") not in STATES:
        return Refusal(f"no state of a recorder: {shown(text)}")
    words: dict[str, Any] = {name: _words(record.get(name)) for name in WORDS}
    counts: dict[str, Any] = {name: _count(record.get(name)) for name in COUNTS}
    streams = record.get("streams")
    return RecorderState(
        state=record["state"],
        seconds=_number(record.get("seconds")) or 0.0,
        disk_minutes=_number(record.get("disk_minutes")),
        streams=_streams(streams) if isinstance(streams, dict) else {},
        **words,
        **counts,
    )


def _streams(record: Mapping[str, Any]) -> dict[str, StreamCounts]:
    found = {}
    for name, value in list(record.items())[:MOST_STREAMS]:
        if isinstance(value, dict):
            rate, age = _number(value.get("rate_hz")), _number(value.get("age_s"))
            found[name[:LONGEST_WORDS]] = StreamCounts(rate or 0.0, age, _count(value.get("drops")))
    return found


def _sendable(text: str) -> str:
    """A text that fits, and that a message can carry."""
    return text[:LONGEST_WORDS].replace("\x00", " ").encode(errors="replace").decode()


def _words(value: Any) -> str:
    return value[:LONGEST_WORDS] if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A number from 0 on; None for anything else. A boolean is an int to Python, and JSON may hold NaN."""
    if type(value) not in (int, float) or not 0 <= value <= LARGEST or not math.isfinite(value):
        return None
    return float(value)


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= LARGEST else 0
