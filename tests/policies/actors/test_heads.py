"""What actors give: within their bounds, of the shapes that were chosen, and nothing before they have learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.actors.checkpoint import actor_fingerprint, load_actor, save_actor
from policies.actors.edit import deltas
from policies.actors.noise import noise_of
from policies.model.policy import DiffusionPolicy
from policies.recipe.actors import NoiseOptions, NoiseShape, ResidualOptions, SoftOptions
from policies.recipe.recipe import PolicyRecipe
from robot.description import ActionField, ActionSpec
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.actors import BASE, made_actor

DRAWS = 10_000


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, horizon=6, n_action_steps=3)
    made = make_policy(store, recipe)
    made.fingerprint = BASE
    return made


@pytest.mark.parametrize("shape", ["full", "repeated", "knots"])
def test_noises_reach_the_bound_and_never_pass_it(policy: DiffusionPolicy, shape: str) -> None:
    """With a bound of 1.5 the largest of 10,000 draws lies between 1 and 1.5, of samples and of means alike."""
    head = made_actor(policy, "noise_actor", shape=shape, moved=3.0).model.head
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(DRAWS, head.actor.body[0].in_features, generator=generator)
    with torch.no_grad():
        numbers, _ = head.actor.sample(states, generator)
        for noise in (head.noise(numbers), head(states), head.noise(2 * torch.ones_like(numbers))):
            assert noise.shape == (DRAWS, 6, 2)
            assert 1.0 < float(noise.abs().max()) <= 1.5


@given(st.integers(1, 20), st.integers(2, 6), st.sampled_from(["full", "repeated", "knots"]), st.floats(0.1, 5))
def test_the_numbers_of_a_noise_are_those_that_made_it(horizon: int, knots: int, shape: str, bound: float) -> None:
    basis = torch.from_numpy(NoiseShape(bound, shape, knots).basis(horizon))
    torch.testing.assert_close(basis.sum(1), torch.ones(horizon))
    numbers = 2 * torch.rand(5, basis.shape[1] * 2, generator=torch.Generator().manual_seed(horizon)) - 1
    noise = noise_of(numbers, basis, bound)
    assert noise.shape == (5, horizon, 2) and float(noise.abs().max()) <= bound
    again = (torch.linalg.pinv(basis.double()).float() @ noise / bound).flatten(1)
    torch.testing.assert_close(again, numbers, atol=1e-4, rtol=1e-4)


def test_repeated_noise_is_one_row_and_knots_are_lines_between_few() -> None:
    numbers = torch.rand(4, 8)
    repeated = noise_of(numbers[:, :2], torch.from_numpy(NoiseShape(shape="repeated").basis(16)), 1.5)
    assert torch.equal(repeated, repeated[:, :1].expand(-1, 16, -1)) and float(repeated[:, 0].std()) > 0
    knots = noise_of(numbers, torch.from_numpy(NoiseShape(shape="knots", knots=4).basis(16)), 1.5)
    bends = knots.diff(n=2, dim=1).abs().amax((0, 2)) > 1e-4
    assert bends.sum() <= 4, "straight but at the two inner knots, which lie on rows or between two"
    torch.testing.assert_close(knots[:, [0, 5, 10, 15]], 1.5 * numbers.unflatten(1, (4, 2)))
    few = NoiseShape(shape="knots", knots=4).basis(3)
    np.testing.assert_array_equal(few, np.eye(3))


def test_edits_stay_within_delta_and_leave_alone_what_has_none(policy: DiffusionPolicy) -> None:
    head = made_actor(policy, "residual", delta=(0.01, 0.0), moved=3.0).model.head
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(DRAWS, head.actor.body[0].in_features, generator=generator)
    with torch.no_grad():
        numbers, _ = head.actor.sample(states, generator)
        for offset in (head.offset(numbers), head(states)):
            assert 0.0066 < float(offset[:, 0].abs().max()) <= 0.01 and not offset[:, 1].any()


@pytest.mark.parametrize("kind", ["noise_actor", "residual"])
def test_an_actor_begins_at_nothing_and_is_the_same_from_disk(
    policy: DiffusionPolicy, tmp_path: Path, kind: str
) -> None:
    begun, moved = made_actor(policy, kind), made_actor(policy, kind, moved=1.0)
    state = moved.state(observe(policy, 4))
    with torch.inference_mode():
        assert not begun.model.head(state).any(), "exactly zero"
        assert begun.model.head.actor(state)[1].exp().unique().numel() == 1, "one deviation in all states"
        loaded = load_actor(save_actor(moved, tmp_path / "actor"))
        assert torch.equal(loaded.model.head(state), moved.model.head(state)) and loaded.spec.kind == kind
        torch.testing.assert_close(loaded.model.head.actor(state)[1], moved.model.head.actor(state)[1])
    assert actor_fingerprint(tmp_path / "actor") != actor_fingerprint(save_actor(begun, tmp_path / "begun"))


def test_deltas_follow_kinds_and_units_and_rotations_are_left_alone() -> None:
    action = ActionSpec(
        (
            ActionField("tcp.position", 3, "m", "pose"),
            ActionField("tcp.rotation", 6, "1", "pose"),
            ActionField("joints", 2, "rad m", "joint"),
            ActionField("gripper.width", 1, "m", "width"),
            ActionField("stiffness", 1, "N/m", "stiffness"),
        ),
        0.1,
    )
    assert deltas(action, {}) == (*[0.01] * 3, *[0.0] * 6, 0.05, 0.005, 0.005, 0.0)
    assert deltas(action, {"stiffness": 5, "tcp.position": 0})[:3] == (0.0, 0.0, 0.0)
    assert deltas(action, {"stiffness": 5})[-1] == 5.0
    with pytest.raises(InputError, match=r"delta\.gripper\.widht.*Did you mean 'gripper\.width'"):
        deltas(action, {"gripper.widht": 0.1})
    for wrong in (-1, float("nan"), float("inf"), True, "far"):
        with pytest.raises(InputError, match=r"delta\.gripper\.width: expected a finite number"):
            deltas(action, {"gripper.width": wrong})  # type: ignore[dict-item]
    foreign = ActionSpec((ActionField("push", 2, "1", "native"),), 0.1)
    with pytest.raises(InputError, match=r"may be moved.*push \(native, 1\).*learning\.residual\.delta="):
        deltas(foreign, {})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (NoiseOptions, {"shape": "repeatd"}, "Did you mean 'repeated'"),
        (NoiseOptions, {"bound": 0}, "bound"),
        (NoiseOptions, {"knots": 1}, "knots"),
        (NoiseOptions, {"alpha": 0.5}, r"alpha: expected 0\.05 to 0\.3"),
        (SoftOptions, {"plan": "hidden"}, "plan: expected one of difference"),
        (SoftOptions, {"entropy": float("nan")}, "entropy"),
        (ResidualOptions, {"deviation": 0.0}, "deviation"),
        (ResidualOptions, {"tried": 1.5}, "tried"),
    ],
)
def test_options_that_make_no_actor_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**options)
