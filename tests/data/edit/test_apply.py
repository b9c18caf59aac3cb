"""Marks that are carried out do what delete, trim and relabel do, and nothing to what is not marked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks.validate import validate
from data.edit.copying import copy
from data.edit.copying.origin import Origin
from data.edit.delete import delete
from data.edit.marks import Marks, blank_mark, marks_path, read_marks, write_marks
from data.edit.marks.apply import apply
from data.edit.relabel import relabel
from data.edit.trim import Idle, trim
from data.store.dataset import Dataset
from data.store.names import INSTRUCTION, SUCCESS, TIME
from data.store.schema import MetaField, Schema
from data.store.writing.resuming import unfinished
from robot.errors import InputError, TillerError
from tests.data.edit.conftest import Build, digests, frames, make_store, names, rich_facts, rich_rows, rich_schema, tree
from tests.data.small_files import small_files

ROOT = Path(__file__).parents[3]
Marked = Callable[..., Path]


def mark(store: Path, said: dict[int, dict[str, Any]], name: str | None = None) -> Path:
    """Writes marks of a store as its page does."""
    origin = Origin(store)
    marks = Marks(store.name)
    for index, each in said.items():
        marks = marks.with_mark(index, replace(blank_mark(origin, index), **each))
    path = marks_path(store) if name is None else store.with_name(name)
    write_marks(path, marks)
    return path


def fingerprint(path: Path) -> str:
    return Dataset.open(path).fingerprint


def test_no_marks_change_nothing(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), rows=8, attributes={"cameras": {"front": 1}})
    outcome = apply(mark(source, {0: {}, 2: {"cut": (0, 8), "keep": True, "success": True}}), tmp_path / "target")
    assert fingerprint(tmp_path / "target") == fingerprint(source) and digests(tmp_path / "target") == digests(source)
    assert Dataset.open(tmp_path / "target").attributes["cameras"] == {"front": 1}
    assert any("nothing is changed" in line for line in outcome.lines())


def test_what_is_not_kept_is_deleted(build: Build, tmp_path: Path) -> None:
    source = build("source", rows=8)
    before = tree(source)
    outcome = apply(mark(source, {1: {"keep": False, "cut": (2, 5)}, 3: {"keep": False}}), tmp_path / "target")
    delete(source, tmp_path / "deleted", episodes="1,3")
    assert fingerprint(tmp_path / "target") == fingerprint(tmp_path / "deleted")
    assert frames(tmp_path / "target", 1) == frames(source, 2) and tree(source) == before
    assert validate(tmp_path / "target").ok and "  left out  2         -16   1,3" in outcome.lines()


def test_a_cut_is_what_trim_makes_of_it(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), still=(6, 9), facts=lambda number: rich_facts(number, group=0, branched_at=10))
    trim(source, tmp_path / "trimmed", idle=Idle(keep_s=0.2), episodes="0,2")
    outcome = apply(mark(source, {0: {"cut": (5, 23)}, 2: {"cut": (5, 23)}}), tmp_path / "target")
    assert fingerprint(tmp_path / "target") == fingerprint(tmp_path / "trimmed")
    new = Dataset.open(tmp_path / "target").episode(2)
    assert new.data["reward"][-1] == 1 and new.data["terminated"][-1] and new.meta["branched_at"] == 5
    assert "  episode 0: cut to rows 5 to 22 of 30" in outcome.lines()


def test_a_reward_that_is_cut_off_at_the_start_is_said(build: Build, tmp_path: Path) -> None:
    def reward(rows: dict[str, Any]) -> dict[str, Any]:
        rows["reward"][2] = 0.5
        return rows

    source = build("source", [0, 1], rows=8, change=reward)
    outcome = apply(mark(source, {1: {"cut": (3, 8)}}), tmp_path / "target")
    assert "  episode 1: a reward of 0.5 is cut off with its first rows" in outcome.lines()


def test_what_is_called_otherwise_is_relabelled(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), rows=8)
    relabel(source, tmp_path / "one", facts={"success": "true"}, episodes="1")
    relabel(tmp_path / "one", tmp_path / "two", facts={"instruction": "näher\nheran"}, episodes="0")
    apply(mark(source, {0: {"instruction": "näher\nheran"}, 1: {"success": True}}), tmp_path / "target")
    assert fingerprint(tmp_path / "target") == fingerprint(tmp_path / "two")


def test_labels_and_notes_are_facts_of_the_episodes_and_can_be_changed_again(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), rows=8)
    said = {2: {"labels": ("slow", "näh, ja"), "note": "a\tb\n\0"}}
    outcome = apply(mark(source, said), tmp_path / "target")
    assert (
        "  episode 2: labels nothing becomes 'slow, näh, ja'; note nothing becomes 'a?b??'" in outcome.lines()
        and "  added the fact labels" in outcome.lines()
    )
    dataset = Dataset.open(tmp_path / "target")
    assert [json.loads(each) for each in dataset.meta("labels")] == [[], [], ["slow", "näh, ja"]]
    assert dataset.meta("note").tolist() == ["", "", "a\tb\n\0"] and validate(tmp_path / "target").ok
    apply(mark(tmp_path / "target", {2: {"labels": ()}, 0: {"note": "good"}}), tmp_path / "again")
    again = Dataset.open(tmp_path / "again")
    assert again.meta("labels").tolist() == ["[]"] * 3 and again.meta("note").tolist() == ["good", "", "a\tb\n\0"]
    assert [each["verb"] for each in again.attributes["edits"]] == ["apply", "apply"]


def test_the_history_says_what_was_marked(build: Build, tmp_path: Path) -> None:
    source = build("source", rows=8)
    said: dict[int, dict[str, Any]] = {
        0: {"keep": False},
        1: {"cut": (2, 8), "success": True, "note": "x"},
        3: {"success": False, "labels": ("a",)},
    }
    path = mark(source, said)
    apply(path, tmp_path / "target")
    entry = Dataset.open(tmp_path / "target").attributes["edits"][-1]
    assert entry["verb"] == "apply" and entry["sources"][0]["taken"] == "1-3"
    assert entry["options"] == {
        "marks": str(path),
        "left_out": "0",
        "cut": {"1": [2, 8]},
        "others": {"labels": "[]", "note": ""},
        "success=true": "1",
        "success=false": "3",
        "labels": "3",
        "note": "1",
    }


LENGTHS = (6, 9, 3, 7)


@pytest.fixture(scope="module")
def marked_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_store(tmp_path_factory.mktemp("law"), "store", range(1), rows=LENGTHS[0])
    with Dataset.open(path, mode="a") as dataset:
        for number, rows in enumerate(LENGTHS[1:], 1):
            with dataset.writer() as writer:
                episode = rich_rows(number, rows=rows)
                writer.add(episode)
                stamps = np.repeat(episode["time_ns"], 3)
                writer.add_stream("wrench", np.arange(len(stamps) * 6, dtype=np.float64).reshape(-1, 6), stamps)
                writer.commit(rich_facts(number))
    return path


@st.composite
def said_of(draw: st.DrawFn, rows: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key in draw(st.sets(st.sampled_from(["keep", "success", "instruction", "labels", "cut", "note"]))):
        if key in ("keep", "success"):
            said[key] = draw(st.booleans())
        elif key == "cut":
            first = draw(st.integers(0, rows - 1))
            said[key] = (first, draw(st.integers(first + 1, rows)))
        elif key == "labels":
            said[key] = tuple(draw(st.lists(st.sampled_from(["good", "sløw", '"']), unique=True)))
        else:
            said[key] = draw(st.sampled_from(["", "lift", "ü\n", "007"]))
    return said


@settings(max_examples=8)
@given(st.data())
def test_marks_do_what_they_say_and_nothing_else(marked_store: Path, choice: st.DataObject) -> None:
    said = {
        index: choice.draw(said_of(rows))
        for index, rows in enumerate(LENGTHS)
        if index == 0 or choice.draw(st.booleans())
    }
    said[0].pop("keep", None)
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "x.marks.json", Path(folder) / "target"
        write_marks(path, read_marks(mark(marked_store, said)))
        apply(path, target, store=marked_store)
        old, new = Dataset.open(marked_store), Dataset.open(target)
        kept = [index for index in range(len(LENGTHS)) if said.get(index, {}).get("keep") is not False]
        assert len(new) == len(kept)
        for number, index in enumerate(kept):
            own = said.get(index, {})
            before, after = old.episode(index), new.episode(number)
            rows = slice(*own.get("cut", (0, LENGTHS[index])))
            assert frames(target, number) == frames(marked_store, index)[rows]
            for name in before.data.keys() - {"reward", "terminated", "truncated", "front"}:
                assert np.array_equal(after.data[name], before.data[name][rows]), name
            assert after.data["reward"].sum() == before.data["reward"][rows.start :].sum()
            assert after.data["terminated"][-1] == before.data["terminated"][rows.stop - 1 :].any()
            value, stamps = before.streams["wrench"]
            within = np.ones(len(stamps), bool)
            if rows.start:
                within &= stamps >= before.data["time_ns"][rows.start]
            if rows.stop < LENGTHS[index]:
                within &= stamps < before.data["time_ns"][rows.stop]
            assert np.array_equal(after.streams["wrench"][0], value[within])
            for fact in ("success", "instruction"):
                assert after.meta[fact] == own.get(fact, before.meta[fact])
            assert after.meta["operator"] == before.meta["operator"]
            assert json.loads(after.meta.get("labels", "[]")) == list(own.get("labels", ()))
            assert after.meta.get("note", "") == own.get("note", "")


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


def test_a_store_that_has_grown_is_the_same_one(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), rows=8)
    path = mark(source, {1: {"keep": False}, 0: {"note": "good"}})
    with Dataset.open(source, mode="a") as dataset, dataset.writer() as writer:
        writer.add(rich_rows(9, rows=6))
        writer.commit(rich_facts(9))
    apply(path, tmp_path / "target")
    assert [len(Dataset.open(tmp_path / "target").episode(index)) for index in range(3)] == [8, 8, 6]
    assert Dataset.open(tmp_path / "target").meta("note").tolist() == ["good", "", ""]


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


def test_a_zip_is_marked_and_carried_out_too(build: Build, tmp_path: Path) -> None:
    source = build("source", range(2), rows=4)
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", source))
    path = mark(archive, {0: {"keep": False}})
    assert path == tmp_path / "packed.zip.marks.json"
    apply(path, tmp_path / "target")
    assert digests(tmp_path / "target") == digests(source)[1:] and frames(tmp_path / "target", 0) == frames(source, 1)


def test_other_marks_begin_anew_and_the_same_go_on(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = build("source", range(4), rows=6)
    path = mark(source, {0: {"cut": (1, 5)}})
    monkeypatch.setattr(copy, "COMMIT_BYTES", 1)

    def stop(done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(path, tmp_path / "target", on_progress=stop)
    assert len(Dataset.open(unfinished(tmp_path / "target") / "made")) == 2
    copied: set[int] = set()
    add = copy._add
    monkeypatch.setattr(copy, "_add", lambda part, writer: copied.add(part.number) or add(part, writer))
    apply(path, tmp_path / "target")
    assert copied == {2, 3} and not unfinished(tmp_path / "target").exists()
    with pytest.raises(KeyboardInterrupt):
        apply(path, tmp_path / "other", on_progress=stop)
    copied.clear()
    apply(mark(source, {0: {"cut": (2, 5)}}), tmp_path / "other")
    assert copied == {0, 1, 2, 3} and len(Dataset.open(tmp_path / "other").episode(0)) == 3


def _tiller(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tiller", "data", *words], cwd=ROOT, capture_output=True, text=True)


def test_the_command_line_carries_marks_out(build: Build, tmp_path: Path) -> None:
    source = build("source", range(3), rows=6)
    path = mark(source, {0: {"keep": False}, 2: {"cut": (1, 4), "instruction": "lift"}})
    dry = _tiller("apply", str(path), str(tmp_path / "target"), "dry_run=true")
    assert dry.returncode == 0 and dry.stdout.splitlines()[-1] == "Nothing was written"
    assert "episode 0: left out (6 rows)" in dry.stdout and not (tmp_path / "target").exists()
    done = _tiller("apply", str(path), str(tmp_path / "target"))
    assert done.returncode == 0, done.stderr
    assert "  cut          1         -3    2" in done.stdout.splitlines()
    assert Dataset.open(tmp_path / "target").meta("instruction").tolist() == ["take 1", "lift"]
    again = _tiller("apply", str(path), str(tmp_path / "target"))
    assert again.returncode == 2 and "nothing is overwritten" in again.stderr and "Traceback" not in again.stderr
    path.rename(tmp_path / "by_hand.json")
    elsewhere = _tiller("apply", str(tmp_path / "by_hand.json"), str(tmp_path / "two"), f"store={source}")
    assert elsewhere.returncode == 0 and fingerprint(tmp_path / "two") == fingerprint(tmp_path / "target")
    os.truncate(tmp_path / "by_hand.json", 40)
    torn = _tiller("apply", str(tmp_path / "by_hand.json"), str(tmp_path / "three"), f"store={source}")
    assert torn.returncode == 2 and "no JSON" in torn.stderr and "Traceback" not in torn.stderr
    assert len(torn.stderr.strip().splitlines()) == 1
