"""Train as a process of its own: STORE OUTPUT '{"recipe": ..., "config": ..., "resume": ...}'."""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from policies.training.train import train
from robot.description import from_json

destroy = distributed.destroy_process_group


def tell_and_destroy(*group: Any) -> None:
    """Say whether something still holds the group that ends: such a process may never end itself."""
    held = sum(type(thing) is DistributedDataParallel for thing in gc.get_objects())
    os.write(1, f"held: {held}\n".encode())
    destroy(*group)


if __name__ == "__main__":
    distributed.destroy_process_group = tell_and_destroy
    store, output, choices = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    result = train(
        store,
        from_json(PolicyRecipe, choices["recipe"]),
        from_json(TrainingConfig, choices["config"]),
        output,
        resume=choices.get("resume", False),
        device="cpu",
    )
    # One write: processes of torchrun share the pipe.
    os.write(1, f"stopped: {result.stopped} {result.updates}\n".encode())
