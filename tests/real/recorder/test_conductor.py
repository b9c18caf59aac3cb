"""Takes of a session: why one may not begin, why one ends, and what is left of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import real.recorder.storage as storage
from data.store.dataset import Dataset
from data.store.images.pixels import decoded
from data.store.names import Actor, Quality
from real.recorder.facts import About
from real.recorder.session import FAILURE, SUCCESS, Session, State
from real.ros.reading import EpisodeNotice
from robot.contract.loading import hashes
from robot.errors import InputError, TillerError
from tests.real.recorder.contracts import as_jpeg, compressed, joints, picture
from tests.real.recorder.session_bench import SINCE_1970_NS, START_NS, TICK_S, Bench, seen

pytestmark = pytest.mark.together

PERIOD_NS = 50_000_000


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: what is tested is no disk, and a busy one takes seconds for each save."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    made = Bench(folder)
    yield made
    made.close()


def test_a_take_from_start_to_the_disk(bench: Bench) -> None:
    bench.record(1.5)
    bench.conductor.label(True)
    bench.save()
    states = [state for state in bench.states if state is not State.WAITING]
    assert states[:4] == [State.READY, State.RECORDING, State.RECORDING, State.SAVING]  # twice: a label is a change
    bench.until_ready()
    dataset = bench.dataset()
    episode = dataset.episode(0)
    assert 27 <= len(episode) <= 30 and dataset.attributes["contract"]["semantic_hash"]
    np.testing.assert_array_equal(np.diff(episode.data["time_ns"]), PERIOD_NS)
    assert episode.data["front.image"].shape == (len(episode), 24, 32, 3)
    ticks = (episode.data["time_ns"] + PERIOD_NS - START_NS) / 5e6  # an action is where the commands are at the end
    np.testing.assert_allclose(episode.data["action"][:, 0], ticks * 1e-3, atol=1e-6)
    assert (episode.data["actor"] == Actor.PERSON).all() and not episode.data["quality"].any()
    assert (episode.data["reward"][-1], episode.data["terminated"][-1], episode.data["truncated"][-1]) == (1, 1, 0)
    facts = episode.meta
    assert (facts["success"], facts["operator"], facts["seed"], facts["started_ns"]) == (True, "ada", 0, SINCE_1970_NS)
    assert facts["instruction"] == "lift the cube" and facts["drops"] == 0 and facts["verdict"].startswith("saved, ")
    details = json.loads(facts["recording"])
    assert details["contract"] == hashes(bench.contract) and details["streams"]["front"]["rate_hz"] == 20.0
    rates = {name: len(stamps) / 1.5 for name, (_, stamps) in episode.streams.items()}
    assert 190 < rates["command"] < 205 and 190 < rates["arm"] < 205 and 36 < rates["pose"] < 42
    assert bench.episodes.wanted == [1]
    assert bench.episodes.ended == [(True, True, False, len(episode), int(episode.data["time_ns"][-1]) + PERIOD_NS)]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_together_is_recorded_as_what_is_read_one_by_one(folder: Path, seed: int) -> None:
    """A stream is silent, a take pauses, numbers are none or too large: rows and samples are the same."""
    recorded = []
    for together in (False, True):
        one, draw = Bench(folder / str(together), together=together), np.random.default_rng(seed)
        one.until_ready()
        one.run((200 - one.tick % 200) * TICK_S)
        assert isinstance(one.start(), Session)
        began = one.tick
        for harm in draw.permutation(["silent", "silent", "silent", "pause", "pause", "nan", "huge"]):
            one.run(TICK_S * int(draw.integers(20, 80)))
            spell_s = TICK_S * int(draw.integers(2, 60))
            if harm == "silent":
                one.muted = {"arm"}
                one.run(spell_s)
                one.muted = set()
            elif harm == "pause":
                one.pause(True)
                one.run(spell_s)
                one.pause(False)
            else:
                value = np.nan if harm == "nan" else 1e39
                one.stream["arm"] = lambda stamp, value=value: joints(stamp, "arm", value)
                one.run(spell_s)
                del one.stream["arm"]
        one.run(0.5)
        assert any("not finite" in str(each) for each in one.refused) and any("1e+39" in str(e) for e in one.refused)
        one.save()
        episode = one.dataset().episode(0)
        one.close()
        values, stamps = episode.streams["arm"]
        times, moved = episode.data["time_ns"] - START_NS - began * 5_000_000, began * 1e-3
        recorded.append(
            {
                "times": times,
                "quality": episode.data["quality"],
                "arm": episode.data["arm.joints"][:, 0].astype(np.float64) - moved,
                "stamps": stamps - START_NS - began * 5_000_000,
                "samples": values[:, 0] - moved,
            }
        )
    alone, many = recorded
    assert len(alone["times"]) > 30 and len(alone["stamps"]) > 150
    for name, values in alone.items():
        np.testing.assert_allclose(many[name], values, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.parametrize(
    "harm, reason",
    [
        (lambda bench: bench.muted.add("front"), "front on 'front' is silent since the start"),
        (lambda bench: bench.muted.add("gate"), "the gate sends nothing"),
        (lambda bench: bench.conductor.gate_said("fault tracking"), "the gate is in fault tracking"),
        (lambda bench: setattr(bench, "obstacle", "there are two recorders"), "there are two recorders"),
        (lambda bench: setattr(bench.episodes, "reason", "the twin is being reset"), "the twin is being reset"),
        (lambda bench: setattr(bench, "delay_ns", -3_000_000_000), "arm on 'joint_states' is stamped 3.0 s in the"),
        (lambda bench: setattr(bench, "delay_ns", 3_000_000_000), "arm on 'joint_states' is stamped 3.0 s in the past"),
        (lambda bench: bench.stream.update(front=lambda stamp: as_jpeg(picture(1), stamp)), "frozen: the same picture"),
        (lambda bench: bench.stream.update(front=lambda stamp: compressed(b"no", stamp)), "a JPEG or a PNG"),
        (lambda bench: bench.stream.update(front=lambda stamp: b"\x00\x01bytes"), "front on 'front' is"),
        (lambda bench: bench.outcome(terminated=1.0), "episode is over: reset it"),
    ],
)
def test_a_take_must_not_begin(bench: Bench, harm: Callable[[Bench], Any], reason: str) -> None:
    harm(bench)
    bench.run(2.5, until=lambda: reason in bench.session.reason)
    assert bench.session.state is State.WAITING and reason in bench.session.reason
    answer = bench.start()
    assert isinstance(answer, str) and answer.startswith("cannot start: the recorder is not ready") and reason in answer
    assert bench.conductor.rows == 0


def test_a_disk_that_is_nearly_full_keeps_a_take_from_beginning_until_there_is_space(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "disk_minutes", lambda folder, rate: 2.0)
    bench.run(1.0)
    assert bench.session.reason == "2.0 minutes of disk are left, 10 are needed" and not bench.store.exists()
    monkeypatch.undo()
    bench.until_ready()
    monkeypatch.setattr(storage, "disk_minutes", lambda folder, rate: 2.0)
    assert "2.0 minutes" in str(bench.start())


def test_there_is_no_take_in_no_time(bench: Bench) -> None:
    bench.until_ready()
    assert "no time yet" in str(bench.conductor.start(0, bench.now_s, SINCE_1970_NS))
    assert bench.session.state is State.READY


def test_what_was_well_a_moment_ago_is_looked_at_again_when_a_take_begins(bench: Bench) -> None:
    bench.until_ready()
    bench.conductor.gate_said("fault person")
    assert "the gate is in fault person" in str(bench.start()) and bench.session.state is State.WAITING


@pytest.mark.parametrize(
    "harm, reason",
    [
        (lambda bench: bench.muted.add("front"), "front is silent for 1."),
        (lambda bench: bench.muted.add("pose"), "pose is silent for 0."),
        (lambda bench: bench.muted.add("gate"), "the gate sends nothing"),
        (lambda bench: bench.conductor.gate_said("fault force"), "the gate is in fault force"),
        (lambda bench: bench.episodes.again(7), "the twin has begun another episode"),
        (lambda bench: bench.stream.update(front=lambda stamp: as_jpeg(picture(1), stamp)), "front is frozen"),
        (lambda bench: bench.stream.update(front=lambda stamp: as_jpeg(picture(bench.tick, 48, 64), stamp)), "64 x 48"),
        (lambda bench: setattr(bench, "delay_ns", -400_000_000), "arm is refused: stamped 0.4 s in the future"),
        (lambda bench: setattr(bench, "jump_ns", -5_000_000_000), "its stamps went back by"),
        (lambda bench: bench.outcome(terminated=1.0), "the task has ended without success"),
    ],
)
def test_a_take_must_end_and_a_person_may_still_keep_it(
    bench: Bench, harm: Callable[[Bench], Any], reason: str
) -> None:
    bench.record(0.5)
    harm(bench)
    bench.run(4.0, until=lambda: bench.session.state is State.ENDED)
    assert bench.session.state is State.ENDED and reason in bench.session.reason
    bench.run(0.3)  # in which the last row gets its command
    rows = bench.conductor.rows
    bench.run(0.3)
    assert bench.conductor.rows == rows and 8 < rows < 60
    assert not isinstance(bench.conductor.save(bench.now_s), str)


def test_the_outcome_of_the_task_ends_and_labels_a_take_and_a_persons_label_stands(bench: Bench) -> None:
    bench.record(0.5)
    bench.outcome(success=1.0, terminated=1.0)
    assert (bench.session.state, bench.session.reason, bench.session.label) == (
        State.ENDED,
        "the task is done",
        SUCCESS,
    )
    bench.save()
    bench.record(0.5)
    bench.conductor.label(False)
    bench.outcome(success=1.0, terminated=1.0)
    assert bench.session.label == FAILURE
    bench.save()
    dataset = bench.dataset()
    assert dataset.meta("success").tolist() == [True, False] and dataset.meta("seed").tolist() == [0, 1]
    ends = [(episode.data["reward"][-1], episode.data["terminated"][-1]) for episode in map(dataset.episode, range(2))]
    assert ends == [(1, True), (0, True)]


@pytest.mark.parametrize("time_limit", [False, True])
def test_the_time_limit_of_a_task_cuts_a_take_off_only_where_it_counts(folder: Path, time_limit: bool) -> None:
    bench = Bench(folder, time_limit=time_limit)
    bench.record(0.5)
    bench.outcome(truncated=1.0)
    assert bench.session.state is (State.ENDED if time_limit else State.RECORDING)
    assert bench.session.reason == ("the time is up" if time_limit else "")
    bench.save()
    episode = bench.dataset().episode(0)
    assert (
        episode.data["truncated"].sum() == 1 and episode.data["truncated"][-1] and not episode.data["terminated"].any()
    )
    bench.close()


def test_an_outcome_of_before_the_take_does_not_end_it(bench: Bench) -> None:
    bench.record(0.2)
    late = {"success": 1.0, "score": 1.0, "terminated": 1.0, "truncated": 0.0, "steps": 9.0}
    bench.conductor.outcome(late, bench.now_ns - 1_000_000_000, bench.now_s)
    assert bench.session.state is State.RECORDING


def test_a_discarded_take_leaves_nothing_and_its_frames_are_in_no_later_one(bench: Bench) -> None:
    bench.record(0.6)
    discarded_ns = bench.now_ns
    assert not isinstance(bench.conductor.discard(), str)
    assert bench.session.state is State.WAITING and bench.conductor.totals.discarded == 1
    assert bench.lines[-1].startswith("discarded, ") and bench.episodes.wanted == [0]
    bench.record(0.6)
    bench.save()
    dataset = bench.dataset()
    episode = dataset.episode(0)
    assert len(dataset) == 1 and episode.data["time_ns"][0] >= discarded_ns
    assert all(stamps[0] >= discarded_ns for _, stamps in episode.streams.values())
    first = round((int(episode.data["time_ns"][0]) - START_NS) / 5e6)
    image = episode.data["front.image"][0]
    assert any(np.array_equal(image, decoded(seen(tick))) for tick in range(first - 10, first + 11))


def test_a_pause_leaves_out_what_comes_and_marks_the_gap(bench: Bench) -> None:
    bench.record(0.5)
    assert not isinstance(bench.conductor.pause(True, bench.now_s), str)
    paused_ns = bench.now_ns
    bench.run(3.0)
    assert bench.session.state is State.PAUSED
    bench.conductor.pause(False, bench.now_s)
    resumed_ns = bench.now_ns
    bench.run(0.5)
    bench.save()
    episode = bench.dataset().episode(0)
    stamps = episode.data["time_ns"]
    assert not ((stamps > paused_ns) & (stamps < resumed_ns)).any()
    gaps = np.flatnonzero(episode.data["quality"] & Quality.GAP)
    assert gaps.tolist() == [int(np.argmax(stamps >= resumed_ns))] and len(episode) >= 17
    command = episode.streams["command"][1]
    assert not ((command > paused_ns) & (command <= resumed_ns)).any()


def test_a_take_is_saved_while_it_is_paused(bench: Bench) -> None:
    bench.record(0.5)
    bench.conductor.pause(True, bench.now_s)
    bench.run(0.5)
    bench.save()
    assert 8 <= len(bench.dataset().episode(0)) <= 10


def test_a_stream_that_falls_silent_ends_a_take_that_is_paused(bench: Bench) -> None:
    bench.record(0.3)
    bench.conductor.pause(True, bench.now_s)
    bench.muted.add("arm")
    bench.run(1.0)
    assert bench.session.state is State.ENDED and "arm is silent" in bench.session.reason


def test_facts_are_those_of_the_beginning_whatever_comes_later(bench: Bench) -> None:
    bench.conductor.task_came("lift the red cube")
    bench.record(0.4)
    bench.conductor.task_came("push the green one")
    bench.conductor.stop(bench.now_s)
    bench.episodes.again(9)
    bench.run(0.3)
    bench.save()
    assert bench.dataset().meta("instruction").tolist() == ["lift the red cube"]
    assert bench.dataset().meta("seed").tolist() == [0] and bench.episodes.wanted == [1]


def test_a_writer_that_fails_in_the_middle_loses_the_take_until_a_person_has_seen_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.record(0.5)
    bench.save()
    bench.record(0.3)
    writer = bench.storage.writer
    assert writer is not None
    writer.add({"x": np.zeros((1, 2))})
    bench.until(lambda: bench.session.state is State.FAILED)
    assert "'x'" in bench.session.reason and "not saved" in bench.conductor.totals.verdict
    for answer in (bench.start(), bench.conductor.save(bench.now_s), bench.conductor.stop(bench.now_s)):
        assert isinstance(answer, str) and "has lost the take, which a discard confirms" in answer
    bench.run(1.0)
    assert bench.session.state is State.FAILED and bench.conductor.totals.discarded == 1
    assert not isinstance(bench.conductor.discard(), str)
    bench.record(0.4)
    bench.save()
    assert len(bench.dataset()) == 2 and bench.conductor.totals.discarded == 1


def test_rows_that_cannot_be_made_lose_the_take_aloud(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.record(0.3)
    take = bench.conductor._take
    assert take is not None
    monkeypatch.setattr(take._assembler, "complete", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.run(0.2)
    assert bench.session.state is State.FAILED and "ZeroDivisionError" in bench.session.reason


def test_a_take_in_which_no_row_comes_ends_and_says_what_is_wanting(bench: Bench) -> None:
    bench.until_ready()
    bench.start()
    take = bench.conductor._take
    assert take is not None
    for past in take._observer._alignment._pasts.values():
        past.append(bench.now_ns + 60_000_000_000, {})  # a stream that has nothing newer
    bench.run(2.5, until=lambda: bench.session.state is State.ENDED)
    assert bench.session.state is State.ENDED and bench.session.reason.startswith("there is no row for 2.0 s, for want")


def test_a_take_without_rows_is_not_saved_and_not_an_error(bench: Bench) -> None:
    bench.until_ready()
    bench.start()
    bench.conductor.save(bench.now_s)
    bench.until_ready()
    assert bench.conductor.totals.verdict.startswith("not saved: there is no row in it")
    assert len(bench.dataset()) == 0 and bench.episodes.wanted == [0] and not bench.episodes.ended


@pytest.mark.parametrize("end", ["save", "outcome", "label", "stop", "none"])
def test_at_the_end_of_the_process_what_has_its_verdict_is_saved(bench: Bench, end: str) -> None:
    bench.record(0.5)
    {
        "save": lambda: bench.conductor.save(bench.now_s),
        "outcome": lambda: bench.outcome(success=1.0, terminated=1.0),
        "label": lambda: bench.conductor.label(False),
        "stop": lambda: bench.conductor.stop(bench.now_s),
        "none": lambda: None,
    }[end]()
    bench.close()
    assert len(bench.dataset()) == (end in ("save", "outcome", "label"))
    if end in ("stop", "none"):
        assert bench.lines[-1] == "the open take of 0 s was not saved"
    with Dataset.open(bench.store, mode="a"):
        pass


def test_a_session_goes_on_behind_the_seeds_of_the_store_and_a_store_of_another_robot_is_refused(
    folder: Path,
) -> None:
    first = Bench(folder, seed=4)
    first.record(0.3)
    first.save()
    first.close()
    second = Bench(folder)
    second.record(0.3)
    assert second.episodes.wanted == [5] and second.storage.before == 1
    second.save()
    second.close()
    assert second.dataset().meta("seed").tolist() == [4, 5]
    third = Bench(folder)
    third.stream["front"] = lambda stamp: as_jpeg(picture(third.tick, 48, 64), stamp)
    with pytest.raises(InputError, match=r"column front\.image"):
        third.until_ready()


def test_a_store_that_cannot_be_opened_ends_the_session_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no such device")

    monkeypatch.setattr(storage, "open_recording", fails)
    bench = Bench(folder)
    with pytest.raises(TillerError, match="cannot be opened: RuntimeError: no such device"):
        bench.until_ready()


def test_a_twin_of_another_task_is_named(bench: Bench) -> None:
    bench.until_ready()
    bench.episodes.notice = EpisodeNotice(2, 0, "twin/push", "push")
    bench.run(0.3)
    assert "another task, 'twin/push'" in bench.session.reason and bench.session.state is State.WAITING


def test_commands_of_another_clock_are_named_and_spoil_nothing(bench: Bench) -> None:
    bench.record(0.3)
    away = bench.now_ns + 3_000_000_000
    target = np.zeros(bench.spec.dim)
    refused = bench.conductor.sent(away, target, target, "person", bench.now_ns, bench.now_s)
    assert refused is not None and "+3.0 s from now" in refused.reason
    bench.run(0.3)
    bench.save()
    assert not bench.dataset().episode(0).data["quality"].any()


def test_the_instruction_noted_is_the_one_that_the_policy_is_told(folder: Path) -> None:
    bench = Bench(folder, about=About(instruction="stack"))
    assert bench.conductor.instruction == "stack"
    bench.conductor.task_came("lift")
    assert bench.conductor.instruction == "lift", "the last word is policy/task's, as for the policy"
    bench.conductor.task_came("")
    notice = bench.conductor.episodes.notice
    assert bench.conductor.instruction == (notice.instruction if notice is not None else "")
