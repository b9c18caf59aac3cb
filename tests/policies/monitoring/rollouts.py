"""Rollouts of a small policy whose outcome depends on where they start, as `tiller collect` would record them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import GROUP, INSTRUCTION, NOISE_SEED, POLICY, SEED, SUCCESS
from data.store.schema import ACTION, Schema
from policies.loading.load import identity
from policies.model.checkpoint import save
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from robot.control.runner import ChunkRunner, query_seed
from robot.description import TaskPrompt
from tests.policies.points import make_policy

FACTS = (SUCCESS, SEED, POLICY, NOISE_SEED, INSTRUCTION)


def small_policy(store: Path, **changes: Any) -> DiffusionPolicy:
    recipe = {
        "network": {"name": "mlp", "width": 32, "depth": 1, "features": 16},
        "observation": ("point.state", "goal"),
        "horizon": 6,
        "n_action_steps": 3,
        **changes,
    }
    return make_policy(store, PolicyRecipe(**recipe))


def write_rollouts(
    path: Path,
    checkpoint: Path,
    policy: DiffusionPolicy,
    episodes: int,
    first: int = 0,
    *,
    succeeds: Any = None,
    grouped: bool = False,
) -> Path:
    """Episodes of a point that follows the policy's first rows for a while. Those that begin on the right succeed, and
    are shorter.
    """
    spec = policy.spec
    about = {
        "task": "points",
        "collection": {
            "source": "checkpoint",
            "policies": [{"sampler": spec.sampler.name, "steps": spec.sampler.steps}],
        },
    }
    facts = (*FACTS, *((GROUP,) if grouped else ()))
    name = identity(checkpoint, policy)
    with Dataset.create(path, Schema(spec.observation, spec.action, spec.action.period_s, facts), about) as dataset:
        recorded = []
        for seed in range(first, first + episodes):
            random = np.random.default_rng(seed)
            position, goal = random.uniform(-1, 1, 2), random.uniform(-1, 1, 2)
            success = bool(position[0] > 0) if succeeds is None else succeeds
            rows = int(random.integers(6, 10)) if success else 14
            runner, seen, actions = ChunkRunner(spec), {"point.state": [], "goal": []}, []
            for row in range(rows):
                now = {"point.state": np.array([*position, 0.1 * row]), "goal": goal}
                now = {key: value.astype(np.float32) for key, value in now.items()}
                runner.observe(now, row * spec.action.period_ns)
                runner.maybe_plan(policy, TaskPrompt(""), query_seed(seed + 7, runner.plans))
                action = runner.action(row * spec.action.period_ns)
                position = position + 0.1 * np.tanh(action)
                actions.append(action)
                for key, value in now.items():
                    seen[key].append(value)
            data = {
                **{key: np.stack(value) for key, value in seen.items()},
                ACTION: np.stack(actions).astype(np.float32),
            }
            meta = {SUCCESS.name: success, SEED.name: seed, POLICY.name: name, NOISE_SEED.name: seed + 7}
            meta |= {INSTRUCTION.name: "", **({GROUP.name: seed // 2} if grouped else {})}
            recorded.append(Episode(data=data, meta=meta))
        dataset.extend(recorded)
    return path


def saved(policy: DiffusionPolicy, path: Path) -> Path:
    return save(policy, path)
