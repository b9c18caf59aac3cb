"""Flight records: what was seen is read back, and the core steps through it to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot.errors import InputError
from robot.safety.gate import Mode
from robot.safety.gate.flight_record import FlightRecorder, output_bytes, read_record, replay, write_record
from tests.robot.safety.gate.gates import CAPSULES, SETTINGS, GantryRig, Rig, along, line


def incident(rig: Rig | None = None, span_s: float = 60.0) -> tuple[Rig, FlightRecorder]:
    """A policy that is followed until the driver says that the robot stopped."""
    rig = rig or Rig()
    rig.started()
    for number in range(120):
        chunks = (rig.chunk(line(along(x=0.01, width=-0.004), start=rig.state.command)),) if number % 30 == 0 else ()
        rig.tick(chunks=chunks)
    rig.driver = "protective stop"
    rig.run(20)
    recorder = FlightRecorder(rig.settings, span_s)
    for tick in rig.ticks:
        recorder.add(*tick)
    return rig, recorder


@pytest.mark.parametrize("make", [Rig, lambda: GantryRig(replace(SETTINGS, capsules=CAPSULES))])
def test_a_record_replays_to_the_same_bytes_from_wherever_it_begins(tmp_path: Path, make):
    rig, recorder = incident(make())
    assert rig.outputs[-1].mode is Mode.FAULT
    for begin in (0, 57):
        path = write_record(tmp_path / "incident.flight", rig.settings, recorder.ticks()[begin:], "a stop")
        record = read_record(path)
        assert record.note == "a stop" and not record.damage and record.settings == rig.settings
        replayed = list(replay(record))
        assert len(replayed) == len(rig.ticks) - begin
        assert all(difference is None for _, _, difference in replayed)
        assert [output_bytes(output) for _, output, _ in replayed] == [output_bytes(o) for o in rig.outputs[begin:]]


def test_a_changed_limit_shows_where_the_replay_leaves_the_record(tmp_path: Path):
    rig, recorder = incident()
    record = read_record(write_record(tmp_path / "a.flight", rig.settings, recorder.ticks()))
    arm, gripper = SETTINGS.groups
    slow = replace(arm, parts=(replace(arm.parts[0], speed=(0.1,)), arm.parts[1]))
    slower = replace(SETTINGS, groups=(slow, gripper))
    left = [difference for _, _, difference in replay(replace(record, settings=slower)) if difference]
    assert left and left[0].tick > 2 and left[0].recorded != left[0].replayed


def test_only_the_last_minute_is_kept():
    _, recorder = incident(span_s=0.2)
    assert len(recorder) == 41
    first, last = recorder.ticks()[0].now, recorder.ticks()[-1].now
    assert last.monotonic_ns - first.monotonic_ns == 200_000_000


def test_of_a_file_that_was_cut_short_all_whole_ticks_are_read(tmp_path: Path):
    rig, recorder = incident()
    path = write_record(tmp_path / "a.flight", rig.settings, recorder.ticks())
    whole = path.read_bytes()
    cut = tmp_path / "cut.flight"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    record = read_record(cut)
    assert 0 < len(record.ticks) < len(rig.ticks) and "damaged" in record.damage
    assert all(difference is None for _, _, difference in replay(record))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    cut.write_bytes(bytes(flipped))
    assert 0 < len(read_record(cut).ticks) < len(rig.ticks)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_record_of_a_former_format_is_read_and_replays_to_its_bytes(number: int):
    """Of 1 the state had no parts yet, of 2 others of their names, of 3 nobody who had taken the robot: a policy is
    followed, then the driver stops.
    """
    record = read_record(Path(__file__).parent / f"format{number}.flight")
    assert (len(record.ticks), record.state.mode, record.note) == (36, Mode.RUN, "36 ticks before a fault")
    assert record.state.plan.path is not None and record.state.sent.velocity.any()
    found = list(replay(record))
    assert found[-1][1].mode is Mode.FAULT and all(difference is None for _, _, difference in found)


def test_nothing_is_overwritten_and_nothing_half_written_has_the_name(tmp_path: Path):
    rig, recorder = incident()
    paths = {write_record(tmp_path / "a.flight", rig.settings, recorder.ticks()) for _ in range(3)}
    assert len(paths) == 3 and sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in paths)


def test_what_is_no_flight_record_is_refused(tmp_path: Path):
    other = tmp_path / "other"
    with pytest.raises(InputError, match="does not exist"):
        read_record(other)
    other.write_bytes(b"\x80\x04cposix\nsystem\n")
    with pytest.raises(InputError, match="tiller flight record"):
        read_record(other)
    other.write_bytes(b"tiller flight record 1\n\x00\x00")
    with pytest.raises(InputError, match="first frame"):
        read_record(other)


def test_arrays_come_back_to_the_bit(tmp_path: Path):
    rig, recorder = incident()
    ticks = recorder.ticks()
    odd = np.array([[0.1, -0.0, 5e-324, 1e308, np.nan, np.inf, -np.inf, 1 / 3, np.pi, 2.0**-1074]])
    inputs = replace(ticks[-1].inputs, chunks=(rig.chunk(odd, value=float("inf"), seed=2**63),))
    path = write_record(tmp_path / "a.flight", rig.settings, (replace(ticks[-1], inputs=inputs),))
    _, read, _ = read_record(path).ticks[0]
    assert read.chunks[0].values.tobytes() == odd.tobytes()
    assert read.chunks[0].seed == 2**63 and read.chunks[0].value == float("inf")
