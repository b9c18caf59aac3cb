"""A collection that goes on says which episode the run before left unfinished."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import SEED
from data.store.schema import Schema
from data.store.writing.lock import LOCK_NAME
from tests.policies.points import episode, schema
from tiller.verbs.collect import command


def test_collecting_on_says_that_an_episode_was_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, plain = tmp_path / "store", schema()
    origin = {
        "task": "twin/lift",
        "task_options": {},
        "collection": {"expert": "scripted", "seed": 0, "keep_failures": False},
    }
    with Dataset.create(path, Schema(plain.observation, plain.action, plain.period_s, (SEED,)), origin) as dataset:
        dataset.append(Episode(episode(0, 5).data, {"seed": 0}))
    (path / LOCK_NAME).write_text('{"pid": 1, "episode": 1}')
    words = ["task=twin/lift", "episodes=1", f"output={path}", "resume=true"]
    assert command(words) == 0
    assert "an episode of less than a file, begun at an unknown time, was not committed: dropped" in " ".join(
        capsys.readouterr().out.split()
    )
    assert command(words) == 0
    assert "dropped" not in capsys.readouterr().out
