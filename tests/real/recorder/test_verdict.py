"""The line that a person reads after a take."""

from __future__ import annotations

import pytest

from real.recorder.incoming.stream_watch import StreamSummary
from real.recorder.verdict import verdict

pytestmark = pytest.mark.together


def summary(drops: int = 0, refused: int = 0, late_ms: float = 8.0) -> StreamSummary:
    return StreamSummary(30.0, 400, drops, refused, (2.0, 4.0, late_ms, late_ms))


def test_a_take_without_a_fault_needs_few_words() -> None:
    assert verdict("saved", 14.2, {"wrist": summary()}, 0.0, "success") == "saved, 14 s, success"


def test_what_is_wrong_is_named_with_its_stream() -> None:
    streams = {"arm": summary(), "wrist": summary(drops=3, refused=2), "front": summary(late_ms=140.0)}
    line = verdict("saved", 14.0, streams, 0.4, "")
    assert line == "saved, 14 s, wrist 3 drops and 2 refused, front 140 ms late, 40 % idle"


def test_a_stream_that_is_slower_than_its_contract_says_is_told() -> None:
    slow = StreamSummary(61.2, 400, 0, 0, (2.0, 4.0, 8.0, 8.0), expected_hz=100.0)
    near = StreamSummary(92.0, 400, 0, 0, (2.0, 4.0, 8.0, 8.0), expected_hz=100.0)
    assert verdict("saved", 4.0, {"arm": slow, "pose": near}, 0.0, "") == "saved, 4 s, arm at 61 of 100 Hz"


def test_a_rest_of_less_than_a_hundredth_is_not_worth_a_word() -> None:
    assert verdict("discarded", 3.0, {}, 0.009, "failure") == "discarded, 3 s, failure"
