"""What a GPU must do like a CPU does. Skipped where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.loading.load import load
from policies.recipe.recipe import PolicyRecipe, SamplerSpec, TrainingConfig, ValidationConfig
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.value import ValueSteered
from policies.training.precision import uses_bf16
from policies.training.train import train
from tests.policies.points import make_policy, observe
from tests.policies.steering.known_critics import save_learnt

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
CONFIG = TrainingConfig(
    steps=50,
    batch_size=16,
    warmup=5,
    log_every=10,
    checkpoint_every=1000,
    validation=ValidationConfig(fraction=0.2, every=50, batches=2),
)


@pytest.mark.parametrize(
    ("objective", "sampler"),
    [("flow", "euler"), ("flow", "heun"), ("edm", "dpm++2m"), ("ddpm", "ddim"), ("mip", "mip")],
)
def test_the_same_seeds_give_the_same_actions_on_cpu_and_gpu(
    store: Path, recipe: PolicyRecipe, objective: str, sampler: str
) -> None:
    steps = 2 if sampler == "mip" else 5
    policy = make_policy(store, replace(recipe, objective={"name": objective}, sampler=SamplerSpec(sampler, steps)))
    observation = observe(policy, batch=4)
    on_cpu = policy.sample(observation, samples=3, seeds=range(4))
    policy.model.to("cuda")
    on_gpu = policy.sample(observation, samples=3, seeds=range(4))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore::policies.steering.by_critic.value.SteeringWarning")
def test_a_critic_steers_on_a_gpu_as_on_the_cpu(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    policy = make_policy(store, recipe)
    path, observation = str(save_learnt(policy, tmp_path / "critic")), observe(policy, batch=4)
    chunks = {}
    for device in ("cpu", "cuda"):
        policy.model.to(device)
        for steered in (ValueSteered(policy, path, samples=8), ValueGuided(policy, path, beta=0.05)):
            assert steered.scorer.critic.device.type == device  # type: ignore[attr-defined]
            chunks[device, steered.name] = steered.sample(observation, seeds=range(4))
    for name in ("value", "guidance"):
        np.testing.assert_allclose(chunks["cuda", name], chunks["cpu", name], atol=1e-3, rtol=1e-3)


def test_bf16_is_chosen_where_the_gpu_has_it_and_learns_as_float32_does(
    store: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    assert uses_bf16("auto", torch.device("cuda")) == torch.cuda.is_bf16_supported()
    losses = {
        precision: train(store, recipe, replace(CONFIG, precision=precision), tmp_path / precision, device="cuda").loss
        for precision in ("float32", "bf16")
    }
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)


def test_what_a_gpu_trained_loads_on_a_cpu(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    result = train(store, recipe, CONFIG, tmp_path / "run", device="cuda")
    on_cpu, on_gpu = (load(result.checkpoint, device) for device in ("cpu", "cuda"))
    observation = observe(on_cpu, batch=2)
    np.testing.assert_allclose(
        on_gpu.sample(observation, seeds=[1, 2]), on_cpu.sample(observation, seeds=[1, 2]), atol=1e-3, rtol=1e-3
    )


def test_a_captured_graph_samples_what_plain_calls_sample(store: Path, recipe: PolicyRecipe) -> None:
    policy = make_policy(store, recipe)
    model, sampler = policy.model.to("cuda").eval(), policy.spec.sampler
    observation = {name: torch.from_numpy(value).cuda() for name, value in observe(policy, batch=1).items()}
    with torch.inference_mode():
        condition, _ = model.encode(observation)
        noise = torch.randn(1, policy.spec.horizon, model.chain.outgoing[1].dim, device="cuda")
        plain = model.denoise(noise, condition, sampler.name, sampler.steps)
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                model.denoise(noise, condition, sampler.name, sampler.steps)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = model.denoise(noise, condition, sampler.name, sampler.steps)
        graph.replay()
        torch.cuda.synchronize()
    torch.testing.assert_close(captured, plain, atol=1e-5, rtol=1e-5)
