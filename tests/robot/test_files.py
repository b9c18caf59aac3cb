"""Files and folders are there whole, or as they were before."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot.files import new_folder, partial_name, point_link, remove_partial, write_file, write_new, write_table


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_the_one_before_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    assert write_file(path, "älter\n") == path and path.read_bytes() == "älter\n".encode()
    write_file(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff" and names(path.parent) == ["file.txt"]


def test_a_table_has_its_columns_in_order_and_refuses_others(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", ["b", "a"], ({"a": i, "b": f"x,{i}"} for i in range(2)))
    assert path.read_bytes() == b'b,a\n"x,0",0\n"x,1",1\n'
    with pytest.raises(ValueError, match="'c'"):
        write_table(path, ["b", "a"], [{"a": 1, "b": 2}, {"c": 3}])
    assert path.read_bytes().startswith(b"b,a\n") and names(tmp_path) == ["t.csv"]


def test_a_full_disk_leaves_the_file_and_the_folder_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = write_file(tmp_path / "file", "before"), tmp_path / "folder"
    with new_folder(folder) as partial:
        (partial / "inside").write_text("before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, "after")
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "new", lambda file: file.write(b"after"))
    with pytest.raises(OSError, match="No space"), new_folder(folder) as partial:
        (partial / "inside").write_text("after")
    assert path.read_text() == "before" and (folder / "inside").read_text() == "before"
    assert names(tmp_path) == ["file", "folder"]


def test_contents_are_on_the_disk_before_a_name_points_at_them_and_names_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace, rename, link = os.fsync, os.replace, os.rename, os.link

    def synced(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        events.append("folder" if name == str(tmp_path) else "content")
        fsync(descriptor)

    def named(do):  # type: ignore[no-untyped-def]
        return lambda *paths: (events.append("name"), do(*paths))[1]

    monkeypatch.setattr(os, "fsync", synced)
    for name, do in (("replace", replace), ("rename", rename), ("link", link)):
        monkeypatch.setattr(os, name, named(do))
    write_file(tmp_path / "file", "x")
    assert events == ["content", "name", "folder"]
    events.clear()
    write_new(tmp_path / "file", lambda file: file.write(b"y"))
    assert events == ["content", "name", "name", "folder"], "the first name was taken"
    events.clear()
    with new_folder(tmp_path / "folder") as partial:
        (partial / "inside").write_text("x")
    assert events == ["content", "content", "name", "folder"], "of the file, of the folder's names"


def test_a_block_that_raises_leaves_the_folder_before(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with new_folder(tmp_path / "folder") as partial:
            (partial / text).write_text(text)
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "folder") as partial:
        (partial / "third").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["second"]


def test_a_link_is_never_absent(tmp_path: Path) -> None:
    link = tmp_path / "last"
    for target in ("1", "2"):
        (tmp_path / target).mkdir()
        point_link(link, target)
        assert os.readlink(link) == target
    assert names(tmp_path) == ["1", "2", "last"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kept.partial").write_text("a name that a person gave")
    partial_name(tmp_path / "file").write_text("half")
    leftover = partial_name(tmp_path / "folder")
    (leftover / "deep").mkdir(parents=True)
    remove_partial(tmp_path)
    assert names(tmp_path) == ["kept.partial"]


WRITER = """
import sys
from pathlib import Path
from robot.files import new_folder, write_file
folder, turn = Path(sys.argv[1]), 0
while True:
    turn += 1
    write_file(folder / "file", f"{turn}\\n" * 20000)
    with new_folder(folder / f"folder-{turn % 2}") as partial:
        for name in ("a", "b"):
            (partial / name).write_text(f"{turn}\\n" * 2000)
    print(turn, flush=True)
"""


def test_a_kill_at_any_moment_leaves_whole_files_and_folders(tmp_path: Path) -> None:
    random.seed(1)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        lines = (tmp_path / "file").read_text().splitlines()
        assert len(lines) == 20000 and len(set(lines)) == 1
        for folder in tmp_path.glob("folder-*"):
            texts = {path.read_text() for path in folder.iterdir()}
            assert names(folder) == ["a", "b"] and len(texts) == 1 and len(texts.pop().splitlines()) == 2000
        remove_partial(tmp_path)
