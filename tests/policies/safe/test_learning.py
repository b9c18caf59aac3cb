"""SAC and PPO learn, within a budget where there is one, and go on after a stop as if there had been none."""

from __future__ import annotations

import csv
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch

from policies.rl import ActorPolicy, RunConfig, Step, VectorEnvironment, train
from policies.safe import BudgetObserved, ConstrainedSac, ConstrainedSacConfig, Gains, Ppo, PpoConfig
from robot.errors import InputError
from tests.policies.safe.sled import Clocks, Sleds

SAC = ConstrainedSacConfig(
    width=32,
    gamma=0.97,
    learning_rate=1e-3,
    batch_size=64,
    replay=20_000,
    warmup=400,
    steps_per_update=8,
    target_rate=0.02,
)
PPO = PpoConfig(width=32, gamma=0.97, learning_rate=2e-3, steps=32, batch_size=128, passes=6, target_divergence=0.05)
AGENTS: dict[str, Callable[..., Any]] = {
    "sac": lambda environment, gains=None, seed=0: ConstrainedSac(
        environment.observation_size, environment.action_size, replace(SAC, gains=gains), seed
    ),
    "ppo": lambda environment, gains=None, seed=0: Ppo(
        environment.observation_size, environment.action_size, replace(PPO, gains=gains), seed
    ),
}
LIMIT_J = 1.0  # well below what a sled spends that knows no limit
STEPS = {"sac": 12_000, "ppo": 40_000}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def evaluate(policy: ActorPolicy, environment: VectorEnvironment, steps: int = 400) -> dict[str, float]:
    """Means over the episodes that end within so many steps; the first of each row, which began late, is left out."""
    observation = environment.reset()
    running, found, first = np.zeros((environment.rows, 2)), [], np.ones(environment.rows, dtype=bool)
    for _ in range(steps):
        step = environment.step(policy.act(observation))
        running += np.stack([step.cost, np.ones(environment.rows)], axis=1)
        found += [[*running[row], step.success[row]] for row in np.flatnonzero(step.done & ~first)]
        first &= ~step.done
        running[step.done] = 0.0
        observation = step.observation
    return dict(zip(("cost", "length", "success"), np.mean(found, axis=0)))


@pytest.mark.parametrize(
    "algorithm", [pytest.param(each, marks=[pytest.mark.slow] if each == "ppo" else []) for each in AGENTS]
)
def test_a_sled_learns_to_stop_at_its_mark(algorithm: str, tmp_path: Path) -> None:
    agent = AGENTS[algorithm](Sleds())
    untrained = evaluate(agent.policy(), Sleds(seed=9))
    policy = train(Sleds, agent, RunConfig(STEPS[algorithm], segment=STEPS[algorithm]), tmp_path)
    assert policy is not None
    trained = evaluate(policy, Sleds(seed=9))
    assert untrained["success"] < 0.3
    assert trained["success"] > 0.95 and trained["length"] < 25


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", AGENTS)
def test_a_multiplier_brings_the_cost_of_an_episode_down_to_its_limit(algorithm: str, tmp_path: Path) -> None:
    gains = {"sac": Gains(0.01, 0.001, 0.001, most=20.0), "ppo": Gains(0.1, 0.02, 0.01, most=20.0)}[algorithm]

    def sleds(seed: int) -> Sleds:
        return Sleds(seed, limit_j=LIMIT_J)

    found = {}
    for name, given in (("free", None), ("held", gains)):
        policy = train(
            sleds, AGENTS[algorithm](Sleds(), given), RunConfig(3 * STEPS[algorithm], segment=10**6), tmp_path / name
        )
        assert policy is not None
        found[name] = evaluate(policy, sleds(9))
    assert found["free"]["cost"] > 1.3  # the limit is one that binds
    assert found["held"]["cost"] < 1.1 and found["held"]["success"] > 0.9
    assert found["held"]["length"] > found["free"]["length"]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", AGENTS)
