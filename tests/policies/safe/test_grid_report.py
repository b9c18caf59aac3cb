"""The report of the passivity grid says what its episodes say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks import passivity_grid
from benchmarks.passivity_report import EPISODE, FALSIFIERS, begin_report, read_cells, write_cell, write_report
from robot.errors import InputError

STEPS = {("agnostic", "none"): 50, ("agnostic", "filter"): 90, ("aware", "none"): 55, ("aware", "filter"): 60}


def write_grid(
    out: Path,
    *,
    steps: dict[tuple[str, str], int] = STEPS,
    filtered_overdraft_j: float = 0.0,
    failures: int = 0,
    episodes: int = 20,
) -> None:
    """Cells of one seed in which every episode is alike, but for failures of the aware policy with the filter."""
    for (policy, how), taken in steps.items():
        for layouts in ("training", "held_out"):
            rows = []
            for number in range(episodes):
                failed = (policy, how) == ("aware", "filter") and number < failures
                row = dict.fromkeys(EPISODE, 0.0) | {
                    "layout": 1,
                    "seed": number,
                    "success": float(not failed),
                    "steps": 400 if failed else taken,
                    "energy_j": 0.2,
                    "overdraft_j": filtered_overdraft_j if how == "filter" else 0.1,
                    "changed": 0.25,
                }
                rows.append(row)
            levels = np.full((episodes, 401), np.nan)
            levels[:, :taken] = np.linspace(0.4, 0.1, taken)
            write_cell(out / f"{policy}-seed0" / f"{layouts}-{how}", rows, levels)


def verdicts(out: Path) -> list[str]:
    begin_report(out, "A budget.")
    return write_report(out, out / "table.csv", {"algorithm": "ppo"}).splitlines()


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    write_grid(tmp_path)
    cells = {(cell.policy, cell.filter, cell.layouts, cell.seed): cell for cell in read_cells(tmp_path)}
    assert len(cells) == 8
    cell = cells["aware", "filter", "held_out", 0]
    assert (cell.episodes["steps"] == 60).all() and np.isnan(cell.levels[:, 60:]).all()


def test_a_good_grid_falsifies_nothing_and_draws_its_energy(tmp_path: Path) -> None:
    write_grid(tmp_path)
    assert [" not falsified:" in line for line in verdicts(tmp_path)] == [True] * 3
    assert {file.name for file in tmp_path.glob("*.png")} == {"energy_training.png", "energy_held_out.png"}
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    first = rows[0]
    assert (first["policy"], first["filter"], first["algorithm"]) == ("agnostic", "none", "ppo")
    assert float(first["overdraft"]) == 1.0 and float(first["steps"]) == 50 and float(first["intervention"]) == 0.25


def test_each_falsifier_fires_on_what_it_names(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    write_grid(slow, steps={**STEPS, ("aware", "filter"): 90})
    assert "FALSIFIED" in verdicts(slow)[0]
    costly = tmp_path / "costly"
    write_grid(costly, failures=2)
    assert "FALSIFIED" in verdicts(costly)[1]
    cheap = tmp_path / "cheap"
    write_grid(cheap, failures=1)  # 5 points are not more than 5 points
    assert "not falsified" in verdicts(cheap)[1]
    leaky = tmp_path / "leaky"
    write_grid(leaky, filtered_overdraft_j=1e-12)
    assert "FALSIFIED" in verdicts(leaky)[2]


def test_a_grid_that_lacks_cells_says_so(tmp_path: Path) -> None:
    write_grid(tmp_path, steps={("agnostic", "none"): 50})
    assert all("cannot be said" in line for line in verdicts(tmp_path))


def test_falsifiers_stand_before_the_run_and_are_not_written_again(tmp_path: Path) -> None:
    begin_report(tmp_path, "A budget.")
    begun = (tmp_path / "report.md").read_text()
    assert all(text in begun for text in FALSIFIERS)
    write_grid(tmp_path)
    verdicts(tmp_path)
    ended = (tmp_path / "report.md").read_text()
    assert ended.startswith(begun.partition("(not run yet)")[0].rstrip())
    verdicts(tmp_path)
    assert (tmp_path / "report.md").read_text() == ended


def test_a_grid_is_not_gone_on_with_by_other_choices(tmp_path: Path) -> None:
    words = ["--out", str(tmp_path / "grid"), "--table", str(tmp_path / "table.csv"), "--seeds", "0"]
    with pytest.raises(InputError, match="begun"):
        passivity_grid.main([*words, "--report"])
    passivity_grid.main(words)
    with pytest.raises(InputError, match="Give the same choices"):
        passivity_grid.main([*words, "--steps", "1000"])
