"""The folder of a run is its own."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import yaml

from robot.errors import InputError
from tests.journeys.commands import Command
from tiller.output import CONFIG, FINISHED, Output, finished_figures, open_output
from tiller.verbs.evaluate import trained_task

RUNS = 8


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


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


def test_figures_are_json_that_every_program_reads(tmp_path: Path) -> None:
    Output("train", tmp_path).mark({"loss": math.nan, "score": -math.inf, "updates": 3, "success": 0.5})

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    read = json.loads((tmp_path / FINISHED).read_text(), parse_constant=refuse)
    assert read == {"loss": None, "score": None, "updates": 3, "success": 0.5} == finished_figures(tmp_path)


def test_the_folder_one_stands_in_can_be_an_output_and_be_replaced(
        tiller: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for more in ((), ("resume=true",)):
        tiller.succeeds("collect", "task=press", "episodes=1", "output=.", *more)
        assert Path.cwd() == tmp_path / "here" and len(list(Path().glob("zarr.json"))) == 1
    with pytest.raises(InputError, match="asked wrongly"), open_output("train", {}, ".", overwrite=True).kept_if_used():
        raise InputError("asked wrongly")
    assert Path.cwd() == tmp_path / "here" and list(Path().iterdir()) == []
    assert tiller("report", ".", "output=.").code == 2


def test_only_a_training_runs_own_configuration_says_what_a_policy_was_trained_for(tmp_path: Path) -> None:
    checkpoint = tmp_path / "project" / "run" / "checkpoints" / "final"
    checkpoint.mkdir(parents=True)
    (tmp_path / "project" / CONFIG).write_text("task: somebody/else\noptions: {a: 1}\n")
    (checkpoint.parent / CONFIG).write_text("task: [of, another, program]\n")
    assert trained_task(str(checkpoint)) == (None, {})
    run = tmp_path / "project" / "run" / CONFIG
    run.write_text("# tiller train\ntask: twin/lift\noptions: {b: 2}\n")
    assert trained_task(str(checkpoint)) == trained_task(str(run.parent)) == ("twin/lift", {"b": 2})
    run.write_text("# tiller train\ntask: null\n")
    (tmp_path / "project" / CONFIG).write_text("# tiller train\ntask: twin/peg\n")
    assert trained_task(str(checkpoint)) == (None, {}), "the nearest run is the one"