def test_a_policy_that_sees_its_budget_does_not_overdraw_it(algorithm: str, tmp_path: Path) -> None:
    def free(seed: int) -> VectorEnvironment:
        return Sleds(seed, limit_j=LIMIT_J)

    def observed(seed: int) -> VectorEnvironment:
        # Worse than a step costs, and not so bad that doing nothing at all is the first thing to be learnt.
        return BudgetObserved(free(seed), penalty=-0.1)

    shares = {}
    for name, make in (("free", free), ("observed", observed)):
        policy = train(
            make, AGENTS[algorithm](make(0)), RunConfig(3 * STEPS[algorithm], segment=10**6), tmp_path / name
        )
        assert policy is not None
        environment, overdrawn, ended, success = make(9), 0, 0, 0
        observation = environment.reset()
        for _ in range(400):
            step = environment.step(policy.act(observation))
            overdrawn, ended = overdrawn + int((step.budget[step.done] <= 0).sum()), ended + int(step.done.sum())
            success += int(step.success.sum())
            observation = step.observation
        shares[name] = overdrawn / ended
        assert success / ended > 0.9
    assert shares["free"] > 0.5
    assert shares["observed"] < 0.05


def test_the_budget_is_seen_and_an_empty_one_earns_the_penalty() -> None:
    environment = BudgetObserved(Sleds(rows=2, limit_j=0.5), penalty=-3.0)
    observation = environment.reset()
    assert observation.shape == (2, 3) and (observation[:, 2] == 1).all()
    seen = []
    for _ in range(30):
        step = environment.step(-np.sign(observation[:, :1]))
        assert step.last_observation[:, 2] == pytest.approx(np.clip(step.budget, -0.5, 2.0))
        assert ((step.reward == -3.0) == (step.budget <= 0)).all()
        assert (step.observation[step.done, 2] == 1).all()
        observation = step.observation
        seen.append(step.budget.min())
    assert min(seen) < 0 < max(seen)
    with pytest.raises(InputError, match="penalty"):
        BudgetObserved(Sleds(), penalty=0.0)


@pytest.mark.parametrize("algorithm", AGENTS)
def test_a_training_that_was_stopped_goes_on_as_the_one_that_was_not(algorithm: str, tmp_path: Path) -> None:
    gains = Gains(0.1, 0.01, 0.01)
    config = RunConfig(2_400, segment=800, log_every=400, seed=3)

    def run(folder: str, **changes: Any) -> ActorPolicy | None:
        return train(Sleds, AGENTS[algorithm](Sleds(), gains, 3), replace(config, **changes), tmp_path / folder)

    assert run("whole") is not None
    assert run("parts", stop_after=1) is None
    assert run("parts", stop_after=1) is None
    assert run("parts") is not None
    tensors = [(tmp_path / name / "last" / "agent.safetensors").read_bytes() for name in ("whole", "parts")]
    assert tensors[0] == tensors[1]
    curves = [
        [{key: value for key, value in row.items() if key != "elapsed_s"} for row in csv.DictReader(file)]
        for file in ((tmp_path / name / "curve.csv").open() for name in ("whole", "parts"))
    ]
    assert curves[0] == curves[1]
    assert [int(row["step"]) for row in curves[0]] == [400, 800, 1200, 1600, 2000, 2400]
    states = [json.loads((tmp_path / name / "last" / "state.json").read_text()) for name in ("whole", "parts")]
    assert states[0]["agent"] == states[1]["agent"] and states[0]["agent"]["multiplier"]["pid"]["integral"] > 0


def test_ctrl_c_within_a_segment_loses_that_segment_only(tmp_path: Path) -> None:
    class Stops(Sleds):
        def step(self, action: np.ndarray) -> Step:
            stopping["steps"] += 1
            if stopping["steps"] == 70:
                signal.raise_signal(signal.SIGINT)
            return super().step(action)

    stopping = {"steps": 0}
    config = RunConfig(1_600, segment=800, log_every=400)
    assert train(Stops, AGENTS["sac"](Sleds()), config, tmp_path / "run") is None
    state = json.loads((tmp_path / "run" / "last" / "state.json").read_text())
    assert state["segments"] == 1
    assert train(Stops, AGENTS["sac"](Sleds()), config, tmp_path / "run") is not None
    train(Sleds, AGENTS["sac"](Sleds()), config, tmp_path / "whole")
    last = [(tmp_path / name / "last" / "agent.safetensors").read_bytes() for name in ("run", "whole")]
    assert last[0] == last[1]


