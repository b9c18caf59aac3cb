"""Decisions that are whole episodes, at one of two places, with a chunk that is right there: what is to be found.

A frozen policy that anybody can compute: all rows of its chunk are 0.1 x + 0.4 w, with x the place (-1 or 1) and w the
mean of its noise. A decision succeeds the more often, the nearer its rows are to 0.3 x: with w = 0.5 x, or with an
offset of 0.2 x on the zero-noise plan.
"""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from data.learning.replay.replay import Replay
from data.learning.replay.schema import ReplaySchema
from policies.experience.batches import Experience
from policies.experience.learner import Learner
from policies.recipe.learner import LearnerConfig
from robot.description import (
    ActionField,
    ActionSpec,
    CriticBase,
    ObservationField,
    ObservationSpec,
    PolicySpec,
    SamplerSpec,
)

HORIZON, K, BOUND, DELTA, GAMMA = 4, 2, 1.5, 0.3, 0.9
SPEC = PolicySpec(
    ObservationSpec((ObservationField("place", (1,), "float32", "1", "state"),)),
    ActionSpec((ActionField("target", 1, "1", "native"),), 0.1),
    HORIZON,
    K,
    SamplerSpec("euler", 3),
)
BASE = CriticBase("0123456789abcdef", SPEC.sampler)
NOISE = (HORIZON, 1)
CONFIG = LearnerConfig(
    width=32, depth=1, gamma=GAMMA, n_steps=1, target_rate=0.05, learning_rate=3e-3, batch_size=128, plan="difference"
)
RIGHT_NOISE, RIGHT_OFFSET = 0.5, 0.2


def denoise(observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
    """The chunks (batch, horizon, 1) of noises (batch, horizon, 1)."""
    rows: Tensor = 0.1 * observation["place"][:, -1] + 0.4 * noise.mean(1)
    return rows[:, None].expand(-1, HORIZON, -1)


def experience(*, edits: bool = False, count: int = 3000, seed: int = 0) -> Experience:
    """Decisions of noises, or of offsets, from all over their bounds."""
    random = np.random.default_rng(seed)
    place = random.choice([-1.0, 1.0], size=count).astype(np.float32)
    noise = np.repeat(random.uniform(-BOUND, BOUND, (count, 1, 1)), HORIZON, axis=1).astype(np.float32)
    plan = np.broadcast_to(0.1 * place[:, None, None], (count, HORIZON, 1)).astype(np.float32)
    moved = random.uniform(-DELTA, DELTA, (count, 1, 1)) if edits else 0.4 * noise[:, :1]
    chunk = (plan + moved).astype(np.float32)
    success = random.random(count) < np.exp(-(((chunk[:, 0, 0] - 0.3 * place) / 0.12) ** 2))
    reward = np.zeros((count, K), np.float32)
    reward[:, -1] = success
    candidates = np.stack([plan, chunk], axis=1) if edits else plan[:, None]
    schema = ReplaySchema.of(SPEC, candidates=candidates.shape[1], noise=None if edits else NOISE)
    replay = Replay(schema, count)
    seen = {"place": place[:, None, None]}
    replay.add(
        window=seen, next_window=seen, executed=chunk[:, :K], reward=reward, terminated=np.ones(count, bool),
        truncated=np.zeros(count, bool), episode=replay.begin(count), candidates=candidates, planned=chunk,
        chosen=np.full(count, 1 if edits else -1), noise=None if edits else noise,
    )  # fmt: skip
    made = Experience(replay, GAMMA)
    made.refresh()
    return made


def learn(learner: Learner, own: Experience, updates: int, first: int = 0) -> dict[str, float]:
    """Update it on batches of numbers `first` on; the figures of the last one."""
    figures: dict[str, float] = {}
    for number in range(first, first + updates):
        rows = np.random.default_rng(number).choice(own.decisions, size=learner.config.batch_size)
        figures = learner.update(own.batch(rows))
    return figures


def places() -> dict[str, np.ndarray]:
    """Both places, as they are seen."""
    return {"place": np.array([[[-1.0]], [[1.0]]], np.float32)}


def head_of(learner: Learner) -> np.ndarray:
    """What an actor's mean gives at both places."""
    actor = learner.actor  # type: ignore[attr-defined]
    with torch.inference_mode():
        given: np.ndarray = actor.model.head(actor.state(places())).numpy()
    return given
