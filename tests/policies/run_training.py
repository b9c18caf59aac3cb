"""Train as a process of its own: STORE OUTPUT '{"recipe": ..., "config": ..., "resume": ...}'."""

from __future__ import annotations

import json
import os
import sys

from policies.recipe import PolicyRecipe, TrainingConfig
from policies.train import train
from robot.description import from_json

if __name__ == "__main__":
    store, output, choices = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    result = train(store, from_json(PolicyRecipe, choices["recipe"]), from_json(TrainingConfig, choices["config"]),
                   output, resume=choices.get("resume", False), device="cpu")
    # One write: processes of torchrun share the pipe.
    os.write(1, f"stopped: {result.stopped} {result.updates}\n".encode())
