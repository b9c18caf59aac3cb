"""Marks that cannot be carried out are refused by name, and nothing is written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.edit.delete import delete
from data.edit.marks import marks_path
from data.edit.marks.apply import apply
from data.store.dataset import Dataset
from data.store.names import INSTRUCTION, SUCCESS, TIME
from data.store.schema import MetaField, Schema
from robot.errors import InputError, TillerError
from tests.data.edit.conftest import Build, digests, mark, names, rich_facts, rich_schema
from tests.data.small_files import small_files


def test_marks_of_another_store_or_of_an_episode_that_is_another_one_are_refused(build: Build, tmp_path: Path) -> None:
    source, other = build("source", rows=8), build("other", range(2, 6), rows=8)
    path = mark(source, {1: {"keep": False}, 3: {"success": True}})
    shutil.copy(path, marks_path(other))
    with pytest.raises(
        InputError,
        match=r"other': episode 1: expected the episode of 'source' that was marked in '.*other.marks.json', got "
        r"another one of as many rows; 2 marks in all are of other episodes: 1,3. Look at them again with",
    ):
        apply(marks_path(other), tmp_path / "target")
    with pytest.raises(InputError, match=r"source': episode 3: .* got no such one of 3. Look at it again"):
        delete(source, tmp_path / "less", episodes="3")
        shutil.rmtree(source)
        (tmp_path / "less").rename(source)
        apply(path, tmp_path / "target")
    assert names(tmp_path) == ["other", "other.marks.json", "source", "source.marks.json"]


def _without_success(number: int) -> dict[str, Any]:
    return {key: value for key, value in rich_facts(number).items() if key != "success"}


def test_a_fact_that_is_added_has_a_value_everywhere(build: Build, tmp_path: Path) -> None:
    schema = rich_schema()
    plain = replace(schema, meta=tuple(field for field in schema.meta if field != SUCCESS))
    source = build("source", range(3), plain, facts=_without_success, rows=6)
    path = mark(source, {0: {"success": True}, 1: {"keep": False}})
    with pytest.raises(InputError, match=r"fact 'success': expected a value for every episode.*others.success=VALUE"):
        apply(path, tmp_path / "target")
    with pytest.raises(InputError, match=r"others.'operator': expected a fact that is added, got one that is not"):
        apply(path, tmp_path / "target", others={"operator": "x"})
    with pytest.raises(InputError, match=r"others.success: expected true or false, got 'no'"):
        apply(path, tmp_path / "target", others={"success": "no"})
    apply(path, tmp_path / "target", others={"success": "false"})
    assert Dataset.open(tmp_path / "target").meta("success").tolist() == [True, False]
    apply(mark(source, {0: {"success": True}, 2: {"success": False}, 1: {"keep": False}}), tmp_path / "all")
    assert Dataset.open(tmp_path / "all").meta("success").tolist() == [True, False]


def test_a_fact_of_another_type_is_the_owners(build: Build, tmp_path: Path) -> None:
    schema: Schema = replace(rich_schema(), meta=(MetaField("success", "int64"), *rich_schema().meta[2:], INSTRUCTION))
    source = build("source", range(2), schema, facts=lambda number: rich_facts(number, success=7), rows=6)
    with pytest.raises(InputError, match=r"fact 'success': expected a bool, .*, got int64.*Take success out"):
        apply(mark(source, {0: {"success": True}}), tmp_path / "target")
    apply(mark(source, {0: {"keep": False}}), tmp_path / "target")
    assert Dataset.open(tmp_path / "target").meta("success").tolist() == [7]


def test_a_cut_through_streams_needs_stamps_of_rows(build: Build, tmp_path: Path) -> None:
    schema = replace(rich_schema(), columns=tuple(column for column in rich_schema().columns if column != TIME))

    def unstamped(rows: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in rows.items() if key != "time_ns"}

    source = build("source", range(2), schema, rows=6, change=unstamped)
    with pytest.raises(InputError, match=r"expected the column 'time_ns', which says which samples of 'wrench'"):
        apply(mark(source, {0: {"cut": (0, 3)}}), tmp_path / "target")
    apply(mark(source, {0: {"keep": False, "cut": (0, 3)}}), tmp_path / "target")
    assert digests(tmp_path / "target") == digests(source)[1:]


def test_what_cannot_be_is_refused_and_nothing_is_written(build: Build, tmp_path: Path) -> None:
    source = build("source", range(2), rows=6)
    path = mark(source, {0: {"keep": False}, 1: {"keep": False}})
    before = names(tmp_path)
    for file, options, message in (
        (path, {}, r"source': expected an episode that is kept, got keep: false of all 2"),
        (
            source,
            {},
            r"expected a file of marks, got a folder. The marks of a store are beside it: '.*source.marks.json'",
        ),
        (tmp_path / "nothing.marks.json", {}, r"no file at this path"),
        (path, {"target": source}, r"nothing is overwritten"),
        (path, {"target": source / "in"}, r"one within the store"),
        (path, {"target": path}, r"got a file"),
        (path, {"store": tmp_path / "nothing"}, r"got nothing at this path"),
    ):
        with pytest.raises(InputError, match=message):
            apply(file, options.get("target", tmp_path / "target"), store=options.get("store"))
    path.rename(tmp_path / "mine.json")
    with pytest.raises(InputError, match=r"expected a file STORE.marks.json beside its store.*store=PATH"):
        apply(tmp_path / "mine.json", tmp_path / "target")
    assert names(tmp_path) == sorted({*before, "mine.json"} - {path.name})


def test_a_damaged_or_changed_source_and_a_full_disk_leave_nothing(build: Build, tmp_path: Path) -> None:
    source = build("source", range(2), rows=300)
    path = mark(source, {0: {"cut": (3, 300)}})
    with small_files(20_000), pytest.raises(TillerError, match=r"target': no space left on the disk.*Nothing is left"):
        apply(path, tmp_path / "target")
    chunk = next((source / "data" / "joints").glob("c.0*"))
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with pytest.raises(TillerError, match=r"source': chunk 0 of 'data/joints'"):
        apply(path, tmp_path / "target")
    assert names(tmp_path) == ["source", "source.marks.json"]
