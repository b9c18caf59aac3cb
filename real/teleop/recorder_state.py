"""The recorder's state as a person at a device needs it, from the JSON of `recorder/state`."""

from __future__ import annotations

import json
from dataclasses import dataclass

from real.ros.reading import LONGEST_TEXT, Refusal, shown

STATES = ("waiting", "ready", "recording", "paused", "ended", "saving", "failed")


@dataclass(frozen=True)
class RecorderState:
    """What a recorder does.

    Args:
        state: of `STATES`.
        reason: why, where it waits or has failed.
        seconds: of the take.
        episodes: saved so far.
        goal: how many are wanted; 0 for no number.
        label: success or failure; empty for none.
        verdict: on the last take.
    """

    state: str
    reason: str = ""
    seconds: float = 0.0
    episodes: int = 0
    goal: int = 0
    label: str = ""
    verdict: str = ""

    def line(self) -> str:
        """For the status line."""
        count = f"{self.episodes} of {self.goal}" if self.goal else f"{self.episodes}"
        how_long = f" {self.seconds:.0f} s" if self.state in ("recording", "paused", "ended") else ""
        why = f": {self.reason}" if self.reason and self.state in ("waiting", "failed") else ""
        label = f", {self.label}" if self.label else ""
        return f"recorder: {self.state}{how_long}{label}{why}, {count} saved"


def read_recorder_state(text: str) -> RecorderState | Refusal:
    """A recorder's state from its JSON; what this does not need is not looked at."""
    if len(text) > LONGEST_TEXT:
        return Refusal(f"a recorder's state of {len(text)} characters, {LONGEST_TEXT} are read")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Refusal(f"no JSON, {type(error).__name__}: {shown(text)}")
    if not isinstance(record, dict):
        return Refusal(f"no JSON object: {shown(text)}")
    if record.get("state") not in STATES:
        return Refusal(f"no state of a recorder: {shown(record.get('state'))}")
    words = {name: record.get(name, "") for name in ("reason", "label", "verdict")}
    numbers = {name: record.get(name, 0) for name in ("seconds", "episodes", "goal")}
    for name, value in words.items():
        if not isinstance(value, str):
            return Refusal(f"{name} is no text: {shown(value)}")
    for name, value in numbers.items():
        # NaN and infinity pass `json`, and are in no range.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            return Refusal(f"{name} is no number from 0 to 1e9")
    return RecorderState(
        record["state"],
        words["reason"],
        float(numbers["seconds"]),
        int(numbers["episodes"]),
        int(numbers["goal"]),
        words["label"],
        words["verdict"],
    )
