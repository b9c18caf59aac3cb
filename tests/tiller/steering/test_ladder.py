"""A ladder from a checkpoint to a checkpoint: what it keeps, counts and refuses, and that it goes on exactly."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from data.store.dataset import Dataset
from data.store.names import SEED, SUCCESS
from data.store.writing.lock import WriterLock
from policies.loading.folder import chain, fingerprint
from policies.loading.load import load
from sim.statistics.records import read_evaluation
from sim.statistics.sequential import BETTER
from tests.journeys.commands import Command
from tests.tiller.steering.conftest import WORDS, steer
from tiller.steering.options import FRESH, LEARNING, TICKETS
from tiller.steering.record import TIMES

SEED_OF_RUN = 500_000
LEARNT = ("best_of_k", "codebook")


SOME = (pytest.param(few, marks=pytest.mark.slow) for few in (0, 9, 11, 16, 100))


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def record(output: Path) -> dict[str, Any]:
    """The ladder's record without times."""
    document: dict[str, Any] = json.loads((output / "ladder.json").read_text())
    for part in (document, *document["rungs"]):
        for name in TIMES:
            part.pop(name, None)
    return document


def test_every_rung_has_its_row_and_only_what_the_test_prefers_replaces_another(climbed: Path) -> None:
    rows = record(climbed)["rungs"]
    names = [row["rung"] for row in rows]
    assert names[:1] == ["base"] and {"noise_scale 0", "noise_scale 0.75", "medoid of 4", "steps 3"} < set(names)
    methods = ["ticket", "filtered_bc", "filtered_bc", "best_of_k", "best_of_k", "codebook"]
    assert [row["method"] for row in rows[-6:]] == methods
    assert names[-3:] == ["best_of_k", "best_of_k with a fallback", "codebook"], "reported apart"
    for row in rows:
        if row["against"]:
            load(climbed / "rungs" / row["rung"].replace(" ", "_").replace(",", ""))
    best = "base"
    for row in rows:
        assert row["promoted"] == (row["verdict"] == BETTER)
        if row["against"]:
            assert row["against"] == best
        best = row["rung"] if row["promoted"] else best
    assert record(climbed)["best"] == best
    assert [row["rung"] for row in csv.DictReader((climbed / "ladder.csv").open())] == names
    assert any((climbed / "tensorboard").iterdir())


def test_all_environment_steps_are_counted(climbed: Path) -> None:
    evaluations = map(read_evaluation, climbed.rglob("evaluation.json"))
    steps = sum(each.length for evaluation in evaluations for each in evaluation.records)
    steps += sum(json.loads(path.read_text())["steps"] for path in (climbed / "ticket").glob("round-*.json"))
    steps += Dataset.open(climbed / "filtered_bc" / "episodes").rows
    learning = [json.loads((climbed / method / "finished.json").read_text())["steps"] for method in LEARNT]
    assert min(learning) >= 150 and max(learning) < 150 + 5 * 16
    steps += sum(learning)
    document = record(climbed)
    assert document["steps"] == steps == sum(row["steps"] for row in document["rungs"])
    assert document["rungs"][-1]["total_steps"] == steps
    assert json.loads((climbed / "finished.json").read_text())["steps"] == steps


def test_no_start_serves_two_purposes(climbed: Path) -> None:
    chosen, met = set[int](), list[int]()
    for path in climbed.rglob("evaluation.json"):
        seeds = [each.seed for each in read_evaluation(path).records]
        if "promotion" not in str(path):
            chosen |= set(seeds)
        elif path.parent.name.startswith("candidate"):
            met += seeds
    tickets = {seed for path in (climbed / "ticket").glob("*.json") for seed in json.loads(path.read_text())["starts"]}
    learnt = set(Dataset.open(climbed / "filtered_bc" / "episodes").meta(SEED.name).tolist())
    assert len(met) == len(set(met)) > 0 and min(met) == SEED_OF_RUN + FRESH
    assert chosen == set(range(SEED_OF_RUN, SEED_OF_RUN + 8))
    assert min(tickets) == SEED_OF_RUN + TICKETS and learnt == set(range(SEED_OF_RUN + LEARNING, min(learnt) + 16))
    assert not learnt & set(met) and not chosen & tickets


