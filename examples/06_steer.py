"""Steer a policy, look at its decisions, and keep it.

    python examples/06_steer.py CHECKPOINT [TASK]

Takes any checkpoint of a policy that starts from noise, such as `outputs/demo/*/run` of `tiller demo`.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import tiller
from policies.loading.load import save_steered
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from robot.control.observation.history import ObservationHistory
from robot.description import TaskPrompt

checkpoint, task = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "twin/lift"
policy = tiller.load(checkpoint)
env = tiller.make(task)
observation, _ = env.reset(seed=0)
history = ObservationHistory(policy.spec.observation)  # what a policy sees is a window of rows
history.append(observation, stamp_ns=0)
batch = {name: rows[None] for name, rows in history.window().items()}

calm = NoiseScaled(policy, noise_scale=0.25)
chosen = Medoid(calm, candidates=16)  # noise is steered inside, the choice stands outside
prompt = TaskPrompt(env.instruction)
decision = chosen.decide(batch, task=prompt, seeds=[1])
print(
    f"{env.instruction}: chunk {decision.chunk.shape}, number {decision.index[0, 0]} of {decision.candidates.shape[2]}"
)
again = chosen.decide(batch, task=prompt, noise=decision.noise)
print(f"made again from its noise: {np.array_equal(again.chunk, decision.chunk)}")

with tempfile.TemporaryDirectory() as folder:
    kept = save_steered(chosen, Path(folder) / "steered", checkpoint)
    for name, one in (("base", policy), ("steered", tiller.load(kept))):
        result = tiller.evaluate(one, task, episodes=8, seed=500_000)
        print(f"{name}: {result.summary.success}")
