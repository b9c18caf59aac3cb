"""The gate's lifecycle over its services: active it alone commands, in every other state nothing comes from it."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from lifecycle_msgs.msg import Transition

from tests.real.own_gate import OwnGate, own_gate

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
SHUTDOWN = {
    "unconfigured": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "inactive": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "active": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}
GOALS = {
    ("unconfigured", CONFIGURE): "inactive",
    ("inactive", CLEANUP): "unconfigured",
    ("inactive", ACTIVATE): "active",
    ("active", DEACTIVATE): "inactive",
    **{(state, transition): "finalized" for state, transition in SHUTDOWN.items()},
}
QUIET_S = 0.25
PATHS = {"unconfigured": (DEACTIVATE, CLEANUP), "inactive": (DEACTIVATE,), "active": ()}


@pytest.fixture
def gate(ros_environment: dict[str, str], tmp_path: Path) -> Iterator[OwnGate]:
    with own_gate(tmp_path) as found:
        found.run()
        yield found


def require_silence(gate: OwnGate) -> None:
    """Nobody is on the command topics, nothing more is said there, and people's requests are refused."""
    robot, begun_s = gate.robot, time.monotonic()
    gate.until(lambda: not any(robot.publishers.values()), "nobody on the command topics", within_s=5.0)
    gate.spin(QUIET_S)
    # A message may still have been on its way when the answer came.
    late = [name for moment_s, name in robot.commands if moment_s > begun_s + 0.1]
    assert not late and not any(robot.publishers.values())
    assert not [topic for moment_s, topic in robot.told if moment_s > begun_s + 0.1 and topic == "gate/sent"]
    state = gate.state()
    for answer in (gate.enable(True), gate.enable(False), gate.trigger("reset"), gate.trigger("dump")):
        assert not answer.success and "not active" in answer.message and state in answer.message
    gate.spin(QUIET_S / 2)
    assert not [name for moment_s, name in robot.commands if moment_s > begun_s + 0.1]


def require_commands(gate: OwnGate) -> None:
    """The gate follows the policy, and is alone on each command topic."""
    gate.until(lambda: set(gate.robot.publishers.values()) == {1}, "the gate on every command topic")
    begun = len(gate.robot.commands)
    gate.until(lambda: gate.enable(True).success, "enable")
    gate.until(lambda: len(gate.robot.commands) > begun + 3, "commands")


@pytest.mark.parametrize("transition", [CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE, *SHUTDOWN.values()])
@pytest.mark.parametrize("start", [*PATHS, "finalized"])
def test_only_an_active_gate_commands(gate: OwnGate, start: str, transition: int) -> None:
    for each in PATHS.get(start, (SHUTDOWN["active"],)):
        assert gate.change(each)
    assert gate.state() == start
    wanted = GOALS.get((start, transition))
    assert gate.change(transition) == (wanted is not None)
    assert gate.state() == (wanted or start)
    if gate.state() == "active":
        require_commands(gate)
    else:
        require_silence(gate)


def test_a_gate_that_is_shut_down_says_nothing_more_and_keeps_nothing_of_what_comes(gate: OwnGate) -> None:
    assert gate.change(SHUTDOWN["active"])
    gate.spin(0.1)
    told, pages = len(gate.robot.told), gate.robot.pages
    gate.spin(1.5)
    assert len(gate.robot.told) == told and gate.robot.pages == pages
    assert len(gate.gate._gate_subscriptions._chunks) <= 2


@pytest.mark.parametrize("name", ["deactivate", "cleanup", "shutdown"])
def test_an_exception_in_a_transition_leaves_the_command_topics(gate: OwnGate, name: str, monkeypatch, capfd) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a bug in a tick")

    if name == "cleanup":
        assert gate.change(DEACTIVATE)
    monkeypatch.setattr(gate.gate, "_tick", broken)
    getattr(gate.gate, f"trigger_{name}")()
    monkeypatch.undo()
    assert gate.state() == "unconfigured"
    assert f"on_{name}: ValueError: a bug in a tick" in capfd.readouterr().err
    require_silence(gate)
    assert gate.change(CONFIGURE) and gate.change(ACTIVATE)  # a person may begin anew
    require_commands(gate)


