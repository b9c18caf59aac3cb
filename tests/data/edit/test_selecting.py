"""delete, relabel, split and recode keep what they are not there to change, byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.checks.validate import validate
from data.edit.delete import delete
from data.edit.recode import recode
from data.edit.relabel import relabel
from data.edit.split import split
from data.store.dataset import Dataset
from robot.errors import InputError, TillerError
from tests.data.edit.conftest import Build, digests, frames, names, rich_facts, tree
from tests.data.small_files import small_files


def test_delete_leaves_episodes_out_and_keeps_every_byte_of_the_others(build: Build, tmp_path: Path) -> None:
    source = build("source", attributes={"cameras": {"front": 1}})
    before = tree(source)
    outcome = delete(source, tmp_path / "target", episodes="1,3")
    assert digests(tmp_path / "target") == [digests(source)[index] for index in (0, 2)]
    assert frames(tmp_path / "target", 1) == frames(source, 2)
    assert tree(source) == before and validate(tmp_path / "target").ok
    assert "Left 2 of 4 episodes" in outcome.lines()[0]
    attributes = Dataset.open(tmp_path / "target").attributes
    entry = attributes["edits"][-1]
    assert attributes["cameras"] == {"front": 1} and entry["verb"] == "delete"
    assert entry["options"] == {"episodes": "1,3"} and entry["sources"][0]["taken"] == "0,2"
    assert entry["sources"][0]["fingerprint"] == Dataset.open(source).fingerprint
    assert entry["sources"][0]["path"] == str(source)


def test_a_dry_run_writes_nothing_and_says_the_same(build: Build, tmp_path: Path) -> None:
    source = build("source")
    said = delete(source, tmp_path / "target", where={"operator": "bo"}, dry_run=True).lines()
    assert names(tmp_path) == ["source"] and said[-1] == "Nothing was written"
    assert "  left out: episode 2, 30 rows" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": "4"}, r"source': episodes: expected episodes 0 to 3, got 4"),
        ({"episodes": "0-3"}, r"source': expected an episode that is kept, got all 4"),
        ({"episodes": "1,0-2"}, r"expected each episode once, got episode 1 twice"),
        ({"episodes": "-1"}, r"expected numbers and ranges"),
        ({"episodes": "2-1"}, r"expected episodes 0 to 3, got 2-1"),
        ({"episodes": ["../x"]}, r"expected numbers and ranges"),
        ({}, r"expected which episodes: episodes= or where.FACT="),
        ({"where": {"operator": "nobody"}}, r"expected episodes with operator=nobody, got none"),
        ({"where": {"operater": "ann"}}, r"Did you mean 'operator'"),
        ({"where": {"success": "yes"}}, r"where.success: expected true or false, got 'yes'"),
    ],
)
def test_a_delete_of_what_is_not_there_is_refused(
    build: Build, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    source = build("source")
    with pytest.raises(InputError, match=message):
        delete(source, tmp_path / "target", **options)
    assert names(tmp_path) == ["source"]


def test_nothing_is_written_where_something_is_or_within_a_store(build: Build, tmp_path: Path) -> None:
    source = build("source")
    for target, message in ((source, "nothing is overwritten"), (source / "in", "one within the store")):
        before = tree(source)
        with pytest.raises(InputError, match=message):
            delete(source, target, episodes="1")
        assert tree(source) == before
    (tmp_path / "empty").mkdir()
    delete(source, tmp_path / "empty", episodes="1")
    assert len(Dataset.open(tmp_path / "empty")) == 3 and ".empty.unfinished" not in names(tmp_path / "empty")


def test_a_number_that_is_none_is_named_and_nothing_is_written(build: Build, tmp_path: Path) -> None:
    def spoil(rows: dict[str, Any]) -> dict[str, Any]:
        if rows["time_ns"][0] == 3000 * 100_000_000:  # of episode 2
            rows["joints"][7, 1] = np.nan
        return rows

    source = build("source", change=spoil)
    with pytest.raises(InputError, match=r"source': episode 2: 'joints', row 7, component 1: expected a finite number"):
        delete(source, tmp_path / "target", episodes="0")
    assert names(tmp_path) == ["source"]
    delete(source, tmp_path / "target", episodes="2")
    assert validate(tmp_path / "target").ok


def test_a_full_disk_leaves_nothing_and_says_so(build: Build, tmp_path: Path) -> None:
    source = build("source", rows=300)
    with small_files(20_000), pytest.raises(TillerError, match=r"target': no space left on the disk.*Nothing is left"):
        delete(source, tmp_path / "target", episodes="0")
    assert names(tmp_path) == ["source"]


def test_a_damaged_source_is_named(build: Build, tmp_path: Path) -> None:
    source = build("source")
    chunk = next((source / "data" / "joints").glob("c.0*"))
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with pytest.raises(TillerError, match=r"source': chunk 0 of 'data/joints'"):
        delete(source, tmp_path / "target", episodes="0")
    assert names(tmp_path) == ["source"]


def test_what_reads_otherwise_than_it_was_written_never_gets_its_name(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data.edit.copying import copy

    source, check = build("source"), copy.require_same_content

    def damage_and_check(path: Path, *rest: Any) -> Any:
        other = next((source / "data" / "joints").glob("c.0*"))  # whole, and of one episode more
        next((path / "data" / "joints").glob("c.0*")).write_bytes(other.read_bytes())
        return check(path, *rest)

    monkeypatch.setattr(copy, "require_same_content", damage_and_check)
    with pytest.raises(TillerError, match=r"target': what was written reads otherwise"):
        delete(source, tmp_path / "target", episodes="0")
    assert names(tmp_path) == ["source"]


def test_relabel_sets_facts_of_chosen_episodes_and_no_others(build: Build, tmp_path: Path) -> None:
    source = build("source")
    facts = {"success": "true", "instruction": "007: lift, please"}
    outcome = relabel(source, tmp_path / "target", facts=facts, where={"operator": "ann"})
    dataset, old = Dataset.open(tmp_path / "target"), Dataset.open(source)
    assert dataset.meta("success").tolist() == [True, True, True, False]
    assert dataset.meta("instruction").tolist() == ["007: lift, please"] * 2 + ["take 2", "take 3"]
    for index in range(4):
        new, before = dataset.episode(index), old.episode(index)
        assert all(np.array_equal(new.data[name], before.data[name]) for name in before.data)
    assert "  episode 1: success 'False' becomes 'True'" in outcome.lines()


def test_a_standard_fact_is_added_and_any_other_refused(build: Build, tmp_path: Path) -> None:
    source = build("source")
    with pytest.raises(
        InputError, match=r"fact 'seed': expected a value for every episode, got one for 1 of 4.*others"
    ):
        relabel(source, tmp_path / "target", facts={"seed": "3"}, episodes="0")
    with pytest.raises(InputError, match=r"set.'sucess'.*Did you mean 'success'"):
        relabel(source, tmp_path / "target", facts={"sucess": "true"})
    with pytest.raises(InputError, match=r"set.seed: expected a number of type int64, got '1.5'"):
        relabel(source, tmp_path / "target", facts={"seed": "1.5"})
    assert names(tmp_path) == ["source"]
    relabel(source, tmp_path / "target", facts={"seed": "3"}, others={"seed": "-1"}, episodes="0")
    assert Dataset.open(tmp_path / "target").meta("seed").tolist() == [3, -1, -1, -1]


def test_split_by_shares_is_the_same_for_a_seed_and_loses_none(build: Build, tmp_path: Path) -> None:
    source = build("source", range(10), rows=4)
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    split(source, tmp_path / "one", shares=shares, seed=3)
    split(source, tmp_path / "two", shares=shares, seed=3)
    assert [len(Dataset.open(tmp_path / "one" / name)) for name in shares] == [6, 2, 2]
    for name in shares:
        assert digests(tmp_path / "one" / name) == digests(tmp_path / "two" / name)
    together = [digest for name in shares for digest in digests(tmp_path / "one" / name)]
    assert sorted(together) == sorted(digests(source))
    other = split(source, tmp_path / "three", shares=shares, seed=4, dry_run=True)
    assert other.details != split(source, tmp_path / "three", shares=shares, seed=3, dry_run=True).details


def test_groups_are_whole_in_one_part(build: Build, tmp_path: Path) -> None:
    source = build(
        "source", range(12), rows=4, facts=lambda number: rich_facts(number, group=number // 4, branched_at=2)
    )
    split(source, tmp_path / "parts", shares={"a": 0.5, "b": 0.5})
    groups = [set(Dataset.open(tmp_path / "parts" / name).meta("group").tolist()) for name in "ab"]
    assert not groups[0] & groups[1] and groups[0] | groups[1] == {0, 1, 2}


def test_split_by_a_fact_and_by_lists(build: Build, tmp_path: Path) -> None:
    source = build(
        "source", facts=lambda number: rich_facts(number, operator=["../../x", "..\\..\\X", "", "ann"][number])
    )
    split(source, tmp_path / "facts", by="operator")
    assert names(tmp_path / "facts") == ["operator-ann", "operator-empty", "operator-x", "operator-x-2"]
    split(source, tmp_path / "lists", episodes={"a": "3,0", "b": ["1"]})
    assert digests(tmp_path / "lists" / "a") == [digests(source)[index] for index in (3, 0)]
    assert Dataset.open(tmp_path / "lists" / "b").attributes["edits"][-1]["options"]["part"] == "b"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": {"a": 0.5, "b": 0.6}}, "shares that add up to 1, got 1.1"),
        ({"shares": {"../a": 0.5, "b": 0.5}}, "a folder's name"),
        ({"shares": {"a": 1.0}}, "at least two parts"),
        ({"shares": {str(n): 1 / 8 for n in range(8)}}, "groups of them, for 8 parts, got 4 episodes. Ask for fewer"),
        ({"episodes": {"a": "0-1", "b": "1"}}, "episode 1: expected one part for each episode, got 'a' and 'b'"),
        ({"episodes": {"a": "9"}}, "episodes.a: expected episodes 0 to 3, got 9"),
        ({"by": "operater"}, "Did you mean 'operator'"),
        ({"by": "operator", "shares": {"a": 0.5, "b": 0.5}}, "expected one of"),
        ({}, "expected one of"),
    ],
)
def test_a_split_that_cannot_be_is_refused(build: Build, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    source = build("source", rows=4)
    with pytest.raises(InputError, match=message):
        split(source, tmp_path / "parts", **options)
    assert names(tmp_path) == ["source"]


def test_recode_encodes_what_is_named_and_copies_the_rest(build: Build, tmp_path: Path) -> None:
    source = build("source")
    outcome = recode(source, tmp_path / "target", encodings={"wrist": "png"})
    assert digests(tmp_path / "target") == digests(source)  # nothing is lost, decoded
    assert frames(tmp_path / "target", 2) == frames(source, 2)
    assert Dataset.open(tmp_path / "target").schema.encoding("wrist").kind == "png"  # type: ignore[union-attr]
    assert "  wrist: raw becomes png" in outcome.lines()
    recode(tmp_path / "target", tmp_path / "back", encodings={"wrist": "raw"})
    assert digests(tmp_path / "back") == digests(source)
    assert [each["verb"] for each in Dataset.open(tmp_path / "back").attributes["edits"]] == ["recode", "recode"]
    recode(source, tmp_path / "lossy", encodings={"front": "jpeg"}, quality=30)
    assert sum(map(len, frames(tmp_path / "lossy", 0))) < sum(map(len, frames(source, 0)))


@pytest.mark.parametrize(
    ("encodings", "message"),
    [
        ({"wrist": "as_it_came"}, "as its images did not come as JPEG.*encodings.wrist=jpeg encodes them"),
        ({"front": "as_it_came"}, "expected another encoding, got as_it_came, as it is"),
        ({"frnt": "png"}, "Did you mean 'front'"),
        ({"joints": "png"}, "encoding png: expected rows"),
        ({"front": "webp"}, "expected one of raw, jpeg, png, as_it_came"),
        ({}, "expected at least one"),
    ],
)
def test_a_recode_that_cannot_be_is_refused(
    build: Build, tmp_path: Path, encodings: dict[str, str], message: str
) -> None:
    source = build("source", rows=4)
    with pytest.raises(InputError, match=message):
        recode(source, tmp_path / "target", encodings=encodings)
    assert names(tmp_path) == ["source"]


def test_a_store_that_tiller_did_not_write_is_refused(tmp_path: Path) -> None:
    import zarr

    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    root.create_array("data/action", data=np.zeros((4, 1)))
    root.create_array("meta/episode_ends", data=np.array([4]))
    with pytest.raises(InputError, match="tiller data convert"):
        delete(tmp_path / "foreign", tmp_path / "target", episodes="0")


def test_a_zip_is_a_source_too(build: Build, tmp_path: Path) -> None:
    import shutil

    source = build("source", range(2), rows=4)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", source)
    delete(archive, tmp_path / "target", episodes="0")
    assert digests(tmp_path / "target") == digests(source)[1:]
    assert frames(tmp_path / "target", 0) == frames(source, 1)
