"""Critics beside their base: what it plans at every window, what they see of it, and how they go on learning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest
import torch

from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from policies.critics.base import Base, BaseChunks
from policies.critics.cal_ql import CalQl
from policies.critics.checkpoint import LEARNING, load_critic
from policies.critics.critic import LearntCritic
from policies.critics.names import CANDIDATES, PLAN, RETURN
from policies.critics.networks import Dueling
from policies.critics.train import train_critic
from policies.model.batch import TensorBatch
from policies.model.files import read_tensors
from policies.networks.ensemble import MlpEnsemble
from policies.networks.follower import Follower
from policies.recipe.critic import BESIDE, DIFFERENCE, HIDDEN
from robot.description import to_json
from robot.errors import InputError
from tests.policies.critics.chains import CONFIG, SEEN, STEPS, make_base, metric, recipe, write_groups
from tests.policies.critics.test_critics import write as write_instructed

SUCCESS = {"name": "success"}
IQL = {"name": "iql", "target_rate": 0.1, "width": 16, "depth": 1}
CAL_QL = {"name": "cal_ql", "target_rate": 0.1, "candidates": 3, "random": 2}
SHORT = replace(CONFIG, steps=12, log_every=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_groups(tmp_path_factory.mktemp("base") / "store", 8)


@pytest.fixture(scope="module")
def base(store: Path) -> Base:
    return make_base(store)


def train(
    store: Path, output: Path, base: Base | None, objective: Mapping[str, Any] = SUCCESS, **more: Any
) -> LearntCritic:
    return load_critic(
        train_critic(store, recipe(objective, **more), SHORT, output, base=base, device="cpu").checkpoint
    )


def seen(batch: int) -> dict[str, np.ndarray]:
    return {"place": np.random.default_rng(0).normal(size=(batch, 1, SEEN["place"].shape[0]))}


# -- what the base plans -----------------------------------------------------------------------------------------------


def test_plans_are_those_of_no_noise_whatever_else_is_planned(store: Path, base: Base) -> None:
    data, policy = Dataset.open(store), base.policy
    plans = BaseChunks(base, STEPS).of(data, np.arange(len(data)))[PLAN]
    windows = Windows(data, WindowShape(policy.spec.observation, STEPS))
    assert plans.shape == (len(windows), STEPS, 2)
    for number in (0, 50, len(windows) - 1):
        zero = np.zeros((1, 1, *policy.noise_shape), np.float32)
        alone = policy.sample(windows.gather(np.array([number])).observation, noise=zero)
        np.testing.assert_allclose(plans[number], alone[0, 0, :STEPS], rtol=1e-5, atol=1e-5)
    some = np.array([3, 17])
    part = BaseChunks(base, STEPS).of(data, some)[PLAN]
    np.testing.assert_allclose(part, plans[np.isin(windows.episode_of, some)], rtol=1e-5, atol=1e-5)


def test_candidates_are_drawn_by_seed_and_window_alone(store: Path, base: Base) -> None:
    data = Dataset.open(store)
    chunks = BaseChunks(base, STEPS)
    drawn = chunks.of(data, np.arange(4), candidates=3, seed=1)[CANDIDATES]
    assert drawn.shape[1:] == (3, STEPS, 2) and len(np.unique(drawn[:, :, 0, 0])) == 3 * len(drawn)
    np.testing.assert_array_equal(chunks.of(data, np.arange(4), candidates=3, seed=1)[CANDIDATES], drawn)
    assert (chunks.of(data, np.arange(4), candidates=3, seed=2)[CANDIDATES] != drawn).all()
    later = chunks.of(data, np.array([2, 3]), candidates=3, seed=1)[CANDIDATES]
    np.testing.assert_allclose(later, drawn[-len(later) :], rtol=1e-5, atol=1e-5)


def test_plans_are_kept_for_a_run_that_goes_on(store: Path, base: Base, tmp_path: Path) -> None:
    data = Dataset.open(store)
    counts: list[int] = []
    chunks = BaseChunks(base, STEPS, tmp_path, lambda done, count: counts.append(done))
    first = chunks.of(data, np.arange(4), candidates=2)
    planned = len(counts)
    again = chunks.of(data, np.arange(4), candidates=2)
    assert len(counts) == planned > 0
    assert all((first[name] == again[name]).all() for name in (PLAN, CANDIDATES))
    chunks.of(data, np.arange(5), candidates=2)
    assert len(counts) > planned


def test_a_base_that_reads_instructions_plans_by_those_of_the_episodes(tmp_path: Path) -> None:
    data = Dataset.open(write_instructed(tmp_path / "store", 2, by_chunk=True, instructions=("right", "left")))
    reading = {"name": "instruction", "instructions": ["left", "right"], "size": 4}
    plans = BaseChunks(make_base(tmp_path / "store", prompt=reading), STEPS).of(data, np.arange(len(data)))[PLAN]
    first = plans[::4]  # of each episode; three of a group saw the same and were told the same
    np.testing.assert_allclose(first[0], first[2], rtol=1e-5)
    assert np.abs(first[0] - first[1]).max() > 1e-3


def test_a_base_must_have_several_chunks_and_rows_enough(store: Path, base: Base) -> None:
    with pytest.raises(InputError, match=r"base of a critic.*only one"):
        make_base(store, objective={"name": "regression"})
    with pytest.raises(InputError, match=r"more noise in each step"):
        Base(make_base(store, objective={"name": "ddpm"}).policy.with_sampler("ddpm", None), "")
    with pytest.raises(InputError, match=r"critic.steps: expected at most 4.*got 5"):
        BaseChunks(base, 5)


# -- what a critic sees of it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plan", "network"), [(DIFFERENCE, "mlp"), (BESIDE, "dueling")])
def test_the_record_pins_the_base_and_values_need_its_plan(
    store: Path, base: Base, tmp_path: Path, plan: str, network: str
) -> None:
    critic = train(store, tmp_path, base, plan=plan, network={"name": network, "width": 16})
    assert critic.spec.base == base.record and critic.spec.base.sampler.steps == 2
    random = np.random.default_rng(1)
    chunks, plans, moved = (random.normal(size=shape) for shape in ((3, 4, STEPS, 2), (3, STEPS, 2), (STEPS, 2)))
    values = critic.value(seen(3), chunks, reference=plans)
    with pytest.raises(InputError, match=r"reference.*zero-noise plan.*got none"):
        critic.value(seen(3), chunks)
    with pytest.raises(InputError, match=r"reference.*\(3, 2, 2\)"):
        critic.value(seen(3), chunks, reference=plans[:, :1])
    # Without transforms of actions the network sees the difference alone, or it and the plan.
    together = critic.value(seen(3), chunks + moved, reference=plans + moved)
    assert np.allclose(together, values, atol=1e-5) == (plan == DIFFERENCE)
    assert not np.allclose(critic.value(seen(3), chunks, reference=plans + moved), values, atol=1e-4)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(critic.value(seen(3), chunks[:, order], reference=plans), values[:, order], atol=1e-6)


def test_a_critic_that_sees_chunks_alone_takes_no_plan(store: Path, base: Base, tmp_path: Path) -> None:
    critic = train(store, tmp_path, base, plan=HIDDEN)
    assert critic.spec.base is None
    chunks = np.zeros((2, 1, STEPS, 2))
    assert critic.value(seen(2), chunks).shape == (2, 1)
    with pytest.raises(InputError, match=r"reference.*chunks alone"):
        critic.value(seen(2), chunks, reference=chunks[:, 0])


def test_values_on_tensors_have_gradients_to_the_chunk(store: Path, base: Base, tmp_path: Path) -> None:
    critic = train(store, tmp_path, base)
    observation = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in seen(2).items()}
    chunk = torch.zeros(2, 3, STEPS, 2, requires_grad=True)
    value = critic.model.value(observation, chunk, reference=torch.ones(2, STEPS, 2))
    assert (torch.autograd.grad(value.sum(), chunk)[0] != 0).any()


def test_rows_that_were_not_executed_count_as_the_plans(store: Path, base: Base, tmp_path: Path) -> None:
    model = train(store, tmp_path, base).model
    observation = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in seen(2).items()}
    is_pad = torch.tensor([[False, True], [False, False]])
    batch = TensorBatch(observation, torch.full((2, STEPS, 2), 9.0), is_pad, 3, {}, {PLAN: torch.zeros(2, STEPS, 2)})
    situation, rows = model.executed(batch)
    assert situation.plan is not None
    same = (rows[:, 0] == situation.plan).all(-1)
    assert same.tolist() == [[False, True], [False, False]]


def test_dueling_is_the_value_of_the_plan_and_what_differs() -> None:
    torch.manual_seed(0)
    network = Dueling(5, 4, members=3, width=8, depth=1)
    state, action = torch.randn(6, 5), torch.randn(6, 4)
    torch.testing.assert_close(network(state, torch.zeros(6, 4)), network.value(state))
    difference = network.advantage(state, action) - network.advantage(state, torch.zeros(6, 4))
    torch.testing.assert_close(network(state, action) - network.value(state), difference)


def test_what_does_not_fit_is_refused(store: Path, base: Base, tmp_path: Path) -> None:
    for objective, chosen, more, saying in (
        (CAL_QL, None, {}, r"base of the critic.*base=CHECKPOINT"),
        (SUCCESS, base, {"n_obs_steps": 2}, r"critic: observation 'place'"),
        (SUCCESS, base, {"steps": 5}, r"critic: rows"),
        ({"name": "cal_ql", "backup": "most"}, base, {}, r"backup.*max, mean"),
        ({"name": "cal_ql", "candidates": 1}, base, {}, r"candidates"),
        ({"name": "iql", "expectile": 1.0}, None, {}, r"expectile"),
    ):
        with pytest.raises(InputError, match=saying):
            train(store, tmp_path / "run", chosen, objective, **more)
    with pytest.raises(InputError, match=r"critic.plan.*'beside'"):
        recipe(SUCCESS, plan="besides")


# -- how it learns -----------------------------------------------------------------------------------------------------


def state_of(run: Path) -> list[bytes]:
    last = run / "checkpoints" / "last"
    names = ("model.safetensors", "training/weights.safetensors", "training/optimiser.safetensors")
    return [(last / name).read_bytes() for name in names]


@pytest.mark.parametrize("objective", [SUCCESS, IQL, CAL_QL], ids=lambda each: each["name"])
def test_a_run_that_is_stopped_goes_on_to_the_bit(
    store: Path, base: Base, tmp_path: Path, objective: Mapping[str, Any]
) -> None:
    """Weights, moments, averages and target networks: of those that are trained and of their averages."""
    made = recipe(objective, network={"name": "dueling", "width": 16})
    train_critic(store, made, SHORT, tmp_path / "whole", base=base, device="cpu")
    train_critic(store, made, replace(SHORT, stop_after=7), tmp_path / "parts", base=base, device="cpu")
    train_critic(store, made, SHORT, tmp_path / "parts", base=base, resume=True, device="cpu")
    assert state_of(tmp_path / "whole") == state_of(tmp_path / "parts")
    tensors = read_tensors(tmp_path / "whole" / "checkpoints" / "last" / "training" / "weights.safetensors")
    targets = [name for name in tensors if name.startswith(f"{LEARNING}target")]
    assert bool(targets) == (objective is not SUCCESS)
    scoring = load_critic(tmp_path / "whole").model
    assert scoring.learning is None and not any(name.startswith(LEARNING) for name in scoring.state_dict())
    other = replace(made, gamma=0.5)
    with pytest.raises(InputError, match=r"critic options"):
        train_critic(store, other, SHORT, tmp_path / "parts", base=base, resume=True, device="cpu")
    another = Base(base.policy.with_sampler("euler", 3), base.hash)
    with pytest.raises(InputError, match=r"base of the critic.*'steps': 2.*'steps': 3"):
        train_critic(store, made, SHORT, tmp_path / "parts", base=another, resume=True, device="cpu")


def test_targets_follow_the_weights() -> None:
    torch.manual_seed(0)
    network = MlpEnsemble(2, 3, 4, 1)
    follower = Follower(network, 0.25)
    first = [weight.detach().clone() for weight in network.parameters()]
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1.0)
    follower.follow(network)
    expected = MlpEnsemble(2, 3, 4, 1)
    with torch.no_grad():
        for weight, before in zip(expected.parameters(), first):
            weight.copy_(before + 0.25)
    inputs = torch.randn(5, 3)
    torch.testing.assert_close(follower.of(network, inputs), expected(inputs))
    assert not list(follower.parameters()) and len(follower.state_dict()) == len(first)


def test_numbers_of_an_objective_are_logged(store: Path, base: Base, tmp_path: Path) -> None:
    train(store, tmp_path / "iql", base, IQL)
    train(store, tmp_path / "cal_ql", base, CAL_QL)
    for run, name in (("iql", "q"), ("iql", "v"), ("iql", "td_error"), ("cal_ql", "q"), ("cal_ql", "bound_rate")):
        assert 0 <= metric(tmp_path / run, name) <= 1
    for run, name in (("iql", "value_less_return"), ("cal_ql", "push_down")):
        assert -1 <= metric(tmp_path / run, name) <= 1


def test_cal_ql_at_its_bounds(store: Path, base: Base, tmp_path: Path) -> None:
    """Without returns loss and gradients are those of CQL; with endless ones no chunk of the base is pushed down."""
    model = train(store, tmp_path, base, CAL_QL).model
    random = torch.Generator().manual_seed(0)

    def loss(bounded: bool, returned: float) -> tuple[torch.Tensor, list[torch.Tensor]]:
        objective = CalQl(candidates=3, random=2, bounded=bounded)
        learning = objective.learning(model)
        candidates = torch.randn(4, 3, STEPS, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
        place = torch.randn(4, 1, SEEN["place"].shape[0], generator=torch.Generator().manual_seed(2))
        columns = {PLAN: torch.zeros(4, STEPS, 2), CANDIDATES: candidates, RETURN: torch.full((4,), returned)}
        columns |= {"later.reward": torch.zeros(4), "later.discount": torch.full((4,), 0.5)}
        columns["later.known"] = torch.ones(4)
        is_pad = torch.zeros(4, STEPS, dtype=torch.bool)
        after = TensorBatch({"place": place}, torch.zeros(4, STEPS, 2), is_pad, 8, {}, columns)
        batch = replace(after, following=after)
        made = learning.loss(model, batch, random.manual_seed(3)).sum()
        return made.detach(), list(torch.autograd.grad(made, [candidates, *model.network.parameters()]))

    plain, unbounded = loss(False, 0.3), loss(True, -torch.inf)
    assert torch.equal(plain[0], unbounded[0])
    assert all(torch.equal(one, other) for one, other in zip(plain[1], unbounded[1]))
    assert (plain[1][0] != 0).any() and (loss(True, torch.inf)[1][0] == 0).all()


@pytest.mark.slow
def test_two_processes_learn_what_one_would(store: Path, tmp_path: Path) -> None:
    """Target networks too, and the numbers that are logged are of all windows."""
    made, config = recipe(IQL), replace(SHORT, steps=8, log_every=4)
    parts = replace(config, accumulation=2)
    for run in ("one", "two"):
        train_critic(store, made, replace(parts, stop_after=4), tmp_path / run, device="cpu")
    train_critic(store, made, parts, tmp_path / "one", resume=True, device="cpu")
    choices = json.dumps({"recipe": to_json(made), "config": to_json(config)})
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    done = subprocess.run(
        [sys.executable, *words, "tests.policies.critics.run_critic", str(store), str(tmp_path / "two"), choices],
        capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("model.safetensors", "training/weights.safetensors"):
        together, alone = (read_tensors(tmp_path / run / "checkpoints" / "last" / name) for run in ("two", "one"))
        assert any(key.startswith(LEARNING) for key in alone)
        for key, tensor in alone.items():
            torch.testing.assert_close(together[key], tensor, atol=1e-5, rtol=1e-4)
    for name in ("q", "v", "td_error"):
        assert metric(tmp_path / "two", name) == pytest.approx(metric(tmp_path / "one", name), abs=1e-4)
