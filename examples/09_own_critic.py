"""A critic of one's own with the trainer that trains policies: exact resume, averaged weights, curves.

python examples/09_own_critic.py DATASET OUTPUT [STEPS]
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import tiller
from data.learning.windows import Windows
from data.store.dataset import Dataset
from policies.critics.judgement import auc
from policies.model.trainable import LossModule
from policies.recipe.recipe import TrainingConfig
from policies.training.module import load_module
from robot.description import PolicySpec, SamplerSpec

path, output, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 300
data, rows = Dataset.open(path), 8
keys = [key.name for key in data.schema.observation if not key.is_image]
numbers = sum(data.schema.observation[name].size for name in keys) + rows * data.schema.action.dim


class Verifier(LossModule):
    """The chance that an episode succeeds, from what is seen and the rows that follow."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(numbers, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 1))

    def forward_logit(self, observation, action):
        seen = [observation[name].flatten(1) for name in keys]
        return self.network(torch.cat([*seen, action.flatten(1)], dim=1))[:, 0]

    def loss(self, batch, generator):
        logit = self.forward_logit(batch.observation, batch.action)
        return F.binary_cross_entropy_with_logits(logit, batch.facts["success"], reduction="sum")


config = TrainingConfig(steps=steps, warmup=10, checkpoint_every=100)
result = tiller.fit(Verifier(), path, output, config=config, keys=keys, horizon=rows, facts=["success"])
verifier = load_module(Verifier(), result.checkpoint)
seen = data.schema.observation.select(keys)
batch = Windows(data, PolicySpec(seen, data.schema.action, rows, rows, SamplerSpec("none", 1))).gather(
    np.arange(0, data.rows, 10)
)
with torch.inference_mode():
    tensors = {name: torch.from_numpy(value) for name, value in batch.observation.items()}
    value = verifier.forward_logit(tensors, torch.from_numpy(batch.action)).numpy()
success = np.asarray(data.meta("success"), bool)[batch.episode]
print(f"{result.updates} updates, loss {result.loss:.3f}, AUC on what it was trained on {auc(value, success):.3f}")
