"""What steers by an actor comes back from its checkpoint as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.actors.checkpoint import actor_fingerprint, save_actor
from policies.loading.folder import parts
from policies.loading.load import load, save_steered
from policies.model import checkpoint
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_actor.noise_actor import NoiseActor
from policies.steering.by_actor.residual import Residual
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.steered import Steered
from robot.description import Policy
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.actors import made_actor
from tests.policies.steering.known_critics import save_learnt


@pytest.fixture
def base(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> Path:
    return checkpoint.save(make_policy(store, recipe), tmp_path / "runs" / "base")


def sample(policy: Policy) -> np.ndarray:
    return policy.sample(observe(policy, 3), seeds=[1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["noise_actor", "residual", "residual by value"])
def test_it_comes_back_as_it_was_and_all_move_together(base: Path, tmp_path: Path, what: str) -> None:
    kind, runs = what.split()[0], base.parent
    policy: Any = load(base)
    actor = save_actor(made_actor(policy, kind, moved=1.0), runs / "actor")
    critic = str(save_learnt(policy, runs / "critic")) if what.endswith("value") else None
    made: Steered
    if kind == "noise_actor":
        made = NoiseActor(policy, str(actor))
    else:
        made = Residual(NoiseScaled(policy, noise_scale=0.5), str(actor), critic)
    path = save_steered(made, runs / "steered", base)
    again = load(path)
    np.testing.assert_array_equal(sample(again), sample(made))
    assert isinstance(again, Steered) and again.settings == made.settings
    assert again.settings["actor"] == actor_fingerprint(actor) and ("critic" in again.settings) == (critic is not None)
    assert parts(path) == [path, base, *([runs / "critic"] if critic else []), actor]
    shutil.move(runs, tmp_path / "moved")
    np.testing.assert_array_equal(sample(load(tmp_path / "moved" / "steered")), sample(made))
    save_actor(made_actor(policy, kind, moved=1.0, seed=1), tmp_path / "moved" / "actor")
    with pytest.raises(InputError, match=rf"the actor of hash {actor_fingerprint_of(made)}, which steered"):
        load(tmp_path / "moved" / "steered")


def actor_fingerprint_of(made: Any) -> str:
    return str(made.settings["actor"])
