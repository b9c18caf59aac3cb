"""What an update of each learnt rung costs on one core, on the base of the shifted lift (1.86 M weights, three steps).

    python -m benchmarks.steering_updates [--rounds 12] [--each 10]

All rungs at their default sizes and batch of 256, on decisions that are drawn at random: what they say does not change
what they cost. Rounds take every rung in turn, so that another load on the machine meets all of them; shown are the
median and the quartiles over rounds, of processor time and of wall time. Beside them the floor of the same run: what
drawing the chunks of a batch takes, and a gradient step of a critic of this size and nothing else. The table is
docs/results/steering_updates.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.artifacts import RESULTS, ROOT, write_csv
from benchmarks.free_steering import BASES
from data.learning.replay.replay import Replay
from data.learning.replay.schema import ReplaySchema
from policies.experience.batches import Experience
from policies.experience.denoising import denoiser
from policies.experience.learner import Subject, base_of
from policies.loading.load import load
from policies.networks.ensemble import MlpEnsemble
from policies.recipe.actors import NoiseOptions
from policies.recipe.learner import LearnerConfig
from policies.steering.execution import Executed
from robot.description import Policy, Query, decide
from tiller.steering.by_learning.methods import make_way
from tiller.steering.by_learning.options import LearningOptions
from tiller.steering.by_learning.setting import Setting

TABLE = RESULTS / "steering_updates.csv"
DECISIONS = 1024
RUNGS: dict[str, tuple[str, LearningOptions]] = {
    "best_of_k": ("best_of_k", LearningOptions()),
    "codebook": ("codebook", LearningOptions()),
    "dsrl_na, repeated": ("dsrl_na", LearningOptions(noise=NoiseOptions(after=0))),
    "dsrl_na, knots": ("dsrl_na", LearningOptions(noise=NoiseOptions(after=0, shape="knots"))),
    "dsrl_na, full": ("dsrl_na", LearningOptions(noise=NoiseOptions(after=0, shape="full"))),
    "dsrl_sac, repeated": ("dsrl_sac", LearningOptions(noise=NoiseOptions(after=0))),
    "dsrl_sac, full": ("dsrl_sac", LearningOptions(noise=NoiseOptions(after=0, shape="full"))),
    "residual": ("residual", LearningOptions()),
}
"""What is shown -> method and options, with actors that move from the first update on."""
DRAWN = {"dsrl_na": 2}
"""Batches of chunks that an update draws."""


def decisions(policy: Policy, acting: Policy, candidates: int, noise: tuple[int, ...] | None) -> Experience:
    """Decisions of a policy on observations drawn at random."""
    spec, random = policy.spec, np.random.default_rng(0)
    replay = Replay(ReplaySchema.of(spec, candidates=candidates, noise=noise), DECISIONS)
    windows = [
        {
            key.name: random.normal(size=(DECISIONS, key.history.steps, *key.shape)).astype(np.float32)
            for key in spec.observation
        }
        for _ in range(2)
    ]
    made = decide(acting, Query(windows[0], seeds=list(range(DECISIONS))))
    assert made.candidates is not None and made.index is not None
    kept: dict[str, Any] = {} if noise is None or made.noise is None else {"noise": made.noise[:, 0]}
    reward = np.zeros((DECISIONS, spec.n_action_steps), np.float32)
    reward[:, -1] = random.random(DECISIONS) < 0.5
    replay.add(
        window=windows[0], next_window=windows[1], executed=made.chunk[:, 0, : spec.n_action_steps], reward=reward,
        terminated=np.arange(DECISIONS) % 8 == 7, truncated=np.zeros(DECISIONS, bool),
        episode=np.repeat(replay.begin(DECISIONS // 8), 8), planned=made.chunk[:, 0],
        candidates=made.candidates[:, 0], chosen=made.index[:, 0], **kept,
    )  # fmt: skip
    experience = Experience(replay, 0.99)
    experience.refresh()
    return experience


def updates(setting: Setting, method: str, options: LearningOptions) -> Callable[[], object]:
    """An update of a rung, its batch included."""
    policy, way = setting.policy, make_way(method, setting, options)
    experience = decisions(policy, way.acting(setting, options, None), way.candidates, way.noise_kept)
    noise = tuple(policy.noise_shape or ())
    subject = Subject(policy.spec, base_of(policy), setting.transforms, experience, noise)
    learner = way.learner(subject, options)
    learner.updates = getattr(getattr(learner, "options", None), "after", 0) + 1
    learner.begin(1)
    draws = np.random.default_rng(0)
    return lambda: learner.update(experience.batch(draws.choice(experience.decisions, size=options.critic.batch_size)))


def floors(setting: Setting) -> dict[str, Callable[[], object]]:
    """What no update can do without that draws chunks, or that has a critic."""
    policy, config = setting.policy, LearnerConfig()
    assert policy.noise_shape is not None
    random = torch.Generator().manual_seed(0)
    seen: dict[str, Tensor] = {
        key.name: torch.randn((config.batch_size, key.history.steps, *key.shape), generator=random)
        for key in policy.spec.observation
    }
    noise, draw = torch.randn((config.batch_size, *policy.noise_shape), generator=random), denoiser(policy)
    state = sum(value[0].numel() for value in seen.values())
    inputs = torch.randn((config.batch_size, state + policy.spec.n_action_steps * policy.spec.action.dim))
    network = MlpEnsemble(config.members, inputs.shape[1], config.width, config.depth)
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        network(inputs).square().mean().backward()
        optimiser.step()

    return {"floor: chunks of a batch": lambda: draw(seen, noise), "floor: a step of a critic": step}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--each", type=int, default=10, help="updates of a round")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    base = BASES["lift_shifted"]
    checkpoint = base.trained(ROOT / "artifacts")
    if checkpoint is None:
        print("The base of the shifted lift is not trained: make artifacts", file=sys.stderr)
        return 1
    learnt: Any = load(checkpoint)
    policy = Executed(learnt.with_sampler(None, base.steps), n_action_steps=base.rows)
    setting = Setting(policy, learnt.recipe.transforms, base.task, {}, 0, 0.25, False)
    timed = floors(setting) | {name: updates(setting, *rung) for name, rung in RUNGS.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for number in range(options.rounds + 1):
        for name, update in timed.items():
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(options.each):
                update()
            cost = (
                1e3 * (time.process_time() - processor) / options.each,
                1e3 * (time.perf_counter() - wall) / options.each,
            )
            if number:  # the first one warms up
                taken[name].append(cost)
    rows = []
    for name, costs in taken.items():
        low, middle, high = np.quantile([cost for cost, _ in costs], [0.25, 0.5, 0.75])
        method = RUNGS[name][0] if name in RUNGS else ""
        rows.append(
            {
                "what": name, "ms": f"{middle:.2f}", "ms_low": f"{low:.2f}", "ms_high": f"{high:.2f}",
                "wall_ms": f"{np.median([wall for _, wall in costs]):.2f}",
                "batches_drawn": DRAWN.get(method, 0) if method else "", "batch": LearnerConfig().batch_size,
                "rounds": options.rounds, "updates": options.rounds * options.each, "date": date.today().isoformat(),
            }
        )  # fmt: skip
        print(f"{name:28} {middle:7.2f} ms of processor time [{low:.2f}, {high:.2f}]", flush=True)
    write_csv(TABLE, list(rows[0]), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
