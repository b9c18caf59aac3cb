"""The file of marks: what is written is read again, people can read it, and what is no mark is refused by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.edit.copying.origin import Origin
from data.edit.marks import (
    EpisodeMark,
    Marks,
    blank_mark,
    differences,
    labels_of,
    mark_of,
    marks_beside,
    marks_path,
    read_marks,
    store_of,
    write_marks,
)
from data.edit.marks.file import LARGEST_FILE
from data.edit.marks.matching import require_marked
from data.edit.relabel import relabel
from data.edit.trim import Idle, trim
from data.store.dataset import Dataset
from robot.errors import InputError, TillerError
from tests.data.edit.conftest import Build, names, rich_facts, rich_rows
from tests.data.small_files import small_files

ROOT = Path(__file__).parents[3]
DIGEST = "0123456789abcdef" * 2
_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_label = _words.filter(lambda words: bool(words.strip()) and words.isprintable())


@st.composite
def a_mark(draw: st.DrawFn) -> EpisodeMark:
    rows = draw(st.integers(1, 1 << 40))
    ends = sorted(draw(st.tuples(st.integers(0, rows - 1), st.integers(1, rows))))
    return EpisodeMark(
        rows,
        draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        draw(st.none() | st.booleans()),
        draw(st.none() | st.booleans()),
        draw(st.none() | _words),
        draw(st.none() | st.lists(_label, max_size=4, unique=True).map(tuple)),
        draw(st.none() | st.just((ends[0], max(ends[1], ends[0] + 1)))),
        draw(st.none() | _words),
    )


@settings(max_examples=60)
@given(_words, st.dictionaries(st.integers(0, 10_000), a_mark(), max_size=5))
def test_what_is_written_is_read_again_and_has_a_line_for_each_episode(
    tmp_path_factory: pytest.TempPathFactory, store: str, episodes: dict[int, EpisodeMark]
) -> None:
    path, marks = tmp_path_factory.mktemp("marks") / "store.marks.json", Marks(store, episodes)
    write_marks(path, marks)
    assert read_marks(path) == marks
    lines = path.read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line.startswith("    ")] == [
        line for line in lines if line.lstrip().split(":")[0].strip('"').isdigit()
    ]
    assert len([line for line in lines if line.startswith("    ")]) == len(episodes)
    again = path.read_bytes()
    write_marks(path, read_marks(path))
    assert path.read_bytes() == again and names(path.parent) == ["store.marks.json"]


@given(a_mark())
def test_a_mark_is_its_own_mapping(mark: EpisodeMark) -> None:
    assert mark_of(json.loads(json.dumps(mark.to_json())), "mark") == mark
    marks = Marks("store", {3: mark})
    assert marks.with_mark(3, mark) == marks and marks.with_mark(5, mark).without_mark(5) == marks


def test_a_file_is_what_people_expect_of_it(tmp_path: Path) -> None:
    path = marks_path(tmp_path / "demos")
    marks = Marks(
        "demos", {10: EpisodeMark(30, DIGEST, cut=(4, 30), labels=("Ärger",)), 9: EpisodeMark(8, DIGEST, keep=False)}
    )
    write_marks(path, marks)
    assert path.name == "demos.marks.json" and path.parent == tmp_path
    assert path.read_text(encoding="utf-8") == (
        '{\n  "episodes": {\n'
        f'    "9": {{"digest": "{DIGEST}", "keep": false, "rows": 8}},\n'
        f'    "10": {{"cut": [4, 30], "digest": "{DIGEST}", "labels": ["Ärger"], "rows": 30}}\n'
        '  },\n  "format": "tiller marks",\n  "store": "demos",\n  "version": 1\n}\n'
    )


def test_marks_stand_beside_their_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert marks_path("demos/") == tmp_path / "demos.marks.json" == marks_path("./x/../demos")
    assert marks_path("demos.zip") == tmp_path / "demos.zip.marks.json"
    assert store_of(marks_path("demos.zip")) == tmp_path / "demos.zip" and store_of("a/b.marks.json") == Path("a/b")
    assert marks_path(".").parent == tmp_path.parent
    assert marks_beside("demos") == Marks("demos")
    write_marks(marks_path("demos"), Marks("demos", {0: EpisodeMark(1, DIGEST)}))
    assert marks_beside("demos").episodes == {0: EpisodeMark(1, DIGEST)}
    with pytest.raises(InputError, match=r"expected a local store.*got a URL"):
        marks_path("s3://bucket/demos")
    for name in ("demos.json", ".marks.json", "demos"):
        with pytest.raises(InputError, match=r"expected a file STORE.marks.json.*store=PATH"):
            store_of(tmp_path / name)


GOOD = {"rows": 30, "digest": DIGEST}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], r"episode 3: expected a mapping of what was marked, got \[\]"),
        (None, r"episode 3: expected a mapping of what was marked, got null"),
        ({}, r"expected rows and digest of the episode, got no rows and no digest"),
        ({"rows": 30}, r"got no digest"),
        ({**GOOD, "kep": True}, r"expected a known key, got 'kep'. Did you mean 'keep'"),
        ({**GOOD, "k" * 5000: 1}, r"expected a known key, got 'kkk.*\(5000 characters\)"),
        ({**GOOD, "rows": True}, r"rows: expected a number of rows, from 1 on, got true"),
        ({**GOOD, "rows": 30.0}, r"rows: expected a number of rows, from 1 on, got 30.0"),
        ({**GOOD, "rows": 0}, r"rows: .* got 0"),
        ({**GOOD, "rows": 10**4000}, r"rows: .* got a number that is too large"),
        ({**GOOD, "digest": DIGEST.upper()}, r"digest: expected 32 hexadecimal digits"),
        ({**GOOD, "digest": 5}, r"digest: expected 32 hexadecimal digits, got 5"),
        ({**GOOD, "keep": 1}, r"keep: expected true or false, got 1"),
        ({**GOOD, "keep": None}, r"keep: expected true or false, got null"),
        ({**GOOD, "success": "true"}, r"success: expected true or false, got 'true'"),
        ({**GOOD, "instruction": ["lift"]}, r"instruction: expected text, got \[...\]"),
        ({**GOOD, "instruction": "x" * 2001}, r"instruction: expected at most 2,000 characters, got 2,001"),
        ({**GOOD, "note": "\ud800"}, r"note: expected text that UTF-8 can hold"),
        ({**GOOD, "labels": "good"}, r"labels: expected a list of at most 32 labels, got 'good'"),
        ({**GOOD, "labels": [str(n) for n in range(33)]}, r"labels: expected a list of at most 32 labels, got 33"),
        ({**GOOD, "labels": ["x" * 101]}, r"labels: expected at most 100 characters, got 101"),
        ({**GOOD, "labels": [{}]}, r"labels: expected text, got a dict"),
        ({**GOOD, "labels": [" "]}, r"labels: expected labels of one line"),
        (
            {**GOOD, "labels": ["\x1b[2J"]},
            r"labels: expected labels of one line.*, got '\?\[2J'",
        ),
        ({**GOOD, "labels": ["a", "a"]}, r"labels: expected each label once, got 'a' twice"),
        ({**GOOD, "cut": [0, 31]}, r"cut: expected \[FIRST, STOP\] .*0 <= FIRST < STOP <= 30, got \[0, 31\]"),
        ({**GOOD, "cut": [5, 5]}, r"cut: .*got \[5, 5\]"),
        ({**GOOD, "cut": [-1, 5]}, r"cut: .*got \[-1, 5\]"),
        ({**GOOD, "cut": [0, True]}, r"cut: .*got \[0, true\]"),
        ({**GOOD, "cut": [0, 5.0]}, r"cut: .*got \[0, 5.0\]"),
        ({**GOOD, "cut": [0, float("nan")]}, r"cut: .*got \[0, nan\]"),
        ({**GOOD, "cut": [1]}, r"cut: .*got \[1\]"),
        ({**GOOD, "cut": {"0": 1}}, r"cut: .*got a dict"),
    ],
)
def test_what_is_no_mark_is_refused_by_name(mapping: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        mark_of(mapping, "marks 'a': episode 3")
    assert len(str(refusal.value)) < 400 and str(refusal.value).isprintable()


@given(st.lists(_label, unique=True, max_size=5))
def test_labels_are_read_from_their_fact(labels: list[str]) -> None:
    assert labels_of(EpisodeMark(1, DIGEST, labels=tuple(labels)).facts["labels"]) == tuple(labels)


def test_a_fact_that_a_person_typed_is_one_label() -> None:
    for fact in ("slow", "[1, 2]", '{"a": 1}', "[" * 100_000, "null"):
        assert labels_of(fact) == (fact,)
    assert labels_of("") == labels_of(" ") == labels_of("[]") == ()


def test_a_mark_that_is_none_cannot_be_made_at_all() -> None:
    with pytest.raises(InputError, match=r"mark: cut: expected \[FIRST, STOP\]"):
        EpisodeMark(3, DIGEST, cut=(2, 9))
    with pytest.raises(InputError, match=r"expected numbers of episodes, from 0 on, got -1"):
        Marks("a").with_mark(-1, EpisodeMark(3, DIGEST))


def _file(**changes: Any) -> dict[str, Any]:
    return {"format": "tiller marks", "version": 1, "store": "demos", "episodes": {}, **changes}


HOSTILE: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "deep": (b"[" * 200_000, "lists within lists without end"),
    "deep within": (b'{"format": "tiller marks", "episodes": ' + b'{"0":' * 50_000, "lists within lists"),
    "not utf-8": (json.dumps(_file()).replace("demos", "é").encode("latin-1"), "text that is not UTF-8"),
    "utf-16": (json.dumps(_file()).encode("utf-16"), "text that is not UTF-8"),
    "empty": (b"", "no JSON"),
    "cut off": (json.dumps(_file()).encode()[:-3], "no JSON"),
    "a list": (b"[]", "another JSON file"),
    "a number": (b"1e999", "another JSON file"),
    "another format": (_file(format="else"), "another JSON file"),
    "a format that is no word": (_file(format=["tiller marks"]), "another JSON file"),
    "another version": (_file(version=2), "expected version 1"),
    "a version that is true": (_file(version=True), "expected version 1"),
    "no version": ({key: value for key, value in _file().items() if key != "version"}, "expected version 1"),
    "another key": (_file(episode={}), "Did you mean 'episodes'"),
    "no store": (_file(store=None), "no name of a store"),
    "a store without bytes": (_file(store="\ud800"), "store: expected text that UTF-8 can hold"),
    "a store of many words": (_file(store="x" * 9_999), "store: expected at most 2,000 characters"),
    "a list of episodes": (_file(episodes=[]), "no mapping of episodes"),
    "a negative episode": (_file(episodes={"-1": GOOD}), "'-1' as the number of an episode"),
    "an episode by letters": (_file(episodes={"../x": GOOD}), "'../x' as the number of an episode"),
    "an episode with zeros": (_file(episodes={"01": GOOD}), "'01' as the number of an episode"),
    "an episode of other digits": (_file(episodes={"٣": GOOD}), "as the number of an episode"),
    "a huge episode": (_file(episodes={"9" * 400: GOOD}), r"\(400 characters\) as the number of an episode"),
    "an episode that is none": (_file(episodes={"0": 7}), "episode 0: expected a mapping of what was marked, got 7"),
    "NaN": (b'{"format": "tiller marks", "version": NaN}', "NaN, which is no number"),
    "infinity": (b'{"format": "tiller marks", "version": -Infinity}', "-Infinity, which is no number"),
    "a number without end": (b'{"version": ' + b"9" * 100_000 + b"}", "no JSON"),
    "a key twice": (b'{"format": "tiller marks", "version": 1, "version": 1}', "the key 'version' twice"),
    "an episode twice": (
        json.dumps(_file(episodes={"0": GOOD, "1": GOOD})).replace('"1":', '"0":').encode(),
        "the key '0' twice",
    ),
    "too large": (b" " * (LARGEST_FILE + 1), f"more than {LARGEST_FILE:,} bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = HOSTILE[name]
    path = tmp_path / "demos.marks.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(InputError, match=message) as refusal:
        read_marks(path)
    assert str(refusal.value).startswith(f"marks '{path}'")
    assert len(str(refusal.value)) < 500 + len(str(path)) and "\n" not in str(refusal.value)


def test_a_path_that_holds_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path / "nothing", "no file at this path"),
        (tmp_path, "no regular file"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "loop", "no file at this path"),
        ("/dev/zero", "no regular file"),
        ("a\0b", "no file at this path"),
    ):
        with pytest.raises(InputError, match=rf"(?i){message}.*tiller data view"):
            read_marks(path)


def test_a_file_by_another_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "demos.marks.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(_file(episodes={"4": GOOD}), indent=4).replace("\n", "\r\n").encode())
    assert read_marks(path) == Marks("demos", {4: EpisodeMark(30, DIGEST)})


def test_a_full_disk_leaves_the_marks_before(tmp_path: Path) -> None:
    path = tmp_path / "demos.marks.json"
    write_marks(path, Marks("demos", {0: EpisodeMark(1, DIGEST)}))
    many = Marks("demos", {index: EpisodeMark(1, DIGEST) for index in range(500)})
    with small_files(4096), pytest.raises(TillerError, match=r"were not written: no space left"):
        write_marks(path, many)
    assert len(read_marks(path).episodes) == 1 and names(tmp_path) == ["demos.marks.json"]
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="expected a file that can be written"):
        write_marks(path, many)


def test_more_than_a_file_may_hold_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from data.edit.marks import file

    monkeypatch.setattr(file, "LARGEST_FILE", 1000)
    with pytest.raises(InputError, match="expected at most 1,000 bytes"):
        write_marks(tmp_path / "a", Marks("a", {index: EpisodeMark(1, DIGEST) for index in range(20)}))
    assert not names(tmp_path)


def test_a_kill_leaves_old_or_new_marks_and_never_half_of_them(tmp_path: Path) -> None:
    path = tmp_path / "demos.marks.json"
    code = (
        "import sys\nfrom data.edit.marks import EpisodeMark, Marks, write_marks\n"
        "number = 0\nwhile True:\n    number += 1\n"
        f"    write_marks(sys.argv[1], Marks('demos', {{at: EpisodeMark(number, '{DIGEST}') for at in range(300)}}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    marks = read_marks(path)
    assert len(marks.episodes) == 300 and len({mark.rows for mark in marks.episodes.values()}) == 1


def test_an_episode_that_is_another_one_now_is_known_by_its_digest(build: Build, tmp_path: Path) -> None:
    source = build("source", range(4), rows=12, still=(3, 3))
    origin = Origin(source)
    marks = Marks("source", {index: blank_mark(origin, index) for index in (0, 1, 3)})
    assert marks.episodes[0].rows == 12 and not differences(origin, marks)
    with Dataset.open(source, mode="a") as dataset, dataset.writer() as writer:
        writer.add(rich_rows(9, rows=6))
        writer.commit(rich_facts(9))
    require_marked(Origin(source), marks, "file")  # a store that has grown is the same one
    assert differences(Origin(build("fewer", range(3), rows=12, still=(3, 3))), marks) == {3: "no such one of 3"}
    relabel(source, tmp_path / "labelled", facts={"success": "true"}, episodes="1")
    assert differences(Origin(tmp_path / "labelled"), marks) == {1: "another one of as many rows"}
    trim(source, tmp_path / "trimmed", idle=Idle(keep_s=0), episodes="0,1")
    with pytest.raises(
        InputError,
        match=r"trimmed': episode 0: expected the episode of 'source' that was marked in 'file', got one of 5 rows, "
        r"where one of 12 was marked; 2 marks in all are of other episodes: 0-1. Look at them again",
    ):
        require_marked(Origin(tmp_path / "trimmed"), marks, "file")
