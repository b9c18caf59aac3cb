"""Stores that are alike become one, byte by byte; stores that differ are shown side by side, or mapped as one says."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.checks.validate import validate
from data.edit.copying import blocks, copy, origin
from data.edit.merge import merge
from data.edit.merging.options import Mapped
from data.edit.merging.units import factor, factors
from data.edit.split import split
from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import OPERATOR, SUBTASK
from data.store.schema import MetaField, Schema
from robot.description import ActionField, ActionSpec, ObservationSpec
from robot.errors import InputError
from tests.data.edit.conftest import Build, digests, frames, names, rich_facts, rich_schema, tree


def test_a_merge_has_all_episodes_in_order_and_says_what_it_is_made_of(build: Build, tmp_path: Path) -> None:
    one, two = build("one", range(3), attributes={"task": "x"}), build("two", range(3, 6), attributes={"task": "y"})
    before = tree(one), tree(two)
    outcome = merge([one, two], tmp_path / "target")
    assert digests(tmp_path / "target") == digests(one) + digests(two)
    assert frames(tmp_path / "target", 4) == frames(two, 1)
    assert (tree(one), tree(two)) == before and validate(tmp_path / "target").ok
    assert any("task differs" in line for line in outcome.lines())
    entry = Dataset.open(tmp_path / "target").attributes["edits"][0]
    assert [each["path"] for each in entry["sources"]] == [str(one), str(two)]
    assert [each["fingerprint"] for each in entry["sources"]] == [Dataset.open(each).fingerprint for each in (one, two)]
    assert [each["attributes"]["task"] for each in entry["sources"]] == ["x", "y"]
    assert "task" not in Dataset.open(tmp_path / "target").attributes


def test_a_merge_of_what_is_merged_keeps_the_history(build: Build, tmp_path: Path) -> None:
    parts = [build(name, [number], rows=4) for number, name in enumerate("abc")]
    merge(parts[:2], tmp_path / "ab")
    merge([tmp_path / "ab", parts[2]], tmp_path / "abc")
    source = Dataset.open(tmp_path / "abc").attributes["edits"][0]["sources"][0]
    assert [each["path"] for each in source["edits"][0]["sources"]] == [str(parts[0]), str(parts[1])]


def test_a_store_given_twice_or_copied_is_refused(build: Build, tmp_path: Path) -> None:
    one = build("one", rows=4)
    shutil.copytree(one, tmp_path / "copy")
    with pytest.raises(InputError, match=r"one': expected different stores, got one given twice"):
        merge([one, one], tmp_path / "target")
    with pytest.raises(InputError, match=r"copy': expected different stores, got one a copy of '.*one'"):
        merge([one, tmp_path / "copy"], tmp_path / "target")
    with pytest.raises(InputError, match="at least two stores"):
        merge([one], tmp_path / "target")
    assert names(tmp_path) == ["copy", "one"]


def test_episodes_that_two_stores_share_are_noted(build: Build, tmp_path: Path) -> None:
    outcome = merge([build("one", [0, 1], rows=4), build("two", [1, 2], rows=4)], tmp_path / "target")
    assert any("1 episodes are there more than once, the first is episode 1" in line for line in outcome.lines())


def test_a_target_within_a_source_or_over_one_is_refused(build: Build, tmp_path: Path) -> None:
    one, two = build("one", [0], rows=4), build("two", [1], rows=4)
    before = tree(one)
    for target, message in ((one / "merged", "within the store"), (two, "nothing is overwritten")):
        with pytest.raises(InputError, match=message):
            merge([one, two], target)
    assert tree(one) == before


def _contract(name: str, joints: list[str]) -> dict[str, Any]:
    from robot.description import fingerprint

    semantic = {"robot": name, "joints": joints, "period_s": 0.1}
    return {"contract": {"name": name, "semantic_hash": fingerprint(semantic), "semantic": semantic}}


@pytest.mark.parametrize(
    ("ours", "theirs", "shown"),
    [
        (
            _contract("arm", ["a", "b"]),
            _contract("other", ["a", "b"]),
            ["semantic hash", "contract robot", "arm  ", "other"],
        ),
        (_contract("arm", ["a", "b"]), _contract("arm", ["b", "a"]), ["contract joints", "a, b", "b, a"]),
        (_contract("arm", ["a", "b"]), {}, ["semantic hash", "none recorded"]),
        ({"robot": "arm"}, {"robot": "other"}, ["robot", "arm", "other"]),
    ],
)
def test_another_robot_is_shown_side_by_side_and_refused(
    build: Build, tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any], shown: list[str]
) -> None:
    one, two = build("one", [0], attributes=ours, rows=4), build("two", [1], attributes=theirs, rows=4)
    with pytest.raises(InputError, match="do not go together") as caught:
        merge([one, two], tmp_path / "target")
    assert all(words in str(caught.value) for words in [*shown, str(one), str(two), "other_contracts=true"])
    assert names(tmp_path) == ["one", "two"]
    merge([one, two], tmp_path / "target", mapped=Mapped(other_contracts=True))
    assert "contract" not in Dataset.open(tmp_path / "target").attributes


def _reordered() -> Schema:
    action = ActionSpec((ActionField("gripper", 1, "m", "width"), ActionField("arm", 3, "rad", "joint")), 0.1)
    return rich_schema(action=action)


def test_another_order_of_the_action_is_refused_or_undone(build: Build, tmp_path: Path) -> None:
    one, two = build("one", [0]), build("two", [1], schema=_reordered())
    with pytest.raises(InputError, match=r"order of action +arm, gripper +gripper, arm\n.*\n  reorder=true"):
        merge([one, two], tmp_path / "target")
    merge([one, two], tmp_path / "target", mapped=Mapped(reorder=True))
    action, before = Dataset.open(tmp_path / "target").episode(1).data["action"], Dataset.open(two).episode(0)
    assert np.array_equal(action, before.data["action"][:, [1, 2, 3, 0]])


def _in_millimetres(unit: str = "mm") -> Schema:
    return rich_schema(
        action=ActionSpec((ActionField("arm", 3, "deg", "joint"), ActionField("gripper", 1, unit, "width")), 0.1)
    )


def test_units_are_refused_or_converted(build: Build, tmp_path: Path) -> None:
    one, two = build("one", [0]), build("two", [1], schema=_in_millimetres())
    with pytest.raises(InputError, match=r"action arm +\[rad\] +\[deg\]") as caught:
        merge([one, two], tmp_path / "target")
    assert "[mm]" in str(caught.value) and "convert_units=true" in str(caught.value)
    merge([one, two], tmp_path / "target", mapped=Mapped(convert_units=True))
    action, before = (Dataset.open(path).episode(-1).data["action"] for path in (tmp_path / "target", two))
    assert np.allclose(action[:, :3], np.deg2rad(before[:, :3])) and np.allclose(action[:, 3], before[:, 3] / 1000)
    assert validate(tmp_path / "target").ok


def test_units_that_are_not_known_are_refused_whatever_one_says(build: Build, tmp_path: Path) -> None:
    one, two = build("one", [0], rows=4), build("two", [1], rows=4, schema=_in_millimetres("furlong"))
    with pytest.raises(InputError, match=r"(?s)\[m\] +\[furlong\].*units that convert are made of m, cm"):
        merge([one, two], tmp_path / "target", mapped=Mapped(convert_units=True))
    assert names(tmp_path) == ["one", "two"]


def test_factors_of_units_undo_each_other() -> None:
    for unit, into in (("mm", "m"), ("deg/s", "rad/s"), ("N*mm", "N*m"), ("km/s", "mm/ms")):
        assert factor(unit, into) * factor(into, unit) == pytest.approx(1)  # type: ignore[operator]
    assert factor("N*m", "J") is None and factor("px", "m") is None and factor("px", "px") == 1.0
    assert factors("m m deg", "mm mm rad", 3) == pytest.approx([1e3, 1e3, np.pi / 180])
    assert factors("m", "mm", 2) == [1e3, 1e3]


def _with(schema: Schema, **changes: Any) -> Schema:
    return replace(schema, **changes)


def test_what_only_one_has_is_refused_left_out_or_filled(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    less = _with(full, meta=tuple(each for each in full.meta if each != OPERATOR), streams=())
    less = _with(less, columns=tuple(each for each in full.columns if each.name != "actor"))

    def facts(number: int) -> dict[str, Any]:
        return {name: value for name, value in rich_facts(number).items() if name != "operator"}

    def rows(given: dict[str, Any]) -> dict[str, Any]:
        return {name: values for name, values in given.items() if name != "actor"}

    one, two = build("one", [0], rows=4), build("two", [1], rows=4, schema=less, change=rows, facts=facts)
    for pair in ([one, two], [two, one]):
        with pytest.raises(InputError, match="do not go together") as caught:
            merge(pair, tmp_path / "target")
        for words in ("column actor", "fact operator", "stream wrench", "fill.operator=VALUE", "without=[wrench]"):
            assert words in str(caught.value)
        filled = Mapped(fill={"operator": "007", "actor": "2", "wrench": "empty"})
        merge(pair, tmp_path / "filled", mapped=filled)
        dataset = Dataset.open(tmp_path / "filled")
        episode = dataset.episode(pair.index(two))
        assert episode.meta["operator"] == "007" and set(episode.data["actor"].tolist()) == {2}
        assert len(episode.streams["wrench"][1]) == 0 and validate(tmp_path / "filled").ok
        assert len(dataset.episode(pair.index(one)).streams["wrench"][1]) == 60
        shutil.rmtree(tmp_path / "filled")
        merge(pair, tmp_path / "less", mapped=Mapped(without=("operator", "actor", "wrench")))
        assert "actor" not in Dataset.open(tmp_path / "less").keys
        shutil.rmtree(tmp_path / "less")


@pytest.mark.parametrize(
    ("mapped", "message"),
    [
        (Mapped(rename={"frnt": "top"}), "rename: 'frnt'.*Did you mean 'front'"),
        (Mapped(without=("action",)), "without: 'action'"),
        (Mapped(fill={"nothing": "1"}), "fill: 'nothing'"),
        (Mapped(rename={"joints": "wrist"}), "expected different names, got 'wrist' twice"),
        (Mapped(rename={"joints": "../joints"}), "letters, digits"),
        (Mapped(without=("actor",), fill={"actor": "1"}), "fill.actor"),
    ],
)
def test_options_that_fit_nothing_are_refused(build: Build, tmp_path: Path, mapped: Mapped, message: str) -> None:
    one, two = build("one", [0], rows=4), build("two", [1], rows=4)
    with pytest.raises(InputError, match=message):
        merge([one, two], tmp_path / "target", mapped=mapped)
    assert names(tmp_path) == ["one", "two"]


def test_constants_that_mean_nothing_are_refused(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    less = _with(
        full, columns=tuple(each for each in full.columns if each.name not in ("actor", "time_ns")), streams=()
    )

    def rows(given: dict[str, Any]) -> dict[str, Any]:
        return {name: values for name, values in given.items() if name not in ("actor", "time_ns")}

    one, two = build("one", [0], rows=4), build("two", [1], rows=4, schema=less, change=rows)
    fill = {"actor": "1", "time_ns": "0", "wrench": "empty"}
    for change, message in (
        ({"actor": "9", "time_ns": None}, "fill.actor: expected 0 policy"),
        ({"actor": "300", "time_ns": None}, "a number that uint8 holds"),
        ({}, "fill.time_ns: expected a column of numbers that may be the same in each row"),
        ({"wrench": "0"}, "fill.wrench|fill.time_ns"),
    ):
        with pytest.raises(InputError, match=message):
            without = tuple(name for name, value in change.items() if value is None)
            given = {name: value for name, value in {**fill, **change}.items() if name not in without}
            merge([one, two], tmp_path / "target", mapped=Mapped(fill=given, without=without))


def _as_top(rows: dict[str, Any]) -> dict[str, Any]:
    return {"top" if name == "front" else name: values for name, values in rows.items()}


def test_names_are_mapped(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    renamed = _with(
        full,
        observation=ObservationSpec(
            tuple(replace(each, name="top") if each.name == "front" else each for each in full.observation)
        ),
        encodings={"top": Encoding("as_it_came")},
    )
    one = build("one", [0], rows=4)
    two = build("two", [1], rows=4, schema=renamed, change=_as_top)
    merge([one, two], tmp_path / "target", mapped=Mapped(rename={"top": "front"}))
    assert frames(tmp_path / "target", 1) == frames(two, 0, "top")


def test_jpegs_of_two_qualities_keep_their_bytes_and_other_encodings_are_refused(build: Build, tmp_path: Path) -> None:
    one = build("one", [0], rows=4)
    two = build("two", [1], rows=4, schema=rich_schema(encodings={"front": Encoding("jpeg", 70)}))
    outcome = merge([two, one], tmp_path / "target")
    assert frames(tmp_path / "target", 0) == frames(two, 0) and frames(tmp_path / "target", 1) == frames(one, 0)
    assert Dataset.open(tmp_path / "target").schema.encoding("front").kind == "as_it_came"  # type: ignore[union-attr]
    assert any("JPEGs of several qualities" in line for line in outcome.lines())
    decoded = np.zeros((4, 24, 32, 3), np.uint8)
    three = build(
        "three", [2], rows=4, schema=rich_schema(encodings={}), change=lambda rows: {**rows, "front": decoded}
    )
    with pytest.raises(
        InputError, match=r"of front +as_it_came +raw\n.*\n.*recode .*three TARGET encodings.front=jpeg"
    ):
        merge([one, three], tmp_path / "other")


def test_another_period_type_and_shape_are_shown(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    other = _with(full, period_s=0.2, action=replace(full.action, period_s=0.2))
    other = _with(
        other, meta=tuple(MetaField("success", "string") if each.name == "success" else each for each in full.meta)
    )
    one = build("one", [0], rows=4)
    two = build("two", [1], rows=4, schema=other, facts=lambda number: rich_facts(number, success="yes"))
    with pytest.raises(InputError, match="do not go together") as caught:
        merge([one, two], tmp_path / "target")
    for words in ("control period  0.1 s", "tiller data resample", "fact success", "bool", "string"):
        assert words in str(caught.value)


def test_groups_are_counted_on_and_subtasks_found_in_one_list(build: Build, tmp_path: Path) -> None:
    full = rich_schema()
    schema = _with(full, columns=(*full.columns, SUBTASK))

    def stage(rows: dict[str, Any]) -> dict[str, Any]:
        return {**rows, "subtask": np.array([0, 1, -1, 0], np.int16)}

    def facts(number: int) -> dict[str, Any]:
        return rich_facts(number, group=-1 if number == 2 else 0, branched_at=1)

    one = build(
        "one", [0, 2], rows=4, schema=schema, change=stage, facts=facts, attributes={"subtasks": ["reach", "lift"]}
    )
    two = build(
        "two", [1], rows=4, schema=schema, change=stage, facts=facts, attributes={"subtasks": ["lift", "place"]}
    )
    merge([one, two], tmp_path / "target")
    dataset = Dataset.open(tmp_path / "target")
    assert dataset.meta("group").tolist() == [0, -1, 1]
    assert dataset.attributes["subtasks"] == ["reach", "lift", "place"]
    assert dataset.episode(2).data["subtask"].tolist() == [1, 2, -1, 1]


def test_a_dry_run_of_a_merge_writes_nothing(build: Build, tmp_path: Path) -> None:
    one, two = build("one", [0], rows=4), build("two", [1], rows=4)
    lines = merge([one, two], tmp_path / "target", dry_run=True).lines()
    assert names(tmp_path) == ["one", "two"] and lines[0] == "Would merge 2 stores"


def test_attributes_that_hold_anything_end_in_no_traceback(build: Build, tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "contract": "none",
        "subtasks": 3,
        "collection": [1],
        "edits": "x",
        "robot": {"a": [1] * 500},
    }
    one, two = build("one", [0], rows=4, attributes=odd), build("two", [1], rows=4, attributes={**odd, "robot": ["b"]})
    with pytest.raises(InputError, match="do not go together") as caught:
        merge([one, two], tmp_path / "target")
    assert len(str(caught.value)) < 2000
    merge([one, two], tmp_path / "target", mapped=Mapped(other_contracts=True))
    assert len(Dataset.open(tmp_path / "target").attributes["edits"]) == 1


def test_what_was_split_and_merged_is_what_it_was(build: Build, tmp_path: Path) -> None:
    source = build("source", range(5), rows=5)
    split(source, tmp_path / "parts", episodes={"even": "0,2,4", "odd": "3,1"})
    merge([tmp_path / "parts" / "odd", tmp_path / "parts" / "even"], tmp_path / "target")
    old = digests(source)
    assert digests(tmp_path / "target") == [old[index] for index in (3, 1, 0, 2, 4)]
    assert [frames(tmp_path / "target", index) for index in (0, 4)] == [frames(source, index) for index in (3, 4)]


def test_a_long_episode_is_taken_in_blocks_and_comes_out_the_same(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = build("one", [0], rows=200), build("two", [1], rows=200)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(origin, "_BLOCK_BYTES", 1 << 12)
    sizes, taken = [], blocks.row_blocks

    def watched(edit: Any, take: Any) -> Any:
        for block in taken(edit, take):
            sizes.append(len(block["action"]))
            yield block

    monkeypatch.setattr(copy, "row_blocks", watched)
    merge([one, two], tmp_path / "target")
    assert sum(sizes) == 400 and max(sizes) <= 20
    assert digests(tmp_path / "target") == digests(one) + digests(two)
