"""`tiller data replay --incident`: the story of a flight record, and whether the core tells it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robot.errors import InputError
from robot.safety.gate.flight_record import write_record
from tests.robot.safety.gate.test_flight_record import incident
from tiller.verbs import data


def test_an_incident_is_told_and_replays_to_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rig, recorder = incident()
    path = write_record(tmp_path / "incident.flight", rig.settings, recorder.ticks(), "driver stopped")
    assert data.command(["replay", "--incident", str(path)]) == 0
    told = capsys.readouterr().out
    assert "driver stopped" in told and "protective stop" in told and "fault" in told
    assert "to the byte" in told


def test_a_record_that_the_core_does_not_repeat_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rig, recorder = incident()
    ticks = list(recorder.ticks())
    ticks[50] = replace(ticks[50], output=replace(ticks[50].output, chunk_id=99))
    path = write_record(tmp_path / "incident.flight", rig.settings, tuple(ticks))
    assert data.command(["replay", "--incident", str(path)]) == 1
    assert "1 ticks differ, the first is tick 50" in capsys.readouterr().out


def test_one_file_is_wanted(tmp_path: Path):
    with pytest.raises(InputError, match="one file"):
        data.command(["replay", "--incident"])
    with pytest.raises(InputError, match="does not exist"):
        data.command(["replay", "--incident", str(tmp_path / "none")])
