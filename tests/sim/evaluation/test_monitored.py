"""Evaluations under a monitor: alarms in the records, episodes that are held, and nothing else that changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.monitor import Monitor
from robot.monitoring.scores import Disagreement
from sim.evaluation.rollout import evaluate_policy
from sim.statistics.monitored import Alarm, Alarms, Monitored
from sim.statistics.records import read_evaluation
from tests.sim.linear_policy import BlockSeeker

TASK = "pusht/state"
ASK: dict[str, Any] = {"episodes": 6, "seed": 100_000, "batch": 4, "options": {"max_steps": 40}}


def monitor(quantile: float, rows: int = 8) -> Monitor:
    band = Band(np.zeros((1, 1)), np.ones((1, 1)), quantile, 0.1, 30)
    return Monitor((Disagreement(np.array([20.0, 20.0])),), band, None, rows, about={"scores": ["disagreement"]})


def without_monitor(record: Any) -> tuple[Any, ...]:
    return tuple(value for key, value in vars(record).items() if key not in ("latency", "monitor"))


def test_a_monitor_that_records_changes_nothing_but_what_it_says(tmp_path: Path) -> None:
    plain = evaluate_policy(BlockSeeker(), TASK, **ASK, output=tmp_path / "plain")
    watched = evaluate_policy(BlockSeeker(), TASK, **ASK, monitor=monitor(1.4), output=tmp_path / "watched")
    assert list(map(without_monitor, plain.records)) == list(map(without_monitor, watched.records))
    assert plain.summary is not None and plain.summary.alarms is None
    written = json.loads((tmp_path / "plain" / "evaluation.json").read_text())
    for part in (written, written["summary"], *written["records"]):
        assert not {"monitor", "alarms"} & set(part), "as it was written before there were monitors"
    for record in watched.records:
        assert record.monitor is not None and not record.monitor.held
        curve = record.monitor.scores["disagreement"]
        assert len(curve) == -(-record.length // 8) and curve[0] == 0
        above = [number for number, score in enumerate(curve) if score > 1.4]
        alarm = record.monitor.alarm
        assert (alarm is None) == (not above)
        if alarm is not None:
            assert (alarm.decision, alarm.step, alarm.score) == (above[0], 8 * above[0], curve[above[0]])
            assert alarm.threshold == pytest.approx(1.4) and "disagreement" in alarm.reason
    assert {record.monitor.alarm is None for record in watched.records if record.monitor} == {True, False}
    again = read_evaluation(tmp_path / "watched")
    assert again == watched and again.monitor == {"scores": ["disagreement"], "action": "record"}
    assert json.loads((tmp_path / "watched" / "evaluation.json").read_text())["summary"]["alarms"]["held"] == 0


def test_records_under_a_monitor_do_not_depend_on_the_workers() -> None:
    one, two = (
        evaluate_policy(BlockSeeker(), TASK, **ASK, workers=workers, monitor=monitor(1.4), hold=True)
        for workers in (1, 2)
    )
    assert [record.result for record in one.records] == [record.result for record in two.records]


def test_an_alarm_ends_an_episode_that_is_held(tmp_path: Path) -> None:
    free = evaluate_policy(BlockSeeker(), TASK, **ASK, monitor=monitor(1.4))
    held = evaluate_policy(
        BlockSeeker(), TASK, **ASK, monitor=monitor(1.4), hold=True, output=tmp_path / "held", video_episodes=range(6)
    )
    for one, other in zip(free.records, held.records):
        assert one.monitor is not None and other.monitor is not None
        assert other.monitor.alarm == one.monitor.alarm
        if one.monitor.alarm is None:
            assert without_monitor(one)[:8] == without_monitor(other)[:8] and not other.monitor.held
        else:
            assert other.monitor.held and other.truncated and not other.success
            assert other.length == one.monitor.alarm.step
            assert len(other.monitor.scores["disagreement"]) == one.monitor.alarm.decision + 1
        assert other.video is not None and (tmp_path / "held" / other.video).stat().st_size > 1000
    assert held.summary is not None and held.summary.alarms is not None
    stopped = [record for record in held.records if record.monitor and record.monitor.held]
    assert held.summary.alarms.held == len(stopped) > 0
    assert read_evaluation(tmp_path / "held") == held


def test_an_alarm_at_the_first_decision_leaves_an_episode_without_a_step(tmp_path: Path) -> None:
    held = evaluate_policy(BlockSeeker(), TASK, **ASK, monitor=monitor(-1.0), hold=True, output=tmp_path)
    assert {(record.length, record.score, record.success) for record in held.records} == {(0, 0.0, False)}
    assert read_evaluation(tmp_path) == held


def test_a_monitor_of_other_rows_and_a_hold_without_a_monitor_are_refused() -> None:
    with pytest.raises(InputError, match="4 rows executed per plan"):
        evaluate_policy(BlockSeeker(), TASK, **ASK, monitor=monitor(1.0, rows=4))
    with pytest.raises(InputError, match="a monitor, whose alarms hold"):
        evaluate_policy(BlockSeeker(), TASK, **ASK, hold=True)


def test_alarms_are_counted_by_how_the_episode_ended() -> None:
    class Episode:
        def __init__(self, success: bool, step: int | None, held: bool = False) -> None:
            self.success, self.length = success, 100
            alarm = None if step is None else Alarm(0, step, "x", 1.0, 0.0, "")
            self.monitor = Monitored({}, alarm, held)

    episodes = [
        Episode(True, None), Episode(True, 5), Episode(False, 59), Episode(False, 60), Episode(False, None),
        Episode(False, 10, held=True),
    ]  # fmt: skip
    alarms = Alarms.of(episodes)
    assert alarms == Alarms(2, 1, 3, 2, 1, 1)
    assert "false alarms in 1 of 2 successes; 2 of 3 failures noticed, 1 before" in alarms.sentence
    assert "1 episodes held" in alarms.sentence
