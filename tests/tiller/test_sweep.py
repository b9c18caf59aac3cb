"""Sweeps that run through: their cells, their folder, their summary."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from robot.errors import InputError
from tests.journeys.commands import contents
from tests.tiller.conftest import CAR, QUICK
from tiller.cli import main
from tiller.sweep import Cell, expand
from tiller.sweep.cells import LONGEST_NAME
from tiller.sweep.evaluations import require_disjoint_seeds
from tiller.sweep.record import Sweep, join_sweep, write_sweep
from tiller.verbs.evaluate import EvaluateOptions


def test_names_tell_cells_apart_and_fit_a_file_system() -> None:
    names = [cell.name for cell in expand(["checkpoint=a/b,a-b,c"])]
    assert len(set(names)) == 3 and names[2] == "checkpoint-c"
    assert all(name.startswith("checkpoint-a-b-") for name in names[:2])
    (long,) = {cell.name for cell in expand([f"checkpoint={'x' * 300},y"])} - {"checkpoint-y"}
    assert len(long) == LONGEST_NAME
    larger = expand([f"checkpoint={'x' * 300},y,z"])
    assert long in {cell.name for cell in larger}, "it keeps its name in a larger sweep"


def test_value_given_twice_is_one_cell() -> None:
    assert [cell.name for cell in expand(["seed=0,0,1"])] == ["seed-0", "seed-1"]


def test_seeds_of_cells_must_not_overlap() -> None:
    def cells(*seeds: int, **options: str) -> dict[str, EvaluateOptions]:
        return {f"seed-{seed}{options}": EvaluateOptions("x", seed=seed, episodes=50, **options) for seed in seeds}

    require_disjoint_seeds(cells(0, 50, 1000))
    require_disjoint_seeds({**cells(0), **cells(0, task="pusht/state")})
    with pytest.raises(InputError, match=r"0 to 49 in seed-0.* 50 between them"):
        require_disjoint_seeds(cells(0, 1, 100))


def begun(folder: Path, verb: str, *cells: Cell, done: bool = True) -> Sweep:
    """Note a sweep, and leave the mark of a done run in each of its cells."""
    sweep = join_sweep(folder, verb, cells)
    write_sweep(folder, sweep)
    for cell in cells if done else ():
        (folder / cell.name).mkdir(exist_ok=True)
        (folder / cell.name / "finished.json").write_text("{}")
    return sweep


def test_sweep_that_goes_on_may_grow_but_must_be_the_same(tmp_path: Path) -> None:
    begun(tmp_path, "evaluate", Cell("seed-0", ("seed=0", "episodes=50", "workers=1")))
    grown = begun(tmp_path, "evaluate", Cell("seed-1", ("seed=1", "episodes=50")))
    assert list(grown.cells) == ["seed-0", "seed-1"]
    join_sweep(tmp_path, "evaluate", [Cell("seed-0", ("workers=2", "seed=0", "episodes=50"))])
    with pytest.raises(InputError, match="expected episodes=50, got episodes=60"):
        join_sweep(tmp_path, "evaluate", [Cell("seed-0", ("seed=0", "episodes=60"))])
    with pytest.raises(InputError, match="a sweep of tiller train, got one of evaluate"):
        join_sweep(tmp_path, "train", [Cell("seed-0", ("seed=0",))])


def test_run_that_was_never_done_is_forgotten_when_nobody_asks_for_it(tmp_path: Path) -> None:
    begun(tmp_path, "evaluate", Cell("checkpoint-mistyped", ("checkpoint=mistyped",)), done=False)
    assert list(begun(tmp_path, "evaluate", Cell("checkpoint-right", ("checkpoint=right",))).cells) == [
        "checkpoint-right"
    ]


def test_grown_sweep_must_not_share_seeds_with_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(tmp_path, "evaluate", Cell("seed-0", ("checkpoint=x", "seed=0", "episodes=50")))
    assert main(["evaluate", "-m", "checkpoint=x", "seed=20,100", "episodes=50", f"output={tmp_path}"]) == 2
    assert "disjoint seeds" in capsys.readouterr().err
    assert not (tmp_path / "seed-20.log").exists()


def test_policies_by_seeds_end_in_one_summary_and_are_not_run_twice(
    car_policies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    words = (
        "evaluate",
        "-m",
        f"checkpoint={car_policies[0]},{car_policies[1]}",
        f"task={CAR}",
        "seed=0,1000",
        *QUICK,
        f"output={folder}",
        "jobs=2",
    )
    assert main(list(words)) == 0
    shown = capsys.readouterr().out
    assert "4 runs, 0 done before" in shown and "car0" in shown and "McNemar" in shown
    summary = json.loads((folder / "summary.json").read_text())
    assert [policy["name"] for policy in summary["policies"]] == ["car0", "car1"]
    assert [(result["seeds"], result["episodes"]) for result in summary["results"]] == [("0-1, 1000-1001", 4)] * 2
    (versus,) = summary["comparisons"]
    assert versus["result"]["pairs"] == 4
    with (folder / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == ["car0", "car1"] and float(rows[0]["success_low"]) <= 1
    assert "Paired on the same seeds" in (folder / "report.html").read_text()
    before = contents(folder)
    assert main(list(words)) == 0
    assert "4 runs, 4 done before" in capsys.readouterr().out
    assert contents(folder) == before
    assert main(["report", str(folder)]) == 0
    assert "success rate" in capsys.readouterr().out
    assert contents(folder) == before, "the report of a sweep is what the sweep itself wrote"
    cell = json.loads((next(folder.glob("*car0*seed-0")) / "evaluation.json").read_text())
    assert cell["command"].startswith("tiller evaluate checkpoint="), "as it can be typed again"


def test_sweep_of_evaluations_without_a_result_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(tmp_path, "evaluate", Cell("seed-0", ("seed=0",)), done=False)
    assert main(["report", str(tmp_path)]) == 2
    assert "none of them done" in capsys.readouterr().err
