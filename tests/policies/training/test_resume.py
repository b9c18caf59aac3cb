"""A run that is stopped and resumed is the run that was never stopped, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.loading.load import load
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.learner import Learner
from policies.training.running.distributed import Ranks
from policies.training.train import train
from robot.description import to_json
from robot.errors import InputError
from tests.policies.points import make_policy

CONFIG = TrainingConfig(
    steps=200,
    batch_size=16,
    warmup=20,
    log_every=50,
    checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=40, batches=2),
)
STATE = ("model.safetensors", "training/weights.safetensors", "training/optimiser.safetensors")


def state_of(run: Path) -> list[bytes]:
    """Averaged weights, raw weights and the optimiser's moments, as they are on disk."""
    last = run / "checkpoints" / "last"
    return [(last / name).read_bytes() for name in STATE]


@pytest.mark.parametrize(
    ("steps", "stop", "batch_size", "accumulation"),
    [
        (200, 100, 16, 1),  # a hundred and a hundred; an epoch ends every eleven updates
        (30, 17, 16, 4),  # after whole updates of four micro-batches
        (30, 13, 500, 1),  # each update spans epochs
    ],
)
def test_a_stopped_run_that_goes_on_is_the_run_that_never_stopped(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, steps: int, stop: int, batch_size: int, accumulation: int
) -> None:
    recipe = replace(recipe, network={**recipe.network, "dropout": 0.1})
    config = replace(CONFIG, steps=steps, batch_size=batch_size, accumulation=accumulation)
    whole = train(store, recipe, config, tmp_path / "whole", device="cpu")
    first = train(store, recipe, replace(config, stop_after=stop), tmp_path / "parts", device="cpu")
    assert (first.stopped, first.updates) == ("stop_after", stop)
    second = train(store, recipe, config, tmp_path / "parts", resume=True, device="cpu")
    assert (second.stopped, second.updates) == ("done", steps)
    assert state_of(tmp_path / "whole") == state_of(tmp_path / "parts")
    assert second.validation_loss == whole.validation_loss
    steps = [line.split(",")[0] for line in (tmp_path / "parts" / "metrics.csv").read_text().splitlines()[1:]]
    assert steps == sorted(steps, key=int)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 1e-30},
        {"schedule": "constant", "learning_rate": 1e-30},
        {"schedule": "constant_with_warmup", "warmup": 10**9, "learning_rate": 1e-20},
        {"schedule": "linear", "warmup": 10**9, "steps": 10**9, "learning_rate": 1e-15},
    ],
)
def test_another_learning_rate_holds_from_the_first_update_after_a_resume(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, change: dict[str, Any]
) -> None:
    """So small a rate moves no weight: one update at the rate from before would."""
    train(store, recipe, replace(CONFIG, stop_after=30), tmp_path, device="cpu")
    before = state_of(tmp_path)
    result = train(store, recipe, replace(CONFIG, stop_after=33, **change), tmp_path, resume=True, device="cpu")
    assert result.updates == 33
    assert state_of(tmp_path)[1] == before[1]
    assert state_of(tmp_path)[2] != before[2]


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-4},
        {"warmup": 40},
        {"steps": 900},
        {"schedule": "linear"},
        {"schedule": "polynomial", "learning_rate": 3e-3},
        {},
    ],
)
def test_the_rate_after_a_resume_is_the_one_that_its_choices_have_there(
    store: Path, recipe: PolicyRecipe, change: dict[str, Any]
) -> None:
    def stepped(config: TrainingConfig, updates: int) -> Learner:
        learner = Learner(make_policy(store, recipe).model, config, Ranks())
        for _ in range(updates):
            learner.optimiser.step()
            learner.schedule.step()
        return learner

    changed = replace(CONFIG, **change)
    resumed, expected = stepped(changed, 0), stepped(changed, 33)
    resumed.restore(33, stepped(CONFIG, 33).schedule.state_dict())
    for _ in range(3):
        assert resumed.optimiser.param_groups[0]["lr"] == resumed.learning_rate == expected.learning_rate
        for learner in (resumed, expected):
            learner.optimiser.step()
            learner.schedule.step()