def test_other_choices_do_not_go_on_with_a_run(tmp_path: Path) -> None:
    config = RunConfig(400, segment=200)
    train(Sleds, AGENTS["sac"](Sleds()), config, tmp_path)
    with pytest.raises(InputError, match="gains"):
        train(Sleds, AGENTS["sac"](Sleds(), Gains(0.1, 0.1, 0.1)), config, tmp_path)
    with pytest.raises(InputError, match="seed"):
        train(Sleds, AGENTS["sac"](Sleds()), replace(config, seed=1), tmp_path)


@pytest.mark.parametrize("algorithm", AGENTS)
def test_a_policy_from_a_folder_acts_as_the_one_that_was_saved(algorithm: str, tmp_path: Path) -> None:
    agent = AGENTS[algorithm](Sleds())
    environment = Sleds()
    observation = environment.reset()
    agent.begin(0)
    for _ in range(40):
        step = environment.step(agent.act(observation))
        agent.take(observation, step)
        observation = step.observation
    policy = agent.policy()
    loaded = ActorPolicy.load(policy.save(tmp_path / "policy", {"budget": {"initial_j": 0.5}, "hash": "abc"}))
    assert np.array_equal(policy.act(observation), loaded.act(observation))
    assert loaded.record.notes == {"budget": {"initial_j": 0.5}, "hash": "abc"}
    record = tmp_path / "policy" / "policy.json"
    record.write_text(record.read_text().replace("tiller-actor", "tiller-safe-policy"))  # as it was called before
    assert np.array_equal(policy.act(observation), ActorPolicy.load(tmp_path / "policy").act(observation))
    with pytest.raises(InputError, match="observation"):
        loaded.act(observation[:, :1])
    (tmp_path / "policy" / "policy.json").write_text('{"format": "another"}')
    with pytest.raises(InputError, match="format"):
        ActorPolicy.load(tmp_path / "policy")


@pytest.mark.parametrize("terminates", [False, True])
def test_time_that_is_over_takes_no_value_away(terminates: bool, tmp_path: Path) -> None:
    """One a step for ever is worth 1 / (1 - gamma); five of them, half of the time behind, far less."""
    clocks = Clocks(terminates=terminates)
    config = replace(PPO, gamma=0.9, decay=0.9, steps=20, learning_rate=1e-2, entropy=0.0)
    agent = Ppo(1, 1, config)
    agent.begin(0)
    observation = clocks.reset()
    for _ in range(20 * 60):
        step = clocks.step(agent.act(observation))
        agent.take(observation, step)
        observation = step.observation
    with torch.no_grad():
        value = float(agent._values(agent.scale(torch.zeros(1, 1)))[0, 0])
    if terminates:
        assert 2.0 < value < 5.0
    else:
        assert value == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize("algorithm", AGENTS)
def test_what_was_executed_is_learnt_from(algorithm: str) -> None:
    """Behind a filter that halves all actions, no action of more than a half is ever learnt from."""
    environment = Sleds(weaken=0.5)
    agent = AGENTS[algorithm](environment)
    agent.begin(0)
    observation = environment.reset()
    asked = []
    for _ in range(20):
        action = agent.act(observation)
        asked.append(np.abs(action).max())
        step = environment.step(action)
        agent.take(observation, step)
        observation = step.observation
    assert max(asked) > 0.6
    if algorithm == "sac":
        kept = agent.batch(np.arange(len(agent.replay))).action
    else:
        kept = torch.from_numpy(np.stack([step.executed for _, step in agent._rollout]))
    assert 0.3 < float(kept.abs().max()) <= 0.5
