"""Recorded actions through the task again: how far the simulation drifts from what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from data.store.names import SEED, require_schema
from robot.description import ObservationSpec, require_match
from robot.errors import InputError

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from data.store.episode import Episode

# Suites whose reset takes a recorded row: the key that holds it. Elsewhere the episode's seed gives its start.
START_KEYS = {"pusht": "state"}


@dataclass(frozen=True)
class ReplayedEpisode:
    """One episode that was replayed.

    Args:
        episode: its number.
        errors: key -> (rows,) Euclidean distance between the observation and the recorded row; row 0 is the start.
        success: whether a step reached the goal.
        score: the largest of a step.
    """

    episode: int
    errors: Mapping[str, np.ndarray]
    success: bool
    score: float


def shared_spec(dataset: Dataset, env: Any) -> ObservationSpec:
    """Low-dimensional keys that dataset and task share, once actions and period are known to be the same.

    Raises:
        InputError: the dataset has no schema, or the sides do not fit; both are shown.
    """
    schema = require_schema(dataset.path, dataset.schema)
    ours = schema.observation
    keys = [key.name for key in ours if not key.is_image and key.name in env.observation_spec]
    require_match(
        ours.select(keys) if keys else ours,
        env.observation_spec,
        schema.action,
        env.action_spec,
        left="dataset",
        right=f"task {env.task.id}",
        way_out="Name the task that it was recorded on: task=",
    )
    return ours.select(keys)


def replay_episode(env: Any, number: int, episode: Episode, keys: Sequence[str]) -> ReplayedEpisode:
    """Start as recorded and step through all recorded actions, also past the moment of success.

    Raises:
        InputError: the episode holds neither the state nor the seed that it started from.
    """
    observation, info = _start(env, number, episode)
    rows: dict[str, list[float]] = {key: [] for key in keys}
    success, score = False, 0.0
    for row, action in enumerate(episode.data["action"]):
        for key in keys:
            recorded = np.asarray(episode.data[key][row], dtype=np.float64)
            rows[key].append(float(np.linalg.norm(observation[key].astype(np.float64) - recorded)))
        observation, _, _, _, info = env.step(action)
        success, score = success or info["success"], max(score, info["score"])
    return ReplayedEpisode(number, {key: np.array(errors) for key, errors in rows.items()}, success, score)


def _start(env: Any, number: int, episode: Episode) -> tuple[Any, Any]:
    key = START_KEYS.get(env.task.suite)
    if key is not None and key in episode.data:
        return env.reset(seed=0, options={"state": episode.data[key][0]})
    if SEED.name in episode.meta:
        return env.reset(seed=int(episode.meta[SEED.name]))
    raise InputError(
        f"episode {number}",
        expected="the state or the seed that it started from",
        got=f"data {', '.join(episode.data)}; meta {', '.join(episode.meta) or 'nothing'}",
        way_out="Replay needs a dataset that tiller collected, or one of PushT with its `state`",
    )