def test_a_run_that_goes_on_otherwise_says_so(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(CONFIG, steps=20)
    train(store, recipe, short, tmp_path, device="cpu")
    capsys.readouterr()
    train(
        store,
        recipe,
        replace(short, steps=40, warmup=0, grad_clip=0.5, stop_after=25),
        tmp_path,
        resume=True,
        device="cpu",
    )
    said = capsys.readouterr().err
    for change in ("training.steps 40 (was 20)", "training.warmup 0 (was 20)", "training.grad_clip 0.5 (was 1.0)"):
        assert change in said
    assert "The learning rate of update 21 is 0.0005; as it was left it would have been" in said
    assert "stop_after" not in said
    train(
        store,
        recipe,
        replace(short, steps=40, warmup=0, grad_clip=0.5, stop_after=25),
        tmp_path,
        resume=True,
        device="cpu",
    )
    said = capsys.readouterr().err
    assert "training.stop_after 25 is behind it" in said
    assert "was" not in said
    with pytest.raises(InputError, match=r"training\.steps: expected at least 40.*got 39"):
        train(store, recipe, replace(short, steps=39), tmp_path, resume=True, device="cpu")


def test_images_resume_exactly_too(image_store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    recipe = replace(
        recipe,
        encoder={"name": "cnn", "features": 8},
        observation=("camera", "goal"),
        transforms=(),
        augmentation={"crop": 20},
    )
    config = replace(CONFIG, steps=8, batch_size=8)
    train(image_store, recipe, config, tmp_path / "whole", device="cpu")
    train(image_store, recipe, replace(config, stop_after=3), tmp_path / "parts", device="cpu")
    train(image_store, recipe, config, tmp_path / "parts", resume=True, device="cpu")
    assert state_of(tmp_path / "whole") == state_of(tmp_path / "parts")


def test_ctrl_c_ends_an_evaluation_at_once_and_nothing_is_lost(
    store: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    def evaluate(policy: DiffusionPolicy, update: int) -> dict[str, float]:
        if update == 30:
            signal.raise_signal(signal.SIGINT)
        return {"score": 1.0}

    config = replace(CONFIG, steps=40, evaluate_every=10)
    result = train(store, recipe, config, tmp_path / "run", evaluate=evaluate, device="cpu")
    assert (result.stopped, result.updates) == ("interrupted", 30)
    assert sorted(result.evaluations) == [10, 20]
    train(store, recipe, config, tmp_path / "run", resume=True, device="cpu")
    train(store, recipe, replace(CONFIG, steps=40), tmp_path / "whole", device="cpu")
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")


def test_an_evaluation_that_fails_costs_no_update(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    def evaluate(policy: DiffusionPolicy, update: int) -> dict[str, float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(store, recipe, replace(CONFIG, evaluate_every=15), tmp_path, evaluate=evaluate, device="cpu")
    assert load(tmp_path).recipe == recipe
    assert (tmp_path / "checkpoints" / "last").resolve().name == "step-00000015"


def test_a_run_copied_with_its_links_resolved_goes_on(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=20)
    train(store, recipe, replace(config, stop_after=10), tmp_path / "run", device="cpu")
    shutil.copytree(tmp_path / "run", tmp_path / "copy", symlinks=False)
    assert not (tmp_path / "copy" / "checkpoints" / "last").is_symlink()
    for run in ("run", "copy"):
        train(store, recipe, config, tmp_path / run, resume=True, device="cpu")
    assert state_of(tmp_path / "run") == state_of(tmp_path / "copy")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_saves_and_says_how_to_go_on(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, number: signal.Signals
) -> None:
    """A real process gets a real signal; going on from there ends where the undisturbed run does."""
    config = replace(CONFIG, steps=3000, log_every=10)
    run = tmp_path / "run"
    choices = json.dumps({"recipe": to_json(recipe), "config": to_json(config)})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.policies.training.run_training", str(store), str(run), choices],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )  # nohup ignores it
    metrics = run / "metrics.csv"
    deadline = time.monotonic() + 120
    while not metrics.exists() or metrics.read_text().count("\n") < 3:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    updates = int(out.split()[-1])
    assert out.startswith("stopped: interrupted")
    assert 20 <= updates < 3000
    assert f"Stopped after update {updates}; saved in {run / 'checkpoints' / 'last'}" in err
    assert "resume=true" in err
    train(store, recipe, replace(config, stop_after=updates + 5), run, resume=True, device="cpu")
    train(store, recipe, replace(config, stop_after=updates + 5), tmp_path / "whole", device="cpu")
    assert state_of(run) == state_of(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["step", "link", "both"])
def test_a_run_that_lost_its_last_checkpoint_says_so(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, lost: str
) -> None:
    quick = replace(CONFIG, steps=2)
    train(store, recipe, quick, tmp_path, device="cpu")
    if lost != "link":
        shutil.rmtree(tmp_path / "checkpoints" / "step-00000002")
    if lost != "step":
        (tmp_path / "checkpoints" / "last").unlink()
    got = "a link to 'step-00000002', which is gone" if lost == "step" else "none"
    for resume in (False, True):
        with pytest.raises(InputError, match=rf"checkpoints/last: .*got {got}.*overwrite=true"):
            train(store, recipe, quick, tmp_path, device="cpu", resume=resume)
