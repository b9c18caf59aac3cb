"""A disturber learns where it hurts, a policy learns to stand it, and a multiplier keeps the ratio between them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.rl import ActorPolicy, RunConfig, train
from policies.safe import Ppo, PpoConfig
from policies.safe.disturber import (
    ENERGY,
    FORCE,
    LEARNT,
    NONE,
    RANDOM,
    Attacked,
    Duel,
    DuelConfig,
    RatioAscent,
    drawn_pushes,
    excess_of,
)
from robot.errors import InputError
from tests.policies.safe.carts import Carts

PPO = PpoConfig(width=32, gamma=0.95, learning_rate=2e-3, steps=32, batch_size=128, passes=6, target_divergence=0.05)
GAME = DuelConfig(PPO, PPO, price=0.02, full_after=10_000)
STEPS, OBSERVED = 24_000, 2


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def play(folder: Path, opponent: str, seed: int = 0, steps: int = STEPS) -> Duel:
    duel = Duel(OBSERVED, 3, 1, 1, replace(GAME, opponent=opponent), seed)
    assert train(Carts, duel, RunConfig(steps, segment=steps, seed=seed), folder) is not None
    return duel


def attack(
    folder: Path, policy: ActorPolicy, seed: int = 7, config: DuelConfig = GAME, steps: int = STEPS
) -> ActorPolicy:
    """A disturber that was trained against this policy alone."""
    found = train(
        lambda seed: Attacked(Carts(seed), policy, OBSERVED, config),
        Ppo(3, 1, PPO, seed),
        RunConfig(steps, segment=steps, seed=seed),
        folder,
    )
    assert found is not None
    return found


def endured(policy: ActorPolicy, disturber: ActorPolicy | None, steps: int = 240) -> dict[str, float]:
    """How far off carts are, how hard they were pushed, and what was given of the joules; None pushes at random."""
    carts, random = Carts(seed=99, rows=64), np.random.default_rng(5)
    observation, found = carts.reset(), []
    for number in range(steps):
        push = drawn_pushes(64, 1, random) if disturber is None else disturber.act(observation)
        step = carts.step(np.concatenate([policy.act(observation[:, :OBSERVED]), push], axis=1))
        assert (step.budget >= -1e-12).all()
        if number >= 30:
            found.append(
                [
                    np.minimum(np.abs(step.last_observation[:, 0]), 1.0).mean(),
                    np.square(step.executed[:, 1]).mean(),
                    step.cost.mean(),
                ]
            )
        observation = step.observation
    return dict(zip(("off_m", "force2", "given"), np.mean(found, axis=0)))


def test_the_multiplier_grows_while_the_ratio_is_broken_and_falls_at_once_when_it_holds() -> None:
    ascent, none = RatioAscent(rate=0.1, most=0.5), np.zeros(4, dtype=bool)
    seen = []
    for excess in [2.0] * 40 + [-0.5] * 12 + [1.0]:
        ascent.count(np.full(4, excess), none)
        seen.append(ascent.update())
    assert seen[:2] == pytest.approx([0.2, 0.4]) and seen[2:40] == pytest.approx([0.5] * 38)
    # Forty updates of being broken were not stored up: the first that holds lowers it.
    assert seen[40:50] == pytest.approx([0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.0], abs=1e-12)
    # Nor was being kept for longer than was needed.
    assert seen[50:] == pytest.approx([0.0, 0.0, 0.1])


@given(excess=st.lists(st.floats(-50, 50), min_size=1, max_size=30), rate=st.floats(1e-3, 2.0))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_the_multiplier_is_the_projected_ascent(excess: list[float], rate: float) -> None:
    ascent, value = RatioAscent(rate, most=3.0), 0.0
    for number, each in enumerate(excess):
        ascent.count(np.array([each - 1, each + 1]), np.zeros(2, dtype=bool))
        value = min(max(value + rate * each, 0.0), 3.0)
        assert ascent.update() == pytest.approx(value, abs=1e-9)
        if number == len(excess) // 2:
            other = RatioAscent(rate, most=3.0)
            other.restore(json.loads(json.dumps(ascent.state())))
            ascent = other
    assert ascent.update() == pytest.approx(value, abs=1e-9)  # nothing was seen, nothing changes


@pytest.mark.parametrize("intensity", [FORCE, ENERGY])
def test_a_step_falls_short_of_the_best_less_what_was_spent_on_it(intensity: str) -> None:
    carts = Carts(rows=5)
    carts.reset()
    carts.speed_mps[:] = np.linspace(-1, 1, 5)
    step = carts.step(np.concatenate([np.zeros((5, 1)), np.full((5, 1), 0.5)], axis=1))
    found = excess_of(step, step.executed[:, 1:], replace(GAME, intensity=intensity, price=2.0))
    paid = {FORCE: np.full(5, 2.0 * 0.25), ENERGY: 2.0 * np.maximum(step.cost, 0.0)}[intensity]
    assert found == pytest.approx(np.abs(step.last_observation[:, 0]) - paid)
    assert excess_of(step, step.executed[:, 1:], replace(GAME, best=-5.0, price=0.0)) == pytest.approx(np.zeros(5))


def test_a_disturber_learns_where_to_push_and_leaves_it_where_that_is_too_dear(tmp_path: Path) -> None:
    policy = play(tmp_path / "policy", NONE, steps=8_000).policy()
    found = {
        price: endured(policy, attack(tmp_path / str(price), policy, config=replace(GAME, price=price), steps=10_000))
        for price in (0.02, 10.0)
    }
    at_random = endured(policy, None)["off_m"]
    assert found[0.02]["off_m"] > 5 * at_random and found[0.02]["force2"] > 0.2
    assert found[10.0]["force2"] < 0.05 and found[10.0]["off_m"] < 2 * at_random


@pytest.mark.slow
def test_a_policy_that_was_trained_against_a_disturber_holds_better(tmp_path: Path) -> None:
    """Each policy has seen as many steps, and meets a disturber that was trained against it: at its own weak place."""
    off_m = {}
    for opponent in (NONE, RANDOM, LEARNT):
        policy = play(tmp_path / opponent, opponent).policy()
        off_m[opponent] = endured(policy, attack(tmp_path / f"{opponent}-attacked", policy))["off_m"]
    assert off_m[LEARNT] < 0.4 * off_m[NONE]
    assert off_m[LEARNT] < off_m[RANDOM]


def test_a_game_that_was_stopped_goes_on_as_the_one_that_was_not(tmp_path: Path) -> None:
    config = RunConfig(8_000, segment=2_000, log_every=500, seed=3)

    def run(folder: str, **changes: Any) -> Duel:
        duel = Duel(OBSERVED, 3, 1, 1, GAME, seed=3)
        train(Carts, duel, replace(config, **changes), tmp_path / folder)
        return duel

    whole = run("whole")
    run("parts", stop_after=1)
    run("parts", stop_after=2)
    parts = run("parts")
    files = [(tmp_path / name / "last" / "agent.safetensors").read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1]
    states = [json.loads((tmp_path / name / "last" / "state.json").read_text())["agent"] for name in ("whole", "parts")]
    assert states[0] == states[1] and states[0]["actor"]["multiplier"]["pid"]["value"] > 0
    curves = [
        [{key: value for key, value in row.items() if key != "elapsed_s"} for row in csv.DictReader(file)]
        for file in ((tmp_path / name / "curve.csv").open() for name in ("whole", "parts"))
    ]
    assert curves[0] == curves[1] and "disturber_divergence" in curves[0][-1]
    assert whole.reach == parts.reach == pytest.approx(8_000 / GAME.full_after)
    seen = np.random.default_rng(0).standard_normal((5, 3))
    assert np.array_equal(whole.disturber.policy().act(seen), parts.disturber.policy().act(seen))


@pytest.mark.parametrize("opponent", [LEARNT, RANDOM, NONE])
def test_the_reach_of_a_disturber_grows_and_what_it_sees_is_hidden_from_the_policy(opponent: str) -> None:
    duel, carts = Duel(OBSERVED, 3, 1, 1, replace(GAME, opponent=opponent, quiet=320, full_after=960)), Carts()
    duel.begin(0)
    observation, hardest, rows = carts.reset(), [], np.zeros((0, 32))
    for _ in range(100):
        action = duel.act(observation)
        hardest.append(float(np.abs(action[:, 1]).max()))
        rows = np.concatenate([rows, np.abs(action[None, :, 1])])
        step = carts.step(action)
        duel.take(observation, step)
        observation = step.observation
    if opponent == NONE:
        assert max(hardest) == 0.0
        return
    assert max(hardest[:11]) == 0.0 < hardest[12]
    assert all(each <= min(1.0, (number - 10) * 32 / 640) + 1e-6 for number, each in enumerate(hardest[11:], 11))
    assert max(hardest) > 0.6
    # Of the carts that were pushed through the last of their episodes some were pushed little.
    assert rows[-20:].max(axis=0).min() < 0.3
    if opponent == LEARNT:
        # What begins later is not learnt before: its first steps are those of the moment it began.
        assert float(duel.disturber.scale.count) == (100 - 11) // PPO.steps * PPO.steps * 32
        assert duel.actor.multiplier is not None and duel.actor.multiplier.value > 0
    assert duel.policy().record.size == OBSERVED and duel.disturber.policy().record.size == 3


def test_pushes_that_are_drawn_fill_the_ball() -> None:
    drawn = drawn_pushes(4_000, 2, np.random.default_rng(0))
    length, angle = np.linalg.norm(drawn, axis=1), np.arctan2(drawn[:, 1], drawn[:, 0])
    assert length.max() <= 1 and np.percentile(length, [10, 50, 90]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)
    assert np.histogram(angle, 8)[0].min() > 400


@pytest.mark.parametrize(
    "changes",
    [
        {"opponent": "nobody"},
        {"intensity": "colour"},
        {"price": -1.0},
        {"full_after": 0},
        {"quiet": 10_000},
        {"policy": replace(PPO, steps=8)},
    ],
)
def test_games_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="duel"):
        replace(GAME, **changes)
    with pytest.raises(InputError, match="observed"):
        Duel(4, 3, 1, 1)
    with pytest.raises(InputError, match="rate"):
        RatioAscent(0.0, 1.0)
