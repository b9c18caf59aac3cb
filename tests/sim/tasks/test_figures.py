"""What the page of tasks reads from the tables of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot.errors import InputError
from sim.tasks.figures import Figures, measured


def test_the_later_table_wins_and_an_empty_cell_is_not_measured(tmp_path: Path) -> None:
    head = "task,episodes,successes,steps_per_s"
    (tmp_path / "metaworld.csv").write_text(f"{head},reset_ms\na/b,20,19,1000,3\nc/d,,,5.5,3\n")
    (tmp_path / "experts.csv").write_text(f"{head}\na/b,500,490,\n")
    assert measured(tmp_path) == {"a/b": Figures(500, 490, None), "c/d": Figures(0, None, 5.5)}


def test_a_folder_without_tables_has_no_figures(tmp_path: Path) -> None:
    assert measured(tmp_path) == {}


@pytest.mark.parametrize(
    "text, words",
    [
        ("task,episodes,steps_per_s\na/b,1,2\n", "none named successes"),
        ("task,episodes,successes,steps_per_s\na/b,1,2,3\na/c,many,2,3\n", "line 3"),
    ],
)
def test_a_table_that_is_wrong_names_the_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "experts.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        measured(tmp_path)
