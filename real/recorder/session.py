"""The states of a recorder: from waiting for a robot to a take that is saved or discarded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """What a recorder does.

    `ENDED` is a take whose rows are complete and that waits for a person's verdict. `FAILED` is without a take: the
    last one was lost, and stays so until a person has seen it and discards it.
    """

    WAITING = "waiting"
    READY = "ready"
    RECORDING = "recording"
    PAUSED = "paused"
    ENDED = "ended"
    SAVING = "saving"
    FAILED = "failed"

    @property
    def has_take(self) -> bool:
        return self in (State.RECORDING, State.PAUSED, State.ENDED)


SUCCESS, FAILURE = "success", "failure"
LOOKING = "looking whether all is there"
_VERBS = {
    State.WAITING: "is not ready",
    State.READY: "has no take",
    State.RECORDING: "records",
    State.PAUSED: "is paused",
    State.ENDED: "has a take that waits for save or discard",
    State.SAVING: "saves",
    State.FAILED: "has lost the take, which a discard confirms",
}


@dataclass(frozen=True)
class Session:
    """The state of a recorder. Immutable: a request gives a new one, or the reason why it is refused.

    Args:
        state: now.
        reason: of a state that somebody should know the reason of: why it waits, why the take has ended.
        label: of the take: `success`, `failure` or empty.
    """

    state: State = State.WAITING
    reason: str = ""
    label: str = ""

    def waits(self, reason: str) -> Session:
        """The session without a take: ready, or waiting for a reason."""
        if self.state not in (State.WAITING, State.READY):
            return self
        return replace(self, state=State.WAITING if reason else State.READY, reason=reason)

    def start(self) -> Session | str:
        if self.state is State.READY:
            return Session(State.RECORDING)
        return self._refusal("start")

    def pause(self, on: bool) -> Session | str:
        if on and self.state in (State.RECORDING, State.PAUSED):
            return replace(self, state=State.PAUSED, reason="")
        if not on and self.state in (State.PAUSED, State.RECORDING):
            return replace(self, state=State.RECORDING, reason="")
        return self._refusal("pause" if on else "go on")

    def end(self, reason: str = "") -> Session | str:
        """The take ends: a person says so, or there is a reason."""
        if self.state in (State.RECORDING, State.PAUSED):
            return replace(self, state=State.ENDED, reason=reason)
        return self if self.state is State.ENDED else self._refusal("stop")

    def labelled(self, success: bool) -> Session | str:
        if self.state.has_take:
            return replace(self, label=SUCCESS if success else FAILURE)
        return self._refusal("label")

    def save(self) -> Session | str:
        if self.state.has_take:
            return replace(self, state=State.SAVING, reason="")
        return self._refusal("save")

    def discard(self) -> Session | str:
        if self.state.has_take or self.state is State.FAILED:
            return self.left()
        return self._refusal("discard")

    def left(self) -> Session:
        """The take has left, saved or discarded."""
        return Session(State.WAITING, LOOKING)

    def lost(self, reason: str) -> Session:
        """The take cannot be kept."""
        return Session(State.FAILED, reason)

    def _refusal(self, verb: str) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"cannot {verb}: the recorder {_VERBS[self.state]}{why}"


@dataclass
class Totals:
    """What a recorder has done since its start.

    Args:
        saved, discarded: takes.
        verdict: on the last one.
    """

    saved: int = 0
    discarded: int = 0
    verdict: str = ""

    def add(self, verdict: str, *, saved: bool) -> None:
        self.saved += saved
        self.discarded += not saved
        self.verdict = verdict