def test_a_topic_that_cannot_be_opened_leaves_none_open(gate: OwnGate, monkeypatch, capfd) -> None:
    assert gate.change(DEACTIVATE)
    create, made = gate.gate.create_publisher, []

    def second_fails(*words: object, **options: object) -> object:
        if made:
            raise ValueError("the second topic cannot be opened")
        made.append(create(*words, **options))
        return made[-1]

    monkeypatch.setattr(gate.gate, "create_publisher", second_fails)
    assert not gate.change(ACTIVATE)
    monkeypatch.undo()
    assert made and gate.state() == "unconfigured"
    assert "on_activate: ValueError: the second topic cannot be opened" in capfd.readouterr().err
    require_silence(gate)


@pytest.mark.parametrize("executor", ["events", "single"])
def test_a_record_is_on_the_disk_when_it_is_answered_and_a_tick_does_not_wait(
    ros_environment: dict[str, str], tmp_path: Path, monkeypatch, executor: str
) -> None:
    from real.gate import records
    from robot.safety.gate.flight_record import read_record

    write = records.write_record

    def slow(*words: object) -> Path:
        time.sleep(1.0)  # a disk that takes its time
        return write(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "write_record", slow)
    monkeypatch.setenv("TILLER_EXECUTOR", executor)
    with own_gate(tmp_path) as gate:
        gate.run()
        begun_s, before = time.monotonic(), len(gate.robot.commands)
        answer = gate.trigger("dump")
        assert time.monotonic() - begun_s >= 1.0
        assert answer.success and not read_record(answer.message).damage
        moments = [moment_s for moment_s, name in gate.robot.commands[before:] if name == "arm"]
        assert max(later - earlier for earlier, later in pairwise(moments)) < 0.5
        gate.until(lambda: gate.robot.status.get("record") == answer.message, "the record in the status")


def test_what_cannot_be_written_is_answered_and_told(ros_environment: dict[str, str], tmp_path: Path, capfd) -> None:
    (tmp_path / "flight").write_text("a file where the folder should be")
    with own_gate(tmp_path) as gate:
        gate.run()
        answer = gate.trigger("dump")
        assert not answer.success and "not written" in answer.message and str(tmp_path / "flight") in answer.message
        capfd.readouterr()
        gate.gate._dump("a fault")
        gate.until(lambda: "not written" in capfd.readouterr().err, "the reason in the log")
        gate.until(lambda: "not written" in gate.robot.status.get("record", ""), "the reason in the status")


def test_a_crowd_of_requests_makes_one_writer_and_few_records(gate: OwnGate, tmp_path: Path, monkeypatch) -> None:
    from real.gate import records

    write, at_work, most = records.write_record, [0], [0]

    def counted(*words: object) -> Path:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.3)
        at_work[0] -= 1
        return write(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "write_record", counted)
    outcomes: list[object] = []
    for number in range(30):
        gate.gate._records.request(
            gate.gate._recorder.ticks(), f"fault {number}", lambda path, problem: outcomes.append((path, problem))
        )
    gate.until(lambda: len(outcomes) == 30, "all are told")
    assert most == [1] and len(set(outcomes)) == 2
    assert {path for path, problem in outcomes if not problem} == set((tmp_path / "flight").iterdir())  # type: ignore[misc]


STEPS = st.lists(
    st.sampled_from([CONFIGURE, CLEANUP, ACTIVATE, ACTIVATE, DEACTIVATE, *SHUTDOWN.values()]), min_size=2, max_size=6
)


@given(steps=STEPS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_after_any_sequence_of_transitions_only_an_active_gate_commands(
    ros_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    with own_gate(tmp_path_factory.mktemp("gate")) as gate:
        state = "active"
        for transition in steps:
            wanted = GOALS.get((state, transition))
            assert gate.change(transition) == (wanted is not None)
            state = wanted or state
            assert gate.state() == state
            if state == "active":
                require_commands(gate)
            else:
                require_silence(gate)
