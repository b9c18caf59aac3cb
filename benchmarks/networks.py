"""How quick networks and encoders are on one thread, and the U-Net beside diffusion policy's own.

    OMP_NUM_THREADS=1 python -m benchmarks.networks [--rounds 30]
    OMP_NUM_THREADS=1 python -m benchmarks.networks --reference CHECKOUT

`CHECKOUT` is a checkout of github.com/real-stanford/diffusion_policy; its `ConditionalUnet1D` (which needs `einops`)
then runs in the same process, turn by turn with ours, with the sizes of its PushT recipe. Each figure stands twice: by
the clock on the wall, and by the process's own CPU time, so that other work on the machine weighs less.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from policies.encoders import ResNet18, SmallCNN
from policies.networks import make_network
from policies.objectives import FlowMatching

HORIZON, ACTION_DIM, CONDITION_DIM = 16, 2, 40  # of diffusion policy's PushT recipe, as are the U-Net's defaults
TRAIN_BATCH = {"mlp": 128, "transformer": 64, "unet": 64, "reference": 64}
IMAGE_SIDE = 96


@dataclass
class Timing:
    """Seconds of one thing done again and again, by the wall and by the process."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, work: Callable[[], Any]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)

    def ms(self, percentile: float = 50) -> tuple[float, float]:
        return 1e3 * float(np.percentile(self.wall, percentile)), 1e3 * float(np.percentile(self.cpu, percentile))

    def rate(self, items: int) -> tuple[float, float]:
        wall, cpu = self.ms()
        return 1e3 * items / wall, 1e3 * items / cpu


def turn_by_turn(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Timing]:
    """Time each of several things `rounds` times, in turns, after one turn that does not count."""
    timings = {name: Timing() for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            timings[name].run(work)
    return timings


def reference_unet(checkout: Path) -> nn.Module:
    """Diffusion policy's U-Net of its PushT recipe, called as ours are."""
    sys.path.insert(0, str(checkout))
    from diffusion_policy.model.diffusion.conditional_unet1d import ConditionalUnet1D

    class Reference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unet = ConditionalUnet1D(
                ACTION_DIM,
                global_cond_dim=CONDITION_DIM,
                diffusion_step_embed_dim=256,
                down_dims=[256, 512, 1024],
                kernel_size=5,
                n_groups=8,
                cond_predict_scale=True,
            )

        def forward(self, noisy_action: Tensor, level: Tensor, condition: Tensor) -> Tensor:
            return self.unet(noisy_action, level, global_cond=condition)

    return Reference()


def inputs(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(rows, HORIZON, ACTION_DIM), torch.rand(rows), torch.randn(rows, CONDITION_DIM)


def training_step(network: nn.Module, rows: int) -> Callable[[], None]:
    """One update as the trainer makes it, on one batch of noise."""
    objective, (action, _, condition) = FlowMatching(), inputs(rows)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        objective.loss(network, action, condition).mean().backward()
        optimiser.step()

    return step


def encoder_step(encoder: nn.Module, frames: int) -> Callable[[], None]:
    """Forward and backward over channels-last images, as the augmentation hands them on."""
    images = torch.rand(frames, IMAGE_SIDE, IMAGE_SIDE, 3).permute(0, 3, 1, 2) * 2 - 1

    def step() -> None:
        encoder(images).square().sum().backward()

    return step


def report(what: str, values: tuple[float, float], unit: str, gate: str = "") -> None:
    print(f"{what:58} {values[0]:10,.1f} {values[1]:10,.1f} {unit:10} {gate}", flush=True)


def measure_networks(networks: Mapping[str, nn.Module], rounds: int) -> None:
    one, objective = inputs(1), FlowMatching()
    for network in networks.values():
        network.eval()
    chunk = Timing()
    with torch.inference_mode():
        forward = turn_by_turn({name: partial(run, *one) for name, run in networks.items()}, rounds)
        for _ in range(5 * rounds):
            chunk.run(lambda: objective.sample(networks["mlp"], one[0], one[2], "euler", 10))
    for name, timing in forward.items():
        million = sum(parameter.numel() for parameter in networks[name].parameters()) / 1e6
        report(f"{name}, {million:.2f} M parameters: forward, batch 1, p50", timing.ms(), "ms")
    report("mlp: 10-step chunk, batch 1, p50", chunk.ms(), "ms", "under 5")
    report("mlp: 10-step chunk, batch 1, p99", chunk.ms(99), "ms", "under 10")
    steps = {name: training_step(run.train(), TRAIN_BATCH[name]) for name, run in networks.items()}
    training = turn_by_turn(steps, max(3, rounds // 6))
    for name, timing in training.items():
        report(
            f"{name}: training, batch {TRAIN_BATCH[name]}",
            timing.rate(TRAIN_BATCH[name]),
            "samples/s",
            "the reference's" if name == "unet" else "",
        )
    if "reference" in networks:
        compare("unet / reference: time of a forward", forward["unet"], forward["reference"], "at most 0.8")
        compare("unet / reference: time of a training step", training["unet"], training["reference"], "at most 1")


def compare(what: str, ours: Timing, theirs: Timing, gate: str) -> None:
    (wall, cpu), (their_wall, their_cpu) = ours.ms(), theirs.ms()
    print(f"{what:58} {wall / their_wall:10.2f} {cpu / their_cpu:10.2f} {'':10} {gate}", flush=True)


def measure_encoders(rounds: int) -> None:
    size = (IMAGE_SIDE, IMAGE_SIDE)
    for name, encoder, frames, gate in (
        ("small CNN", SmallCNN(size), 128, "at least 1,500"),
        ("ResNet-18", ResNet18(size), 16, ""),
    ):
        timing = turn_by_turn({name: encoder_step(encoder, frames)}, max(3, rounds // 3))[name]
        report(f"{name}, {IMAGE_SIDE} px: forward and backward, {frames} frames", timing.rate(frames), "frames/s", gate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="checkout of real-stanford/diffusion_policy")
    parser.add_argument("--rounds", type=int, default=30, help="repetitions of each measurement")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {name: make_network(name, HORIZON, ACTION_DIM, CONDITION_DIM) for name in ("mlp", "transformer", "unet")}
    if options.reference:
        networks["reference"] = reference_unet(options.reference)
    print(f"{'one thread':58} {'wall':>10} {'cpu':>10} {'':10} to reach")
    measure_networks(networks, options.rounds)
    measure_encoders(options.rounds)


if __name__ == "__main__":
    main()
