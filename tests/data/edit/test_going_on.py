"""An edit that is killed leaves its work, with which the same edit goes on; any other begins anew."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.edit.copying import copy
from data.edit.delete import delete
from data.edit.merge import merge
from data.edit.split import split
from data.store.dataset import Dataset
from data.store.writing.ahead import ahead
from data.store.writing.resuming import unfinished
from robot.errors import InputError
from tests.data.edit.conftest import Build, digests, names, rich_facts, rich_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Commits every episode, and is interrupted after so many."""

    def after(commits: int) -> Any:
        monkeypatch.setattr(copy, "COMMIT_BYTES", 1)

        def stop(done: int, of: int) -> None:
            if done == commits:
                raise KeyboardInterrupt

        return stop

    return after


def test_the_same_edit_goes_on_and_makes_the_same(
    build: Build, tmp_path: Path, interrupted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = build("one", range(3), rows=6), build("two", range(3, 6), rows=6)
    merge([one, two], tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        merge([one, two], tmp_path / "target", on_progress=interrupted(4))
    work = unfinished(tmp_path / "target")
    assert not (tmp_path / "target").exists() and len(Dataset.open(work / "made")) == 4
    copied: set[int] = set()
    add = copy._add
    monkeypatch.setattr(copy, "_add", lambda part, writer: copied.add(part.number) or add(part, writer))
    merge([one, two], tmp_path / "target")
    assert copied == {4, 5} and not work.exists()
    assert Dataset.open(tmp_path / "target").fingerprint == Dataset.open(tmp_path / "whole").fingerprint
    assert Dataset.open(tmp_path / "target").attributes == Dataset.open(tmp_path / "whole").attributes


def test_another_edit_or_a_source_that_changed_begins_anew(build: Build, tmp_path: Path, interrupted: Any) -> None:
    one = build("one", range(4), rows=6)
    with pytest.raises(KeyboardInterrupt):
        delete(one, tmp_path / "target", episodes="3", on_progress=interrupted(2))
    with pytest.raises(KeyboardInterrupt):
        delete(one, tmp_path / "target", episodes="0", on_progress=interrupted(1))
    with Dataset.open(one, mode="a") as dataset, dataset.writer() as writer:
        writer.add(rich_rows(9, rows=6))
        writer.commit(rich_facts(9))
    delete(one, tmp_path / "target", episodes="0")
    assert digests(tmp_path / "target") == digests(one)[1:]
    assert names(tmp_path) == ["one", "target"]


def test_a_split_goes_on_with_the_part_at_which_it_stopped(build: Build, tmp_path: Path, interrupted: Any) -> None:
    one = build("one", range(4), rows=6)
    (tmp_path / "parts").mkdir()
    with pytest.raises(KeyboardInterrupt):
        split(one, tmp_path / "parts", episodes={"a": "0-1", "b": "2-3"}, on_progress=interrupted(3))
    assert names(tmp_path / "parts") == [".parts.unfinished"]
    split(one, tmp_path / "parts", episodes={"a": "0-1", "b": "2-3"})
    assert names(tmp_path / "parts") == ["a", "b"]
    assert digests(tmp_path / "parts" / "a") + digests(tmp_path / "parts" / "b") == digests(one)


def test_a_kill_between_the_last_check_and_the_last_rename_costs_nothing(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data.store.writing import resuming

    one = build("one", range(3), rows=6)
    (tmp_path / "target").mkdir()
    move = resuming.move_into_place

    def half(made: Path, folder: Path) -> None:
        (made / "data").rename(folder / "data")
        raise KeyboardInterrupt

    monkeypatch.setattr(resuming, "move_into_place", half)
    with pytest.raises(KeyboardInterrupt):
        delete(one, tmp_path / "target", episodes="0")
    monkeypatch.setattr(resuming, "move_into_place", move)
    delete(one, tmp_path / "target", episodes="0")
    assert digests(tmp_path / "target") == digests(one)[1:]
    assert ".target.unfinished" not in names(tmp_path / "target")


def test_two_of_the_same_at_once_are_one_too_many(build: Build, tmp_path: Path) -> None:
    from data.store.writing.lock import WriterLock

    one = build("one", range(2), rows=6)
    work = unfinished(tmp_path / "target")
    work.mkdir()
    lock = WriterLock(work)
    try:
        with pytest.raises(InputError, match="is being written by process"):
            delete(one, tmp_path / "target", episodes="0")
        assert work.exists()
    finally:
        lock.release()
    delete(one, tmp_path / "target", episodes="0")


def test_an_error_comes_where_it_would_have_come_and_what_is_not_taken_is_not_made() -> None:
    made = []

    def items() -> Any:
        for number in range(5):
            made.append(number)
            yield number
        raise ValueError("at the end")

    taken = []
    with pytest.raises(ValueError, match="at the end"):
        for number in ahead(items()):
            taken.append(number)
    assert taken == list(range(5))
    made.clear()
    for _ in ahead(items()):
        break
    assert len(made) <= 3


@pytest.mark.parametrize(
    "edits", [("merge", "convert"), pytest.param(("recode", "apply", "export"), marks=pytest.mark.slow)]
)
def test_edits_that_are_killed_complete_and_change_nothing(tmp_path: Path, edits: tuple[str, ...]) -> None:
    if "export" in edits:
        pytest.importorskip("pyarrow", reason="LeRobot needs the extra 'formats'")
    count = 4 // len(edits)
    words = ["--edits", *edits, "--kills", str(count), "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.kill_edit", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    kills = [json.loads(line) for line in (tmp_path / "kills.jsonl").read_text().splitlines()]
    assert [kill["edit"] for kill in kills] == [edit for edit in edits for _ in range(count)]
    assert not any(kill["touched"] or kill["changed"] or kill["wrong"] for kill in kills)


def _tiller(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tiller", "data", *words], cwd=ROOT, capture_output=True, text=True)


def test_the_command_line_takes_several_sources_and_shows_a_dry_run(build: Build, tmp_path: Path) -> None:
    sources = [str(build(name, [number], rows=6)) for number, name in enumerate("abc")]
    target = str(tmp_path / "target")
    assert _tiller("merge", *sources, target, "dry_run=true").stdout.splitlines()[-1] == "Nothing was written"
    assert _tiller("merge", *sources, target).returncode == 0 and len(Dataset.open(target)) == 3
    again = _tiller("merge", *sources, target)
    assert again.returncode == 2 and "nothing is overwritten" in again.stderr and "Traceback" not in again.stderr
    labelled = _tiller("relabel", target, str(tmp_path / "labelled"), "set.instruction=007", "episodes=[0,2]")
    assert labelled.returncode == 0
    assert Dataset.open(tmp_path / "labelled").meta("instruction").tolist() == ["007", "take 1", "007"]


def test_complete_work_on_another_edit_overwrites_nothing(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data.store.writing import resuming

    one = build("one", range(3), rows=6)
    with monkeypatch.context() as patch:
        patch.setattr(resuming.shutil, "rmtree", lambda *given, **options: None)  # killed after the rename
        delete(one, tmp_path / "target", episodes="0")
    assert (unfinished(tmp_path / "target") / "complete").is_file()
    with pytest.raises(InputError, match="nothing is overwritten"):
        delete(one, tmp_path / "target", episodes="1")
    assert digests(tmp_path / "target") == digests(one)[1:]
    assert not unfinished(tmp_path / "target").exists()
