"""Streams that cannot be reckoned with are refused, and a folder gives back the episodes that were put into it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from robot.errors import InputError
from robot.safety.energy.streams import META, EnergyLog, EnergyStream, read_log, write_log
from tests.robot.safety.energy_picking.arms import pushed, reaching, stamps

Arrays = dict[str, np.ndarray]


def plain(samples: int = 100, period_s: float = 0.001) -> Arrays:
    return {"time_ns": stamps(samples, period_s), "torque": np.ones((samples, 2)), "joints": np.zeros((samples, 2))}


def with_row(name: str, row: int, value: float) -> Callable[[Arrays], Any]:
    def change(arrays: Arrays) -> None:
        arrays[name][row] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_row("torque", 7, np.nan), "torque of sample 7: expected finite numbers"),
        (with_row("joints", 99, np.inf), "joints of sample 99: expected finite numbers"),
        (lambda a: a.update(time_ns=stamps(100, 0.004)), "expected 500 Hz or more, got 250 Hz.*in the inner loop"),
        (lambda a: a.update(time_ns=np.delete(stamps(101), 40)), r"gap after sample 39: expected 1 ms .*, got 2 ms"),
        (lambda a: a["time_ns"].__setitem__(5, a["time_ns"][4]), "time after sample 4: expected later"),
        (lambda a: a["time_ns"].__setitem__(slice(50, None), a["time_ns"][50:] - 10**9), "time after sample 49"),
        (lambda a: a.update(time_ns=a["time_ns"] * 1e-9), "whole nanoseconds"),
        (lambda a: a.update(torque=np.ones((100, 3))), r"torque: expected \(100, 2\)"),
        (lambda a: a.update(torque=np.ones((99, 2))), r"torque: expected \(100, 2\)"),
        (lambda a: a.update(joints=np.zeros(100)), r"joints: expected \(100, joints\)"),
        (lambda a: a.update(velocity=np.zeros(100)), "velocity"),
        (lambda a: a.update({name: each[:5] for name, each in a.items()}), "10 samples or more, got 5"),
    ],
    ids=[
        "nan",
        "inf",
        "slow",
        "gap",
        "twice",
        "backwards",
        "seconds",
        "joints",
        "samples",
        "flat",
        "velocity",
        "short",
    ],
)
def test_a_stream_that_cannot_be_reckoned_with_is_refused(change: Callable[[Arrays], Any], message: str) -> None:
    arrays = plain()
    EnergyStream("a", **arrays)
    change(arrays)
    with pytest.raises(InputError, match=message):
        EnergyStream("a", **arrays)


def test_a_clock_that_trembles_is_no_gap() -> None:
    arrays = plain(period_s=0.002)
    arrays["time_ns"] += np.random.default_rng(0).integers(-300_000, 300_000, 100)
    assert EnergyStream("a", **arrays).period_s == pytest.approx(0.002, rel=0.05)


def log() -> EnergyLog:
    full = replace(
        reaching(1), contact=np.arange(1501) > 700, spring_j=np.linspace(0, 0.1, 1501), force_n=np.linspace(0, 9, 1501)
    )
    return EnergyLog("made_up", ("shoulder", "elbow"), (full, replace(pushed("002", 1.0, 1.0), success=False)), "push")


def test_a_folder_gives_back_what_was_put_into_it(tmp_path: Path) -> None:
    write_log(tmp_path / "log", log())
    again = read_log(tmp_path / "log")
    assert (again.robot, again.joints, again.task) == ("made_up", ("shoulder", "elbow"), "push")
    assert [(each.name, each.success) for each in again.streams] == [("001", True), ("002", False)]
    for before, after in zip(log().streams, again.streams):
        for name in ("time_ns", "torque", "joints", "velocity", "contact", "spring_j", "force_n"):
            first, second = getattr(before, name), getattr(after, name)
            assert (first is None) == (second is None)
            assert first is None or (first.dtype == second.dtype and np.array_equal(first, second))


def test_what_is_there_is_not_written_into(tmp_path: Path) -> None:
    write_log(tmp_path / "log", log())
    with pytest.raises(InputError, match="not there yet"):
        write_log(tmp_path / "log", log())


def told(folder: Path, **changes: Any) -> None:
    meta = json.loads((folder / META).read_text())
    meta.update(changes)
    (folder / META).write_text(json.dumps({key: value for key, value in meta.items() if value is not ...}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / META).unlink(), "no meta.json"),
        (lambda folder: (folder / META).write_text("{"), "a JSON file"),
        (lambda folder: (folder / META).write_text("[]"), "no such 'robot'"),
        (lambda folder: told(folder, robot=...), "no such 'robot'"),
        (lambda folder: told(folder, joints="shoulder"), "no such 'joints'"),
        (lambda folder: told(folder, joints=[1, 2]), "names of joints"),
        (lambda folder: told(folder, success={"001": True}), "episode 002: .*nothing of it in meta.json"),
        (lambda folder: told(folder, success={"001": True, "002": True, "003": True}), "episode 003: .*no 003.npz"),
        (lambda folder: told(folder, success={"001": True, "002": "yes"}), "002: 'yes'"),
        (lambda folder: told(folder, format="another"), "format: expected 'tiller energy log 1'"),
        (lambda folder: told(folder, joints=["shoulder"]), "episode 001: joints: expected 1"),
        (lambda folder: (folder / "001.npz").write_bytes(b"none"), "an npz of plain arrays"),
        (
            lambda folder: np.savez(folder / "001.npz", **plain(), velocities=np.zeros((100, 2))),
            "Did you mean 'velocity'",
        ),
        (lambda folder: np.savez(folder / "001.npz", joints=np.zeros((9, 2))), "no time_ns, torque"),
        (
            lambda folder: np.savez(folder / "001.npz", **{**plain(), "torque": np.full((100, 2), "1")}),
            "torque: .*numbers",
        ),
        (lambda folder: np.savez(folder / "001.npz", **plain(), contact=np.zeros(100)), "contact: expected bool"),
    ],
)
def test_a_folder_that_is_not_a_log_is_refused(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    write_log(tmp_path / "log", log())
    spoil(tmp_path / "log")
    with pytest.raises(InputError, match=message):
        read_log(tmp_path / "log")


class Touched:
    """What an unpickler would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("/tmp/tiller-was-unpickled", "w")


def test_nothing_in_a_log_is_unpickled(tmp_path: Path) -> None:
    write_log(tmp_path / "log", log())
    spoiled = np.empty((100, 2), dtype=object)
    spoiled[:] = Touched()
    np.savez(tmp_path / "log" / "001.npz", **{**plain(), "torque": spoiled}, allow_pickle=True)
    Path("/tmp/tiller-was-unpickled").unlink(missing_ok=True)
    with pytest.raises(InputError, match="an npz of plain arrays"):
        read_log(tmp_path / "log")
    assert not Path("/tmp/tiller-was-unpickled").exists()
