"""The states of a recorder: what may be asked for when, and what becomes of a take."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from real.recorder.session import FAILURE, SUCCESS, Session, State

pytestmark = pytest.mark.together


def test_a_take_goes_from_start_to_save() -> None:
    session = Session().waits("")
    assert session.state is State.READY
    recording = session.start()
    assert isinstance(recording, Session) and recording.state is State.RECORDING
    ended = recording.end("the task is done")
    assert isinstance(ended, Session) and ended.state is State.ENDED and ended.reason == "the task is done"
    labelled = ended.labelled(True)
    assert isinstance(labelled, Session) and labelled.label == SUCCESS
    saving = labelled.save()
    assert isinstance(saving, Session) and saving.state is State.SAVING
    assert saving.left().state is State.WAITING


def test_a_refusal_says_what_the_recorder_does_and_why() -> None:
    waiting = Session().waits("front is silent for 2.0 s")
    assert waiting.start() == "cannot start: the recorder is not ready: front is silent for 2.0 s"
    assert "has no take" in str(Session().waits("").save())
    recording = Session().waits("").start()
    assert isinstance(recording, Session)
    assert recording.start() == "cannot start: the recorder records"


def test_a_pause_is_no_end_and_a_take_may_be_ended_from_it() -> None:
    recording = Session(State.RECORDING)
    paused = recording.pause(True)
    assert isinstance(paused, Session) and paused.state is State.PAUSED
    assert paused.pause(False) == recording
    assert isinstance(paused.save(), Session)
    assert isinstance(Session(State.READY).pause(True), str)


class Recorder(RuleBasedStateMachine):
    """Any order of requests: a refusal changes nothing, and a label belongs to one take only."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session()

    @rule(reason=st.sampled_from(["", "silent"]))
    def look(self, reason: str) -> None:
        self.session = self.session.waits(reason)

    @rule(verb=st.sampled_from(["start", "save", "discard", "end"]))
    def ask(self, verb: str) -> None:
        before = self.session
        result = getattr(before, verb)()
        if isinstance(result, str):
            assert result.startswith("cannot ")
        else:
            self.session = result
        if verb == "start" and not isinstance(result, str):
            assert before.state is State.READY and not self.session.label

    @rule(on=st.booleans())
    def pause(self, on: bool) -> None:
        result = self.session.pause(on)
        self.session = result if isinstance(result, Session) else self.session

    @rule(success=st.booleans())
    def label(self, success: bool) -> None:
        result = self.session.labelled(success)
        if isinstance(result, Session):
            assert self.session.state.has_take and result.state is self.session.state
            self.session = result

    @rule()
    def left(self) -> None:
        if self.session.state is State.SAVING:
            self.session = self.session.left()

    @invariant()
    def without_a_take_there_is_no_label(self) -> None:
        assert self.session.label in ("", SUCCESS, FAILURE)
        if not self.session.state.has_take and self.session.state is not State.SAVING:
            assert not self.session.label


TestRecorder = Recorder.TestCase
