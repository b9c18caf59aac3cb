"""What reaches the disk, and in which order: the part of crash safety that a kill alone cannot show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from data.store.dataset import Dataset
from robot.files import PARTIAL


def _record(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Note every fsync and every rename, in order, as (what, path)."""
    events: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        events.append(("synced", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def noted_replace(source: Any, target: Any) -> None:
        events.append(("content of", Path(source)))
        replace(source, target)
        events.append(("renamed", Path(target)))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return events


def test_everything_is_on_the_disk_before_the_commit_and_the_commit_before_append_returns(
    store: Path, make_episode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Dataset.open(store, mode="a") as dataset:
        events = _record(monkeypatch)
        dataset.append(make_episode(4))
        happened = list(events)
    renames = [index for index, (what, _) in enumerate(happened) if what == "renamed"]
    commit = renames[-1]
    assert happened[commit][1] == store / "zarr.json"
    assert [happened[index][1] for index in renames].count(store / "zarr.json") == 1
    for index, (what, path) in enumerate(happened):
        if what == "content of":
            assert ("synced", path) in happened[:index], f"{path} was renamed before its content was on the disk"
        if what == "renamed" and index != commit:
            assert ("synced", path.parent) in happened[index:commit], f"{path} was not on the disk before the commit"
    assert ("synced", store) in happened[commit:]
    assert {"c.0.0", "zarr.json"} <= {path.name for what, path in happened if what == "renamed"}


def test_a_new_store_appears_whole_and_durable(tmp_path: Path, schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    events = _record(monkeypatch)
    Dataset.create(tmp_path / "deep" / "store", schema).close()
    appeared = events.index(("renamed", tmp_path / "deep" / "store"))
    contents = [path for what, path in events[:appeared] if what == "content of" and path.suffix == PARTIAL]
    assert contents and all(("synced", path) in events[:appeared] for path in contents)
    assert ("synced", tmp_path / "deep") in events[appeared:]


def test_nothing_is_left_aside_after_appends(store: Path, make_episode: Any) -> None:
    with Dataset.open(store, mode="a") as dataset:
        for number in range(3):
            dataset.append(make_episode(number))
    assert not list(store.rglob(f"*{PARTIAL}"))
