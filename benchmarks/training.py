"""Training end to end, from the store to the moving average, and what of it is not the network's own work.

    OMP_NUM_THREADS=1 python -m benchmarks.training [--updates 100] [--precision bf16] [--networks mlp unet]

Demonstrations are noise of the size of PushT's: 206 episodes of 125 rows. `loss` is one forward and backward pass on
arrays that lie ready, `optimiser` clipping and AdamW, `update` all that the trainer does for one update: rows, windows,
transforms, normalisation, seeds, loss, gradient, optimiser, schedule and moving average. Figures are medians, by the
clock on the wall and by the process's own CPU time, so that other work on the machine weighs less.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable

import numpy as np
import torch

from benchmarks.networks import TRAIN_BATCH, Timing
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import Schema
from policies.model.build import build_policy, measure, policy_spec
from policies.recipe.recipe import PRECISIONS, PolicyRecipe, TrainingConfig
from policies.training.batches import Batches, RowOrder
from policies.training.learner import Learner
from policies.training.running.distributed import Ranks
from policies.transforms import make_chain
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

EPISODES, ROWS, PERIOD_S = 206, 125, 0.1
CPU = torch.device("cpu")


def write_demonstrations(path: Path) -> Dataset:
    """Noise in the shapes of PushT's states and actions."""
    state = ObservationField("state", (5,), "float32", "px px px px rad", "state")
    action = ActionSpec((ActionField("agent.target", 2, "px", "native"),), PERIOD_S)
    draw = np.random.default_rng(0)
    with Dataset.create(path, Schema(ObservationSpec((state,)), action, PERIOD_S)) as dataset:
        dataset.extend(
            [
                Episode(
                    {
                        "state": draw.uniform(0, 512, (ROWS, 5)).astype(np.float32),
                        "action": draw.uniform(0, 512, (ROWS, 2)).astype(np.float32),
                    },
                    {},
                    {},
                )
                for _ in range(EPISODES)
            ]
        )
    return Dataset.open(path)


def make_learner(dataset: Dataset, network: str, precision: str) -> tuple[Learner, Batches]:
    """What `policies.training.train` makes of a recipe."""
    recipe = PolicyRecipe(
        network={"name": network}, n_obs_steps=2, transforms=({"name": "sine_cosine", "observation": {"state": [4]}},)
    )
    assert dataset.schema is not None
    spec = policy_spec(recipe, dataset.schema.observation, dataset.schema.action)
    windows = Windows(dataset, spec)
    policy = build_policy(recipe, spec, measure(windows, make_chain(recipe.transforms, spec.observation, spec.action)))
    config = TrainingConfig(batch_size=TRAIN_BATCH[network], precision=precision)
    order = RowOrder(windows, config.batch_size, config.seed)
    return Learner(policy.model, config, Ranks()), Batches(order, CPU, 1, Ranks(), ahead=False)


def measure_network(dataset: Dataset, network: str, precision: str, updates: int) -> None:
    learner, batches = make_learner(dataset, network, precision)
    model, batch = learner.model, batches.fetch(0)[0]
    stages = model.chain.forward_observation(batch.observation)
    action, condition = model.normalise_action(batch.action, stages), model.encode(batch.observation)[0].detach()

    def loss() -> None:
        learner.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            model.objective.loss(model.network, action, condition).mean().backward()

    def optimiser() -> None:
        torch.nn.utils.clip_grad_norm_(learner.parameters, learner.config.grad_clip)
        learner.optimiser.step()

    works: dict[str, Callable[[int], object]] = {
        "loss": lambda _: loss(),
        "optimiser": lambda _: optimiser(),
        "update": lambda number: learner.learn(number, batches.fetch(number)),
    }
    timings = {name: Timing() for name in works}
    for number in range(updates + 3):
        for name, work in works.items():
            # The first rounds allocate; they do not count.
            (timings[name] if number >= 3 else Timing()).run(partial(work, number))
    size = learner.config.batch_size
    million = sum(parameter.numel() for parameter in learner.parameters) / 1e6
    print(f"{network}, {million:.2f} M parameters, batch {size}, {precision}")
    for name, timing in timings.items():
        print("  {:40} {:10.2f} {:10.2f} ms".format(name, *timing.ms()))
    whole, own = timings["update"].ms(), [sum(pair) for pair in zip(timings["loss"].ms(), timings["optimiser"].ms())]
    print(
        "  {:40} {:10.1f} {:10.1f} %".format(
            "the rest of an update", *(100 * (1 - part / full) for part, full in zip(own, whole))
        )
    )
    print("  {:40} {:10,.0f} {:10,.0f} samples/s".format("end to end", *timings["update"].rate(size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=100, help="of the MLP; others take a tenth")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--networks", nargs="+", choices=("mlp", "transformer", "unet"), default=["mlp", "unet"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'one thread':42} {'wall':>10} {'cpu':>10}")
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_demonstrations(Path(folder) / "store")
        for network in options.networks:
            updates = options.updates if network == "mlp" else max(2, options.updates // 10)
            measure_network(dataset, network, options.precision, updates)


if __name__ == "__main__":
    main()
