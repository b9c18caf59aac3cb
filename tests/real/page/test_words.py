"""One state of the whole, in words, from the many things that are true at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from real.page.telling.pace import Pace
from real.page.telling.words import BANNERS, NOBODY, Keys, banner
from real.ros.reading import LONGEST_TEXT, Refusal
from real.ros.recorder_state import LONGEST_WORDS, STATES, WORDS, RecorderState, StreamCounts, read_recorder
from robot.folders import configs_folder

pytestmark = pytest.mark.together

KEYBOARD = Keys.of("keyboard")


def said(gate: str, doing: str = "", lost: str = "", silent_s: float = 0.0, **more: object) -> tuple[str, str, str]:
    recorder = RecorderState(doing, **more) if doing else None  # type: ignore[arg-type]
    driver = {"person": "you", "policy": "the policy"}.get(gate.partition(" ")[2], NOBODY)
    found = banner(lost, gate, recorder, silent_s, driver, KEYBOARD)
    assert found.state in BANNERS
    return found.state, found.text, found.detail


def test_a_person_is_told_what_to_press() -> None:
    assert said("hold not_held", "ready")[:2] == ("ready", "ready: press e, then move")
    assert said("hold not_enabled", "ready")[:2] == ("ready", "press g, then press e and move")
    assert said("fault state_gone", "ready")[:2] == ("fault", "fault: a state stream stopped, press x")
    assert (
        banner("", "hold not_held", RecorderState("ready"), 0.0, NOBODY, Keys()).text == "ready: hold enable, then move"
    )


def test_a_recording_shows_its_time_and_what_stops_it() -> None:
    assert said("run person", "recording", seconds=14.9) == ("recording", "recording 00:14", "")
    held = said("hold not_held", "recording", seconds=75.0)
    assert held == ("holds", "the robot holds: enable is not held", "recording 01:15")
    assert said("hold state_stale", "recording")[1] == "the robot holds: a state stream is too old"


@pytest.mark.parametrize(
    ("doing", "text"), [("saving", "saving"), ("paused", "paused"), ("failed", "recording failed")]
)
def test_the_recorder_is_heard_while_the_robot_runs(doing: str, text: str) -> None:
    assert said("run person", doing)[:2] == (doing, text)


def test_what_stops_the_robot_comes_before_what_the_recorder_does() -> None:
    assert said("fault driver", "saving")[0] == "fault"
    assert said("run person", "recording", lost="the gate is silent for 3 s") == (
        "lost",
        "no contact with the robot",
        "the gate is silent for 3 s",
    )
    assert said("hold crowd", "paused")[0] == "holds"


def test_a_recorder_that_falls_silent_has_failed() -> None:
    assert said("run person", "recording", silent_s=4.0)[:2] == ("failed", "the recorder is silent")


def test_to_drive_without_recording_is_another_state() -> None:
    assert said("run person", "ready")[:2] == ("driving", "you drive, nothing is recorded")
    assert said("run policy")[:2] == ("driving", "the policy drives, nothing is recorded")


def test_an_unknown_state_of_the_gate_is_shown_as_it_came() -> None:
    state, text, _ = said("dream <b>deep</b>", "ready")
    assert (state, text) == ("holds", "the robot holds: <b>deep</b>")


def test_a_recorders_text_is_read_whatever_is_in_it() -> None:
    record = {
        "state": "recording",
        "seconds": 3.5,
        "episodes": 7,
        "goal": True,
        "disk_minutes": -1,
        "verdict": "v" * 5000,
        "label": 3,
        "streams": {"front": {"rate_hz": 30, "age_s": None, "drops": 2}, "odd": 3},
    }
    found = read_recorder(json.dumps(record))
    assert isinstance(found, RecorderState)
    assert (found.seconds, found.episodes, found.goal, found.disk_minutes, found.label) == (3.5, 7, 0, None, "")
    assert len(found.verdict) == 300 and set(found.streams) == {"front"} and found.streams["front"].drops == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"state": "asleep"}', '{"state": ["ready"]}', "[" * 9000, "x" * (LONGEST_TEXT + 1)]
)
def test_a_text_that_is_no_recorders_is_refused(text: str) -> None:
    assert isinstance(read_recorder(text), Refusal)


def test_the_pace_is_of_the_last_hour() -> None:
    pace = Pace()
    pace.add(10, 0.0)
    assert pace.per_hour(60.0) is None
    for minute in range(1, 181):
        pace.add(10 + minute, minute * 60.0)
    assert pace.per_hour(180 * 60.0) == pytest.approx(60.0, rel=0.05)
    pace.add(0, 11_000.0)
    assert pace.per_hour(11_060.0) is None, "another store"


def test_keys_are_called_as_the_bindings_of_the_device_have_them(tmp_path: Path) -> None:
    assert Keys.of("keyboard") == Keys("press e", "press g", "press x")
    assert Keys.of("gamepad") == Keys("hold left shoulder", "press a", "press shift + left stick")
    own = tmp_path / "mine.yaml"
    own.write_text((configs_folder() / "bindings" / "keyboard.yaml").read_text().replace("hold: e", "hold: z"))
    assert Keys.of("keyboard", str(own)).hold == "press z"
    for device, bindings in (("no such device", ""), ("keyboard", str(tmp_path / "nothing.yaml"))):
        assert Keys.of(device, bindings) == Keys()


@given(
    st.builds(
        RecorderState,
        st.sampled_from(STATES),
        st.text(max_size=400),
        st.floats(0, 1e6).map(lambda seconds: round(seconds, 2)),
        *[st.integers(0, 2**63 - 1)] * 4,
        st.sampled_from(["", "success", "failure"]),
        st.text(max_size=400),
        st.none() | st.floats(0, 1e6),
        *[st.text(max_size=400)] * 3,
        st.integers(0, 2**63 - 1),
        st.dictionaries(st.text(max_size=20), st.builds(StreamCounts, st.floats(0, 1e4), st.none(), st.integers(0, 9))),
    )
)
def test_a_recorders_state_is_read_as_it_was_written_and_its_texts_fit(state: RecorderState) -> None:
    text = state.text()
    assert len(text) <= LONGEST_TEXT and "\x00" not in text and text.encode()
    found = read_recorder(text)
    assert isinstance(found, RecorderState)
    assert replace(found, **dict.fromkeys(WORDS, "")) == replace(state, **dict.fromkeys(WORDS, ""))
    for name in WORDS:
        assert len(getattr(found, name)) == min(len(getattr(state, name)), LONGEST_WORDS)
