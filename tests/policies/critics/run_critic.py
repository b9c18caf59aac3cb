"""Train a critic as a process of its own, going on with a run: STORE OUTPUT '{"recipe": ..., "config": ...}'."""

from __future__ import annotations

import json
import sys

from policies.critics.train import train_critic
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import TrainingConfig
from robot.description import from_json

if __name__ == "__main__":
    store, output, choices = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    train_critic(
        store,
        from_json(CriticRecipe, choices["recipe"]),
        from_json(TrainingConfig, choices["config"]),
        output,
        resume=True,
        device="cpu",
    )
