"""Stores that are clean but for what a test changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping

import pytest

from data.store.dataset import Dataset
from tests.data.checks.rules.stores import EPISODES, SCHEMA, Build, Change, rows_of


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Write a store of six episodes; `change` may spoil the rows and streams of each."""

    def write(
        change: Change = lambda number, data, streams: None,
        attributes: Mapping[str, Any] | None = None,
        recording: Callable[[int], str] = lambda number: "{}",
    ) -> Path:
        with Dataset.create(tmp_path / "store", SCHEMA, attributes) as dataset:
            for number in range(EPISODES):
                data, streams = rows_of(number)
                change(number, data, streams)
                with dataset.writer() as writer:
                    writer.add(data)
                    for name, (value, time_ns) in streams.items():
                        writer.add_stream(name, value, time_ns)
                    writer.commit({"success": True, "recording": recording(number)})
        return tmp_path / "store"

    return write
