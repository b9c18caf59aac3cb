"""Standard names mean the same in every store, and what has no meaning is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.store.episode import check_episode
from data.store.names import ACTOR, COLUMNS, FACTS, QUALITY, TIME, Actor, Quality, has_column
from data.store.schema import ColumnField
from robot.errors import InputError


def test_names_types_and_units_on_disk_never_change() -> None:
    assert {column.name: (column.shape, column.dtype, column.unit) for column in COLUMNS} == {
        "time_ns": ((), "int64", "ns"),
        "actor": ((), "uint8", "1"),
        "intervention": ((), "bool", "1"),
        "reward": ((), "float32", "1"),
        "terminated": ((), "bool", "1"),
        "truncated": ((), "bool", "1"),
        "subtask": ((), "int16", "1"),
        "quality": ((), "uint16", "1"),
        "advantage_positive": ((), "bool", "1"),
    }
    assert {fact.name: (fact.dtype, fact.unit) for fact in FACTS} == {
        "success": ("bool", "1"),
        "verdict": ("string", "1"),
        "operator": ("string", "1"),
        "instruction": ("string", "1"),
        "seed": ("int64", "1"),
        "source": ("string", "1"),
        "strategy": ("string", "1"),
        "started_ns": ("int64", "ns"),
        "drops": ("int64", "1"),
        "policy": ("string", "1"),
        "noise_seed": ("int64", "1"),
        "group": ("int64", "1"),
        "branched_at": ("int64", "1"),
        "labels": ("string", "1"),
        "note": ("string", "1"),
    }


def test_numbers_of_actors_and_bits_of_quality_never_change() -> None:
    assert [actor.name for actor in sorted(Actor)] == ["POLICY", "PERSON", "SCRIPT", "HOLD", "REWIND"]
    assert [int(actor) for actor in sorted(Actor)] == [0, 1, 2, 3, 4]
    assert [bit.name for bit in Quality] == ["STALE", "INTERPOLATED", "GAP", "LIMITED", "DROPPED", "REWOUND"]
    assert [int(bit) for bit in Quality] == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("column", "value", "expected"), [(ACTOR, 5, "0 policy, 1 person"), (QUALITY, 64 + 2, "1 stale + 2 interpolated")]
)
def test_a_row_without_meaning_is_refused(
    schema: Any, make_episode: Any, column: ColumnField, value: int, expected: str
) -> None:
    schema = replace(schema, columns=(*schema.columns, column))
    values = np.zeros(12, column.dtype)
    check_episode(schema, make_episode(0, data={column.name: values}), 3)
    values[7] = value
    with pytest.raises(InputError, match=rf"episode 3: '{column.name}', row 7.*{re.escape(expected)}.*got {value}"):
        check_episode(schema, make_episode(0, data={column.name: values}), 3)


def test_a_column_of_a_standard_name_and_another_type_is_the_users_own(schema: Any, make_episode: Any) -> None:
    own = replace(schema, columns=(*schema.columns, ColumnField("quality", (), "float32", "1")))
    assert has_column(own, TIME) and not has_column(own, QUALITY)
    check_episode(own, make_episode(0, data={"quality": np.full(12, 77.5, np.float32)}), 0)
