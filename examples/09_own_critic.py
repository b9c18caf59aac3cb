"""A critic of one's own with the trainer that trains policies: exact resume, averaged weights, curves.

python examples/09_own_critic.py DATASET OUTPUT [STEPS]
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

import tiller
from data.store.dataset import Dataset
from policies.critics.judgement import auc
from policies.model.trainable import LossModule
from policies.recipe.recipe import TrainingConfig
from policies.training.module import load_module, window_batch

path, output, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 300
schema, rows = Dataset.open(path).schema, 8
keys = [key.name for key in schema.observation if not key.is_image]
numbers = sum(schema.observation[name].size for name in keys) + rows * schema.action.dim


class Verifier(LossModule):
    """The chance that an episode succeeds, from what is seen and the rows that follow."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(numbers, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 1))

    def logit(self, batch):
        seen = [batch.observation[name].flatten(1) for name in keys]
        return self.network(torch.cat([*seen, batch.action.flatten(1)], dim=1))[:, 0]

    def loss(self, batch, generator):  # the sum over the batch
        return F.binary_cross_entropy_with_logits(self.logit(batch), batch.facts["success"], reduction="sum")


def measure(module, updates):
    with torch.inference_mode():
        return {"auc": auc(module.logit(judged).numpy(), judged.facts["success"].bool().numpy())}


window = {"keys": keys, "horizon": rows, "facts": ["success"]}
judged = window_batch(path, every=10, **window)
config = TrainingConfig(steps=steps, warmup=10, checkpoint_every=100)
result = tiller.fit(Verifier(), path, output, config=config, evaluate=measure, **window)
verifier = load_module(Verifier(), result.checkpoint)
print(f"{result.updates} updates, loss {result.loss:.3f}, AUC on its own episodes {measure(verifier, 0)['auc']:.3f}")
