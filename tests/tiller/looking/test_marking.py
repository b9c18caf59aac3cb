"""Marks that are made in the page: in the file at once, each by itself, never on top of what cannot be read."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from data.edit.copying.origin import Origin
from data.edit.marks import blank_mark, marks_path, read_marks
from robot.errors import InputError
from tests.tiller.looking.conftest import looked_at, make_store
from tiller.looking.marking import Marker
from tiller.looking.snapshot import Shelf

OF = {"store": 0, "generation": 0}


CUTS = ([0, 0], [5, 3], [0, 9], [-1, 4], [0.0, 4], ["0", 4], [0, 4, 5], [0, 2**70], [0, True], 4)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("marked") / "cups", episodes=3, rows=8)


@pytest.fixture
def store(small: Path, tmp_path: Path) -> Path:
    shutil.copytree(small, tmp_path / "cups")
    return tmp_path / "cups"


def said(store: Path) -> dict[int, dict[str, Any]]:
    """What the file says of each episode, besides which it is."""
    marks = read_marks(marks_path(store)).episodes
    return {
        index: {k: v for k, v in mark.to_json().items() if k not in ("rows", "digest")} for index, mark in marks.items()
    }


def test_a_mark_is_in_the_file_when_it_is_answered_and_names_its_episode(store: Path) -> None:
    with looked_at(store) as page:
        status, answer = page.mark(1, {"keep": False, "cut": [2, 7], "labels": ["slow", "ü"], "note": "twice"})
        assert status == 200
        mark = read_marks(marks_path(store)).episodes[1]
        assert json.loads(answer)["mark"] == mark.to_json()
        blank = blank_mark(Origin(store), 1)
        assert (mark.rows, mark.digest) == (blank.rows, blank.digest) == (9, blank.digest)
        assert said(store) == {1: {"keep": False, "cut": [2, 7], "labels": ["slow", "ü"], "note": "twice"}}
        assert page.json("/marks", **OF)["marks"] == {"1": mark.to_json()}


def test_a_change_leaves_what_else_is_marked_and_null_takes_it_away(store: Path) -> None:
    with looked_at(store) as page:
        for changes in ({"success": True}, {"instruction": "take it"}, {"success": None, "keep": True}):
            assert page.mark(0, changes)[0] == 200
        assert said(store) == {0: {"instruction": "take it", "keep": True}}
        assert page.mark(0, {"instruction": None, "keep": None})[0] == 200
        assert said(store) == {}, "an episode of which nothing is said has no line"


def test_two_windows_and_two_processes_keep_each_others_marks(store: Path) -> None:
    snapshot = Shelf([str(store)])[0]
    markers = [Marker(str(store)) for _ in range(3)]

    def work(number: int) -> None:
        for turn in range(6):
            markers[number].change(snapshot, number, {"note": f"{number} {turn}", "keep": turn % 2 == 0})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert said(store) == {number: {"note": f"{number} 5", "keep": False} for number in range(3)}
    before = markers[0].version
    markers[1].change(snapshot, 2, {"success": True})
    markers[0].refresh()
    assert markers[0].version > before and markers[0].marks[2].success, "what another window says is seen"


@pytest.mark.parametrize("content", ["", "{", '{"format": "other"}', '{"format": "tiller marks", "version": 2}'])
def test_a_file_that_is_no_marks_is_never_overwritten(store: Path, content: str) -> None:
    marks_path(store).write_text(content)
    with looked_at(store) as page:
        (record,) = page.json("/stores")
        assert record["unmarked"]
        status, words = page.mark(0, {"keep": False})
        assert status == 422 and b"marks" in words and marks_path(store).read_text() == content
        marks_path(store).unlink()
        assert page.json("/stores")[0]["unmarked"] == "" and page.mark(0, {"keep": False})[0] == 200


def test_a_mark_that_cannot_be_written_is_said(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with looked_at(store) as page:
        assert page.mark(0, {"note": "first"})[0] == 200
        monkeypatch.setattr("data.edit.marks.file.write_file", full)
        status, words = page.mark(0, {"note": "second"})
        assert status == 422 and b"no space left" in words and said(store) == {0: {"note": "first"}}


def test_a_cut_outside_of_the_episode_is_refused(store: Path) -> None:
    with looked_at(store) as page:
        for cut in CUTS:
            assert page.mark(0, {"cut": cut})[0] == 422
        assert not marks_path(store).exists()


def test_a_mark_of_another_episode_that_had_this_number_is_not_carried_on(store: Path) -> None:
    snapshot, marker = Shelf([str(store)])[0], Marker(str(store))
    marker.change(snapshot, 0, {"keep": False, "note": "of the store before"})
    path = marks_path(store)
    path.write_text(path.read_text().replace(blank_mark(Origin(store), 0).digest, "0" * 32))
    marker.change(snapshot, 0, {"success": True})
    assert said(store) == {0: {"success": True}}


def test_an_episode_without_rows_and_a_store_that_became_another_are_not_marked(store: Path) -> None:
    snapshot = Shelf([str(store)])[0]
    shutil.rmtree(store)
    make_store(store, episodes=3, rows=20)
    with pytest.raises(InputError, match="Load the page anew"):
        Marker(str(store)).change(snapshot, 0, {"keep": False})
    assert not marks_path(store).exists()
