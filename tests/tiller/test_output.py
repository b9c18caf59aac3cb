"""The folder of a run is its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import yaml

from data.store.writing.lock import LOCK_NAME, WriterLock
from data.store.writing.target import free_folder
from robot.errors import InputError, TillerError
from tests.journeys.commands import Command
from tiller.runs.origin import trained_task
from tiller.runs.output import ANOTHER, CONFIG, FINISHED, Output, claim_folder, finished_figures, open_output

RUNS = 8
ROOT = Path(__file__).parents[2]
OTHERS = [{"resume": True}, {"overwrite": True}, {}]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


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
    tiller: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for more in ((), ("resume=true",)):
        tiller.succeeds("collect", "task=press", "episodes=1", "output=.", *more)
        assert Path.cwd() == tmp_path / "here" and len(list(Path().glob("zarr.json"))) == 1
    with (
        pytest.raises(InputError, match="asked wrongly"),
        open_output("collect", {}, ".", overwrite=True).kept_if_used(),
    ):
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


@pytest.mark.parametrize("how", OTHERS)
def test_second_run_on_an_output_is_refused_and_changes_nothing(tmp_path: Path, how: dict[str, bool]) -> None:
    program = (
        "import sys; from tiller.runs.output import open_output; output = open_output('train', {'number': 1}, "
        "sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "run")],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdin is not None and first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        before = files(tmp_path)
        with pytest.raises(InputError) as caught:
            open_output("train", {"number": 2}, str(tmp_path / "run"), **how)
        assert caught.value.exit_code == 2
        if how:
            assert f"is being written by process {first.pid} on " in str(caught.value)
            assert "choose another output=" in str(caught.value)
        assert files(tmp_path) == before
        first.send_signal(signal.SIGKILL)
    if how:
        open_output("train", {"number": 3}, str(tmp_path / "run"), **how).mark({})
        assert yaml.safe_load((tmp_path / "run" / CONFIG).read_text()) == {"number": 3}
        assert not (tmp_path / "run" / LOCK_NAME).exists()


def test_overwriting_spares_a_folder_that_somebody_writes_in_the_middle_of(tmp_path: Path) -> None:
    open_output("demo", {}, str(tmp_path / "demo")).mark({})
    (tmp_path / "demo" / "policy").mkdir()
    inner = WriterLock(tmp_path / "demo" / "policy")
    before = files(tmp_path)
    with pytest.raises(InputError, match=f"policy is being written by process {os.getpid()}"):
        claim_folder("demo", str(tmp_path / "demo"), overwrite=True)
    assert files(tmp_path) == before
    inner.release()
    claim_folder("demo", str(tmp_path / "demo"), overwrite=True)
    assert list((tmp_path / "demo").iterdir()) == []


def test_a_done_run_lets_others_write(tmp_path: Path) -> None:
    output = open_output("train", {}, str(tmp_path / "run"))
    with pytest.raises(InputError, match="is being written by"):
        WriterLock(output.path, ANOTHER)
    output.mark({"updates": 1})
    WriterLock(output.path, ANOTHER).release()


@pytest.mark.parametrize("earlier", [{}, {FINISHED: b"{}"}])
def test_refused_resume_leaves_configuration_and_mark_of_the_run_before(
    tmp_path: Path, earlier: dict[str, bytes]
) -> None:
    open_output("train", {"number": 1}, str(tmp_path)).mark({})
    (tmp_path / "metrics.csv").write_text("step")
    (tmp_path / FINISHED).unlink()
    for name, content in earlier.items():
        (tmp_path / name).write_bytes(content)
    before = files(tmp_path)
    output = open_output("train", {"number": 2}, str(tmp_path), resume=True)
    with pytest.raises(InputError, match="no such device"), output.kept_if_used():
        raise InputError("no such device")
    assert files(tmp_path) == before
    WriterLock(tmp_path).release()


def test_run_that_wrote_something_before_it_was_refused_keeps_its_configuration(tmp_path: Path) -> None:
    open_output("train", {"number": 1}, str(tmp_path)).mark({})
    (tmp_path / "metrics.csv").write_text("step")
    output = open_output("train", {"number": 2}, str(tmp_path), resume=True)
    with pytest.raises(InputError), output.kept_if_used():
        (tmp_path / "checkpoint").write_text("new")
        raise InputError("the task")
    assert yaml.safe_load((tmp_path / CONFIG).read_text()) == {"number": 2}


@pytest.mark.parametrize("error", [InputError("the task"), TillerError("damaged data")])
def test_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, error: TillerError) -> None:
    output = open_output("train", {}, str(tmp_path / "run"))
    with pytest.raises(TillerError), output.kept_if_used():
        (output.path / "checkpoints").mkdir()
        raise error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("there", ["file", "files", "store", "checkpoint"])
def test_a_run_and_a_store_refuse_a_path_that_is_not_free_alike(tmp_path: Path, there: str) -> None:
    target = tmp_path / there
    if there == "file":
        target.write_text("words")
    else:
        target.mkdir()
        (target / {"files": "notes.txt", "store": "zarr.json", "checkpoint": "policy.json"}[there]).write_text("{}")
    target = target / "within" if there in ("store", "checkpoint") else target
    before = files(tmp_path)
    refusals = []
    for claim in (lambda: claim_folder("train", str(target)), lambda: free_folder(target)):
        with pytest.raises(InputError) as caught:
            claim()
        refusals.append((caught.value.thing, caught.value.expected, caught.value.got))
    assert refusals[0] == refusals[1] and str(target) in refusals[0][0]
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "maker, how",
    [("collect", {"resume": True}), ("collect", {"overwrite": True}), (None, {"overwrite": True})],
    ids=["resume another verb's", "overwrite another verb's", "overwrite somebody else's"],
)
def test_what_this_verb_did_not_make_is_neither_removed_nor_gone_on_with(
    maker: str | None, how: dict[str, bool], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "rows").write_bytes(b"demonstrations")
    if maker is not None:
        (folder / CONFIG).write_text(f"# tiller {maker}\n")
        (folder / FINISHED).write_text("{}")
    before = files(folder)
    got = "one of 'tiller collect'" if maker else "something else"
    with pytest.raises(InputError, match=f"a folder that 'tiller steer' made.*got {got}.*another output="):
        open_output("steer", {}, str(folder), **how)
    assert files(folder) == before


def test_books_of_a_run_that_was_refused_before_any_result_are_removed(tmp_path: Path) -> None:
    output = open_output("steer", {}, str(tmp_path / "out"))
    with pytest.raises(InputError), output.kept_if_used(("books.json", "curves")):
        (output.path / "books.json").write_text("{}")
        (output.path / "curves").mkdir()
        (output.path / "curves" / "events").write_text("1")
        raise InputError("task", expected="one that there is")
    assert not output.path.exists()
    output = open_output("steer", {}, str(tmp_path / "out"))
    with pytest.raises(InputError), output.kept_if_used(("books.json",)):
        (output.path / "books.json").write_text("{}")
        (output.path / "result").write_text("1")
        raise InputError("task", expected="one that there is")
    assert {"books.json", "result", CONFIG} <= set(files(output.path))


def test_a_verb_that_cannot_go_on_does_not_say_that_it_could(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"")
    with pytest.raises(InputError, match="overwrite=true") as refused:
        claim_folder("quality", str(tmp_path), resumes=False)
    assert "resume" not in str(refused.value)
