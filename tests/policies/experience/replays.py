"""Replays of small tasks whose values are known."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import CUT_OFF, ReplaySchema
from policies.experience.batches import Experience
from policies.experience.learner import ChunkLearner, Subject
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

K, HORIZON, GAMMA, CANDIDATES = 2, 3, 0.9, 3
SPEC = PolicySpec(
    ObservationSpec((ObservationField("place", (2,), "float32", "1", "state"),)),
    ActionSpec((ActionField("point.target", 2, "m", "native"),), 0.1),
    HORIZON,
    K,
    SamplerSpec("euler", 3),
)
BASE = CriticBase("0123456789abcdef", SPEC.sampler)
CONFIG = LearnerConfig(
    width=32, depth=1, gamma=GAMMA, target_rate=0.1, learning_rate=1e-2, batch_size=64, plan="difference"
)


def empty(candidates: int = CANDIDATES, **more: Any) -> Replay:
    return Replay(ReplaySchema.of(SPEC, candidates=candidates, **more), 10_000)


def chunks(count: int) -> np.ndarray:
    """Chunks (count, HORIZON, 2): that of zero noise stays at 0, number i moves on by i a row."""
    moved: np.ndarray = np.arange(count)[:, None, None] * (1.0 + np.arange(HORIZON))[:, None] * np.ones(2)
    return moved.astype(np.float32)


def add_episode(
    replay: Replay,
    places: Sequence[float],
    *,
    rewards: Sequence[Sequence[float]],
    terminated: bool,
    lengths: Sequence[int] | None = None,
    chosen: Sequence[int] | None = None,
    seed: int = 0,
) -> None:
    """An episode that decides at these places among `chunks`, with noise of the seed."""
    n, random = len(places), np.random.default_rng(seed)
    count = replay.schema.candidates
    candidates = np.tile(chunks(count), (n, 1, 1, 1))
    candidates[:, 1:] += 0.05 * random.normal(size=(n, count - 1, 1, 2))
    picked = np.zeros(n, int) if chosen is None else np.asarray(chosen)
    executed = candidates[np.arange(n), picked][:, :K]
    length = np.full(n, K) if lengths is None else np.asarray(lengths)
    seen = np.stack([np.asarray(places, float), np.ones(n)], axis=1)[:, None].astype(np.float32)
    after = np.concatenate([seen[1:], seen[-1:]])
    last = np.arange(n) == n - 1
    number = replay.begin()
    replay.add(
        window={"place": seen}, next_window={"place": after}, executed=executed, length=length,
        reward=np.asarray(rewards, np.float32), terminated=last & terminated, truncated=last & (not terminated),
        episode=np.repeat(number, n), candidates=candidates, chosen=picked,
        planned=candidates[np.arange(n), picked],
    )  # fmt: skip
    if not terminated:
        cut_off(replay, places[-1], number, seed)


def cut_off(replay: Replay, place: float, number: np.ndarray, seed: int) -> None:
    """Where the episode of that number was cut off."""
    count, random = replay.schema.candidates, np.random.default_rng([seed, 1])
    candidates = chunks(count)[None].copy()
    candidates[:, 1:] += 0.05 * random.normal(size=(1, count - 1, 1, 2))
    seen = {"place": np.array([[[place, 1.0]]], np.float32)}
    replay.add(
        window=seen, next_window=seen, executed=np.zeros((1, K, 2)), length=np.array([1]), reward=np.zeros((1, K)),
        terminated=np.array([False]), truncated=np.array([True]), episode=number, candidates=candidates,
        version=CUT_OFF,
    )  # fmt: skip


def learner(replay: Replay, shuffled: int | None = None, **changes: Any) -> tuple[ChunkLearner, Experience]:
    experience = Experience(replay, GAMMA, n_steps=changes.pop("n_steps", 1), shuffled=shuffled)
    experience.refresh()
    config = LearnerConfig(**{**vars(CONFIG), **changes})
    made = ChunkLearner(Subject(SPEC, BASE, (), experience), config)
    made.begin(0)
    return made, experience


def learn(made: ChunkLearner, experience: Experience, updates: int) -> dict[str, float]:
    """Update it; the figures of the last one."""
    draws, figures = np.random.default_rng(0), {}
    for _ in range(updates):
        figures = made.update(experience.batch(draws.choice(experience.decisions, size=made.config.batch_size)))
    return figures


def values(made: ChunkLearner, place: float, count: int = CANDIDATES) -> np.ndarray:
    """Of each chunk at a place, (count,)."""
    rows = chunks(count)[None, :, :K]
    seen = {"place": np.array([[[place, 1.0]]], np.float32)}
    return made.critic.value(seen, rows, None, rows[:, 0])[0]
