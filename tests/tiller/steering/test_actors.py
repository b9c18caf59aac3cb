"""`tiller steer` by an actor: what is refused before anything is run, and a run that leaves a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.loading.load import load, save_steered
from policies.steering.by_noise.noise_scale import NoiseScaled
from tests.journeys.commands import Command
from tests.tiller.conftest import CAR
from tests.tiller.steering.conftest import WORDS
from tiller.runs.output import FINISHED

LEARNING = (
    f"task={CAR}", *WORDS, "learning.steps=200", "learning.episodes=4", "learning.warmup=4", "learning.updates=1",
    "learning.judged=0", "learning.critic.width=16", "learning.critic.batch_size=16", "learning.demonstrations=false",
)  # fmt: skip


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("method", ["dsrl_na", "dsrl_sac"])
def test_a_layer_between_noise_and_chunk_is_refused(
    car_policies: list[Path], tmp_path: Path, tiller: Command, method: str
) -> None:
    scaled = save_steered(NoiseScaled(load(car_policies[0]), noise_scale=0.5), tmp_path / "steered", car_policies[0])
    result = tiller("steer", f"checkpoint={scaled}", f"output={tmp_path / 'out'}", f"method={method}", *LEARNING)
    assert result.code == 2 and "noise_scale between the two" in result.message
    assert not (tmp_path / "out").exists()


def test_a_residual_that_may_move_nothing_is_refused_with_the_option(
    car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    words = (f"checkpoint={car_policies[0]}", f"output={tmp_path / 'out'}", "method=residual", *LEARNING)
    result = tiller("steer", *words)
    assert result.code == 2 and "learning.residual.delta={NAME: DISTANCE}" in result.message
    wrong = tiller("steer", *words, "learning.residual.delta={actoin: 0.1}")
    assert wrong.code == 2 and "Did you mean 'action'" in wrong.message


@pytest.mark.parametrize("method", ["dsrl_na", "residual"])
def test_a_run_learns_and_meets_the_best_rung(
    car_policies: list[Path], tmp_path: Path, tiller: Command, method: str
) -> None:
    words = (f"checkpoint={car_policies[0]}", f"output={tmp_path / 'out'}", f"method={method}", *LEARNING)
    tiller.succeeds("steer", *words, "learning.residual.delta={action: 0.1}")
    figures = json.loads((tmp_path / "out" / method / FINISHED).read_text())
    assert figures["steps"] >= 200
    assert (tmp_path / "out" / method / "actor" / "actor.json").is_file()
