"""`tiller diagnose` from the command line, on a policy that was trained for a second."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.commands import TINY, Command
from tests.tiller.conftest import CAR

TASK = (f"task={CAR}", "options.max_steps=24", "options.success_return=-1.0")
"""Its episodes succeed where the car is pushed little: some chunks do, some do not."""


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that take seconds."""
    from tiller.diagnosis import actions, chunks, coverage, critic, settings

    monkeypatch.setattr(settings, "FIRST", 16)
    monkeypatch.setattr(settings, "STEPS", (3,))
    monkeypatch.setattr(actions, "STEPS", (3,))
    monkeypatch.setattr(chunks, "SIZE", chunks.Size(starts=4, decisions=(0, 1), chunks=4, continuations=3))
    monkeypatch.setattr(critic, "SIZE", chunks.SIZE)
    monkeypatch.setattr(critic, "UPDATES", 60)
    monkeypatch.setattr(coverage, "WINDOWS", 32)


def stopped(*_: Any) -> Any:
    """As Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_policy_is_diagnosed_on_one_page_and_goes_on_where_it_was(
    tiller: Command, car_policies: list[Path], tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiller.diagnosis import coverage

    words = ("diagnose", f"checkpoint={car_policies[0]}", *TASK, "minutes=0.01", f"output={tmp_path / 'out'}")
    shown = tiller.succeeds(*words)
    assert "what will pay" in shown and "noise_scale 0.25" in shown
    record = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    figures = record["figures"]
    assert figures["skipped"] == {}, "all was measured"
    names = [each["name"] for each in figures["settings"]["settings"]]
    assert names[:6] == ["base", "noise_scale 0", "noise_scale 0.25", "noise_scale 0.5", "noise_scale 0.75", "steps 3"]
    assert len(names) == 7 and names[6].endswith(", steps 3")
    assert {len(each) for each in figures["settings"]["outcomes"].values()} == {16}
    assert figures["chunks"]["states"] == 8 and figures["coverage"]["demonstrations"] == 3
    assert 0 <= figures["critic"]["concordance"]["estimate"] <= 1 and figures["critic"]["episodes"] == 64
    assert {each["rung"] for each in record["advice"]} >= {"free", "demonstrations", "filtered_bc", "choice"}
    page = (tmp_path / "out" / "diagnosis.html").read_text()
    assert "What will pay" in page and page.count("<svg") == 6
    assert not re.search(r'(src|href)="(?!data:|#)', page), "one file that needs no other"

    measures = {file: file.read_bytes() for file in (tmp_path / "out" / "measures").glob("*.json")}
    (tmp_path / "out" / "measures" / "coverage.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(coverage, "components", stopped)
        outcome = tiller(*words, "resume=true")
    assert outcome.code == 130 and "resume=true" in outcome.err
    assert "distance from the demonstrations ..." in (again := tiller.succeeds(*words, "resume=true"))
    assert "success over noise scale" not in again, "what was measured is kept"
    assert json.loads((tmp_path / "out" / "diagnosis.json").read_text())["figures"] == figures
    untouched = [file for file in measures if file.name != "coverage.json"]
    assert len(untouched) == 5 and all(file.read_bytes() == measures[file] for file in untouched)
    assert "steps" in tiller(*words, "resume=true", "steps=3").message, "another subject is refused"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("options.success_return=null", "options.max_steps=8", "task=gym/Pendulum-v1"), "policy"),
        (("checkpoint=nowhere",), "nowhere"),
        (("demonstrations=nowhere",), "nowhere"),
        (("n_action_steps=99",), "n_action_steps"),
        (("minutes=0",), "minutes"),
    ],
)
def test_bad_input_is_one_message(
    tiller: Command, car_policies: list[Path], tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    outcome = tiller("diagnose", f"checkpoint={car_policies[0]}", *TASK, f"output={tmp_path / 'out'}", *words)
    assert outcome.code == 2 and says in outcome.message
    assert not (tmp_path / "out").exists()


def test_a_task_without_success_is_refused(
    tiller: Command, car_policies: list[Path], tmp_path: Path, small: None
) -> None:
    outcome = tiller(
        "diagnose",
        f"checkpoint={car_policies[0]}",
        "task=gym/tests.sim.silent_env:Silent-v0",
        "minutes=0.01",
        f"output={tmp_path / 'out'}",
    )
    assert outcome.code == 2 and "success" in outcome.message


def test_what_cannot_be_measured_is_skipped_and_says_why(
    tiller: Command, car_policies: list[Path], tmp_path: Path, small: None
) -> None:
    """A policy without noise, on a task that never repeats, whose demonstrations are gone."""
    import shutil

    data = shutil.copytree(car_policies[0].parent / "dataset", tmp_path / "data")
    run, out = tmp_path / "run", tmp_path / "out"
    tiller.succeeds("train", "policy=regression_mlp", f"task={CAR}", f"data={data}", f"output={run}", *TINY)
    shutil.rmtree(data)
    task = ("task=gym/tests.sim.silent_env:Drifting-v0", "options.success_return=-1.0")
    shown = tiller.succeeds("diagnose", f"checkpoint={run}", *task, "minutes=0.01", f"output={out}")
    assert "always gives the same chunk" in shown and "add demonstrations=DATASET" in shown
    record = json.loads((out / "diagnosis.json").read_text())
    figures, skipped = record["figures"], record["figures"]["skipped"]
    assert {"chunks", "critic", "coverage", "noise", "demonstrations", "states"} == set(skipped)
    assert "cannot be put back" in skipped["states"]
    assert [each["name"] for each in figures["settings"]["settings"]] == ["base"]
    assert figures["actions"]["fields"]["action"]["spread"] is None and figures["latency"]["p50_ms"]
    known = {each["rung"]: each["verdict"] for each in record["advice"]}
    assert known["choice"] == known["demonstrations"] == known["free"] == "not known"
    assert "Not measured" in (out / "diagnosis.html").read_text()
