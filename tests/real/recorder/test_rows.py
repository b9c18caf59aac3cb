"""Rows of a take: each observation with what was sent for its interval, who decided, and what was planned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.store.images.encoding import PNG, Encoding, encode_png
from data.store.names import Actor, Quality
from data.store.schema import Schema
from real.recorder.rows import COLUMNS, KEPT_NS, PATIENCE_NS, RowAssembler, wish_column
from robot.control.observation.observer import ObservedRow
from robot.control.trajectory import Trajectory
from robot.description import ActionChunk, ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.safety.gate.inputs import ChunkSample

pytestmark = pytest.mark.together

MS = 1_000_000
PERIOD, TICK = 50 * MS, 5 * MS
START = 1_700_000_000_000_000_000
ACTION = ActionSpec((ActionField("x", 2, "m", "joint"),), 0.05)
UNIT = "m m"


def schema(*fields: ObservationField, **encodings: Encoding) -> Schema:
    seen = ObservationSpec((ObservationField("x", (2,), "float32", "m", "state"), *fields))
    return Schema(seen, ACTION, 0.05, columns=(*COLUMNS, wish_column(2, UNIT)), encodings=encodings)


def row(stamp_ns: int, quality: int = 0, **values: Any) -> ObservedRow:
    return ObservedRow({"x": np.full(2, (stamp_ns - START) * 1e-9), **values}, stamp_ns, quality)


def send(rows: RowAssembler, time_ns: int, command: np.ndarray, reason: str = "person", cut: float = 0.0) -> None:
    rows.sent(time_ns, command + cut, command, reason)


def joined(parts: list[dict[str, Any] | None]) -> dict[str, np.ndarray]:
    there = [part for part in parts if part is not None]
    return {name: np.concatenate([part[name] for part in there]) for name in there[0]}


def finish(rows: RowAssembler, success: bool = True) -> dict[str, Any] | None:
    return rows.finish(success=success, terminated=success, truncated=not success)


def chunk(values: np.ndarray, start_ns: int = START, **changes: Any) -> ChunkSample:
    facts = {"names": ACTION.component_names, "period_s": 0.05, "chunk_id": 1, "received_ns": 0, **changes}
    return ChunkSample(values=values, start_ns=start_ns, **facts)


def test_the_action_of_each_row_is_the_row_of_the_chunk_that_the_gate_followed_at_200_hz() -> None:
    values = np.random.default_rng(1).normal(size=(20, 2))
    followed = Trajectory.hold(ACTION, np.zeros(2), START).spliced(ActionChunk(values, START, 0.05, 1, ACTION), START)
    rows, parts = RowAssembler(schema()), []
    for tick in range(1, 20 * 10 + 1):
        if tick % 10 == 1:
            rows.observe(row(START + (tick - 1) * TICK))
        send(rows, START + tick * TICK, followed.at(START + tick * TICK), "policy")
        if tick % 7 == 0:
            parts.append(rows.complete())
    data = joined([*parts, finish(rows)])
    np.testing.assert_array_equal(data["time_ns"], START + PERIOD * np.arange(20))
    np.testing.assert_allclose(data["action"], values, atol=1e-6)
    np.testing.assert_allclose(data["x"][:, 0], 0.05 * np.arange(20), atol=1e-6)
    assert (data["actor"] == Actor.POLICY).all() and not data["quality"].any()
    assert rows.rows == 20 and rows.end_ns == START + 20 * PERIOD


def test_the_last_row_is_kept_back_and_alone_has_the_end_of_the_episode() -> None:
    rows = RowAssembler(schema())
    for number in range(3):
        rows.observe(row(START + number * PERIOD))
    for tick in range(1, 31):
        send(rows, START + tick * TICK, np.zeros(2))
    head = rows.complete()
    assert head is not None and len(head["action"]) == 2 and rows.complete() is None
    last = finish(rows)
    assert last is not None and last["time_ns"].tolist() == [START + 2 * PERIOD]
    assert (last["reward"].tolist(), last["terminated"].tolist(), last["truncated"].tolist()) == ([1], [True], [False])
    assert not head["reward"].any() and not head["terminated"].any()
    assert finish(rows) is None


def test_a_take_without_a_row_or_without_a_command_has_none() -> None:
    assert finish(RowAssembler(schema())) is None
    silent = RowAssembler(schema())
    silent.observe(row(START))
    assert finish(silent) is None and silent.rows == 0


def test_actor_limit_and_quality_are_those_of_each_interval() -> None:
    rows = RowAssembler(schema())
    decided = [("person", 0.0), ("taken", 0.0), ("policy", 0.1), ("not_held", 0.0), ("no such reason", 0.0)]
    for number, (reason, cut) in enumerate(decided):
        rows.observe(row(START + number * PERIOD, quality=int(Quality.STALE) if number == 1 else 0))
        for tick in range(1, 11):
            send(rows, START + number * PERIOD + tick * TICK, np.full(2, float(number)), reason, cut)
    data = finish(rows)
    assert data is not None
    assert data["actor"].tolist() == [Actor.PERSON, Actor.PERSON, Actor.POLICY, Actor.HOLD, Actor.HOLD]
    assert data["quality"].tolist() == [0, Quality.STALE, Quality.LIMITED, 0, 0]
    assert not data["intervention"].any() and rows.idle == 0


def test_a_person_beside_a_plan_intervenes_and_the_plan_is_kept_as_the_wish() -> None:
    rows, plan = RowAssembler(schema()), np.arange(8.0).reshape(4, 2)
    rows.planned(chunk(plan, START + PERIOD))
    for number in range(6):
        rows.observe(row(START + number * PERIOD))
        for tick in range(1, 11):
            reason = "policy" if number == 4 else "person"
            send(rows, START + number * PERIOD + tick * TICK, np.full(2, -1.0), reason)
    data = finish(rows)
    assert data is not None
    assert data["planned"].tolist() == [False, True, True, True, True, False]
    assert data["intervention"].tolist() == [False, True, True, True, False, False]
    np.testing.assert_array_equal(data["wish"][1:5], plan)
    np.testing.assert_array_equal(data["wish"][[0, 5]], data["action"][[0, 5]])


def test_of_two_plans_the_newer_counts_and_one_that_no_gate_would_follow_does_not() -> None:
    rows = RowAssembler(schema())
    rows.planned(chunk(np.zeros((4, 2))))
    rows.planned(chunk(np.ones((4, 2)), START + PERIOD))
    refused = (
        chunk(np.full((4, 2), np.nan)),
        chunk(np.full((4, 2), 1e39)),
        chunk(np.full((4, 3), 2.0)),
        chunk(np.full((4, 2), 2.0), names=("b", "a")),
        chunk(np.full((4, 2), 2.0), period_s=0.1),
        chunk(np.full((4, 2), 2.0), period_s=float("nan")),
        chunk(np.full((4, 2), 2.0), fault="bytes"),
        chunk(np.empty((0, 2))),
    )
    for each in refused:
        rows.planned(each)
    for number in range(3):
        rows.observe(row(START + number * PERIOD))
        send(rows, START + (number + 1) * PERIOD, np.full(2, 9.0))
    data = finish(rows)
    assert data is not None and data["wish"][:, 0].tolist() == [0.0, 1.0, 1.0]


def test_a_row_whose_command_never_comes_has_the_last_one_and_is_marked() -> None:
    rows = RowAssembler(schema())
    send(rows, START, np.full(2, 3.0), "policy")
    for number in range(30):
        rows.observe(row(START + number * PERIOD))
    data = rows.complete()
    assert data is not None
    assert (data["action"] == 3.0).all() and (data["quality"] == Quality.DROPPED).all()
    assert (data["actor"] == Actor.HOLD).all()
    waits = 30 - rows.rows  # those that are not given up yet
    assert waits == PATIENCE_NS // PERIOD + 1 and rows.waiting


def test_a_rest_is_counted_also_across_the_parts_in_which_rows_are_handed_over() -> None:
    rows = RowAssembler(schema())
    for number in range(10):
        rows.observe(row(START + number * PERIOD))
        send(rows, START + (number + 1) * PERIOD, np.full(2, float(max(number - 4, 0))))
        rows.complete()
    assert (rows.rows, rows.idle) == (10, 4)


@given(
    order=st.lists(st.sampled_from(["row", "command", "command", "complete"]), min_size=30, max_size=150),
    step=st.integers(1, 40),
)
def test_no_order_of_arrival_loses_a_row_or_puts_rows_out_of_order(order: list[str], step: int) -> None:
    rows, parts = RowAssembler(schema()), []
    send(rows, START, np.zeros(2))
    observed, commands = 0, 0
    for what in order:
        if what == "row" and observed < 25:
            rows.observe(row(START + observed * PERIOD))
            observed += 1
        elif what == "command":
            commands += 1
            send(rows, START + commands * step * MS, np.full(2, float(commands)))
        else:
            parts.append(rows.complete())
    parts.append(finish(rows))
    stamps = np.concatenate([part["time_ns"] for part in parts if part is not None] or [np.empty(0, np.int64)])
    np.testing.assert_array_equal(stamps, START + PERIOD * np.arange(len(stamps)))
    passed = sum(START + (k + 1) * PERIOD <= START + commands * step * MS for k in range(observed))
    assert len(stamps) == rows.rows >= passed
    for part in parts:
        assert part is None or len({len(values) for values in part.values()}) == 1


def test_memory_is_bounded_however_long_commands_or_observations_come_alone() -> None:
    rows = RowAssembler(schema())
    for tick in range(4_000):
        send(rows, START + tick * TICK, np.zeros(2))
        rows.planned(chunk(np.zeros((4, 2))))
    assert len(rows._sent) <= KEPT_NS // TICK + 2 and len(rows._chunks) <= 32
    for number in range(1_000):
        rows.observe(row(START + 4_000 * TICK + number * PERIOD))
        rows.complete()
    assert len(rows._observed) <= PATIENCE_NS // PERIOD + 2


def test_pictures_of_which_some_come_encoded_become_one_column() -> None:
    field = ObservationField("front.image", (4, 6, 3), "uint8", "1", "image")
    rows = RowAssembler(schema(field, **{"front.image": Encoding(PNG)}))
    picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    parts = []
    for number in range(6):
        value = picture if number in (0, 1, 4) else encode_png(picture)
        rows.observe(row(START + number * PERIOD, **{"front.image": value}))
        send(rows, START + (number + 1) * PERIOD, np.zeros(2))
        if number in (1, 4):
            parts.append(rows.complete())
    parts.append(finish(rows))
    kinds = [type(part["front.image"]).__name__ for part in parts if part is not None]
    assert kinds == ["ndarray", "list", "list"]
    assert sum(len(part["front.image"]) for part in parts if part is not None) == 6
    assert all(isinstance(each, bytes) for part in parts[1:] if part is not None for each in part["front.image"])
