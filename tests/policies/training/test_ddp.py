"""Two processes learn what one would from the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.train import train
from robot.description import to_json
from robot.errors import InputError

CONFIG = TrainingConfig(
    steps=20,
    batch_size=16,
    warmup=5,
    log_every=10,
    checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=10, batches=2),
)


def torchrun(store: Path, output: Path, recipe: PolicyRecipe, config: TrainingConfig, code: int = 0) -> str:
    """Go on with a run in two processes."""
    choices = json.dumps({"recipe": to_json(recipe), "config": to_json(config), "resume": True})
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node=2",
            "-m",
            "tests.policies.training.run_training",
            str(store),
            str(output),
            choices,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_two_gloo_processes_equal_one_with_the_whole_batch(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    # One process sees the same parts of each batch, one after the other.
    accumulated = replace(CONFIG, accumulation=2)
    train(store, recipe, replace(accumulated, stop_after=10), tmp_path / "two", device="cpu")
    out = torchrun(store, tmp_path / "two", recipe, CONFIG)
    assert out.count("stopped: done 20") == 2
    assert out.count("held: 0") == 2, "the group was freed after its end"
    train(store, recipe, accumulated, tmp_path / "one", device="cpu")
    together, alone = (
        load_file(tmp_path / run / "checkpoints" / "final" / "model.safetensors") for run in ("two", "one")
    )
    assert together.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(
            together[name], tensor, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.slow
def test_a_training_that_fails_lets_go_of_the_group_too(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    diverging = replace(CONFIG, learning_rate=10.0, weight_decay=1.0, warmup=0, grad_clip=0.0, log_every=1)
    train(store, recipe, replace(diverging, stop_after=1), tmp_path, device="cpu")
    assert torchrun(store, tmp_path, recipe, diverging, code=1).count("held: 0") == 2


def test_processes_that_cannot_share_a_batch_are_refused(
    store: Path, recipe: PolicyRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from policies.training.running.distributed import Ranks
    from policies.training.running.run import check_shares

    check_shares(CONFIG, Ranks(0, 4))
    with pytest.raises(InputError, match="a multiple of 3"):
        check_shares(CONFIG, Ranks(0, 3))
