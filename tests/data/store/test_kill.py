"""A process that is killed while it appends loses nothing that was committed, wherever the kill falls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def _kill(folder: Path, *options: str) -> dict[str, int]:
    """Run the benchmark, which kills real processes, and read its table."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_append", "--folder", str(folder), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {line[:32].strip(): int(line[32:]) for line in done.stdout.splitlines()}


def _assert_nothing_lost(table: dict[str, int]) -> None:
    assert table["stores that fail to open"] == 0
    assert table["committed episodes lost"] == 0
    assert table["committed episodes changed"] == 0
    assert table["of them within an append"] > 0


@pytest.mark.slow
def test_a_kill_at_any_write_or_rename_of_an_append_loses_nothing(tmp_path: Path) -> None:
    table = _kill(tmp_path, "--every-step")
    assert table["kills"] > 25
    _assert_nothing_lost(table)


def test_a_kill_at_random_instants_loses_nothing(tmp_path: Path) -> None:
    table = _kill(tmp_path, "--kills", "10")
    assert table["kills"] == 10
    _assert_nothing_lost(table)


@pytest.mark.slow
def test_two_hundred_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    _assert_nothing_lost(_kill(tmp_path, "--kills", "200", "--seed", "1"))
