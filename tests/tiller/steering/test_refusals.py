"""What a method cannot work with is refused before anything is run, with the method that would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.commands import TINY, Command
from tests.tiller.steering.conftest import WORDS
from tiller.cli import main
from tiller.runs.output import CONFIG


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture(scope="module")
def without_noise(car_policies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression policy for the mountain car."""
    folder = tmp_path_factory.mktemp("regression") / "run"
    data = car_policies[0].parent / "dataset"
    words = [f"data={data}", f"output={folder}", "policy=regression_mlp", "task=gym/MountainCarContinuous-v0", *TINY]
    assert main(["train", *words]) == 0
    return folder


def test_tickets_of_a_regression_policy_are_refused_with_what_works(
    without_noise: Path, tmp_path: Path, tiller: Command
) -> None:
    result = tiller("steer", f"checkpoint={without_noise}", f"output={tmp_path / 'out'}", "method=ticket", *WORDS)
    assert result.code == 2 and "method=filtered_bc works" in result.message
    assert not (tmp_path / "out").exists()


def test_what_is_free_for_a_regression_policy_is_tried_and_the_rest_is_shown_as_not_possible(
    without_noise: Path, tmp_path: Path, tiller: Command
) -> None:
    out = tiller.succeeds(
        "steer", f"checkpoint={without_noise}", f"output={tmp_path / 'out'}", "method=free", "free.rows=[2]", *WORDS
    )
    lines = [line for line in out.splitlines() if line.startswith("│")]
    impossible = [line.split("│")[1].strip() for line in lines if "not possible" in line]
    assert {"noise_scale 0", "medoid of 4"} <= set(impossible)
    assert any("rows 2" in line and "not possible" not in line for line in lines)


def test_cloning_without_demonstrations_is_refused(car_policies: list[Path], tmp_path: Path, tiller: Command) -> None:
    import shutil

    run = tmp_path / "car"
    shutil.copytree(car_policies[0], run, symlinks=True)
    (run / CONFIG).unlink()
    words = (f"checkpoint={run}", "task=gym/MountainCarContinuous-v0", "method=filtered_bc", *WORDS)
    result = tiller("steer", *words, f"output={tmp_path / 'out'}")
    assert result.code == 2 and "demonstrations=" in result.message and "own successes alone" in result.message
    gone = tiller("steer", *words, f"output={tmp_path / 'out'}", f"demonstrations={tmp_path / 'gone'}")
    assert gone.code == 2 and "nothing there" in gone.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("method=tickets", "ticket"),
        ("seed=100000", "seed"),
        ("error=1", "error"),
        ("cloning.share=1", "cloning.share"),
        ("resume=true", "output"),
    ],
)
def test_options_out_of_range_are_refused(word: str, message: str, car_policies: list[Path], tiller: Command) -> None:
    result = tiller("steer", f"checkpoint={car_policies[0]}", word)
    assert result.code == 2 and message in result.message


def test_a_task_that_does_not_say_what_is_a_success_is_refused(
    car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    words = ("task=gym/tests.tiller.gate:Gate-v0", "options.arguments.gate=/", "options.max_steps=8", "episodes=4")
    result = tiller("steer", f"checkpoint={car_policies[0]}", f"output={tmp_path / 'out'}", *words)
    assert result.code == 2 and "success" in result.message