def test_the_clone_learns_from_successes_and_its_control_for_as_long_from_demonstrations(climbed: Path) -> None:
    folder = climbed / "filtered_bc"
    episodes, kept = Dataset.open(folder / "episodes"), Dataset.open(folder / "successes")
    assert len(kept) == int(episodes.meta(SUCCESS.name).sum()) > 0 and kept.meta(SUCCESS.name).all()
    runs = [json.loads((folder / name / "finished.json").read_text()) for name in ("clone", "control")]
    assert [run["updates"] for run in runs] == [20, 20]
    assert "successes" in (folder / "clone" / "config.yaml").read_text()
    assert "successes" not in (folder / "control" / "config.yaml").read_text()


def test_the_result_is_evaluated_and_loaded_like_any_other(climbed: Path, tiller: Command, tmp_path: Path) -> None:
    words = ("episodes=4", "videos=0", "options.max_steps=16", "options.success_return=-0.8")
    tiller.succeeds("evaluate", f"checkpoint={climbed}", f"output={tmp_path / 'out'}", *words)
    assert load(climbed).spec == load(climbed / "checkpoints" / "final").spec
    assert chain(climbed)[-1].name == "final" and len(chain(climbed)) == 2


@pytest.mark.parametrize("kept", [4, 14, *SOME])
def test_a_run_that_lost_everything_after_a_moment_goes_on_to_the_same_record(
    climbed: Path, car_policies: list[Path], tmp_path: Path, kept: int
) -> None:
    output = tmp_path / "run"
    shutil.copytree(climbed, output, symlinks=True)
    parts = [path.parent for path in output.rglob("evaluation.json")]
    parts += [*(output / "ticket").iterdir(), *(output / "filtered_bc").iterdir()]
    parts.sort(key=lambda part: max(file.stat().st_mtime_ns for file in [part, *part.rglob("*")]))
    for part in parts[kept:]:
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    for name in ("finished.json", "ladder.json", "ladder.csv"):
        (output / name).unlink()
    assert steer(car_policies[0], output, "resume=true") == 0
    assert record(output) == record(climbed)
    assert fingerprint(output) == fingerprint(climbed)


def test_other_options_than_a_run_was_begun_with_are_refused(
    climbed: Path, car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    output = tmp_path / "run"
    shutil.copytree(climbed, output, symlinks=True)
    again = ("steer", f"output={output}", "resume=true", *WORDS)
    other = tiller(*again, f"checkpoint={car_policies[0]}", "error=0.1")
    assert other.code == 2 and "0.05, as the run was begun" in other.message
    replaced = tiller(*again, f"checkpoint={car_policies[1]}")
    assert replaced.code == 2 and "checkpoint" in replaced.message
    assert (output / "finished.json").is_file()
    assert tiller(*again, f"checkpoint={car_policies[0]}", "workers=2", "minutes=50").code == 0


def test_two_runs_on_one_output_are_refused(car_policies: list[Path], tmp_path: Path, tiller: Command) -> None:
    (tmp_path / "run").mkdir()
    lock = WriterLock(tmp_path / "run")
    try:
        result = tiller("steer", f"checkpoint={car_policies[0]}", f"output={tmp_path / 'run'}", *WORDS)
    finally:
        lock.release()
    assert result.code == 2 and "another output=" in result.message


def test_no_time_leaves_the_base_with_a_row_for_what_was_not_begun(
    car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    output = tmp_path / "run"
    tiller.succeeds("steer", f"checkpoint={car_policies[0]}", f"output={output}", *WORDS, "minutes=0.0001")
    rows = {row["rung"]: row["verdict"] for row in record(output)["rungs"]}
    late = dict.fromkeys(("ticket", "filtered_bc", *LEARNT), "out of time")
    assert rows == {"base": "the best of these", **late}


@pytest.mark.slow
def test_with_more_time_the_same_run_goes_on(car_policies: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "run"
    assert steer(car_policies[0], output, "minutes=0.0001") == 0
    assert steer(car_policies[0], output, "minutes=60", "resume=true") == 0
    assert "out of time" not in {row["verdict"] for row in record(output)["rungs"]}
