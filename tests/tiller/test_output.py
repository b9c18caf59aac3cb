"""The folder of a run is its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import yaml

from tiller.output import CONFIG, open_output

RUNS = 8


def test_runs_that_begin_in_the_same_second_get_a_folder_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    start = Barrier(RUNS)

    def run(number: int) -> tuple[int, Path]:
        start.wait()
        return number, open_output("train", {"number": number}, None).path

    with ThreadPoolExecutor(RUNS) as threads:
        for _ in range(5):
            found = list(threads.map(run, range(RUNS)))
            assert len({path for _, path in found}) == RUNS
            for number, path in found:
                assert yaml.safe_load((path / CONFIG).read_text()) == {"number": number}
