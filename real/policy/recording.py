"""An episode as a policy: it returns the recorded actions, whatever it observes."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.names import SEED
from data.store.schema import ACTION
from robot.description import Observation, ObservationSpec, PolicySpec, SamplerSpec, Task
from robot.errors import InputError


class RecordedEpisode:
    """Replays one episode: the n-th plan after the start begins where the plan before it was used up.

    Args:
        path: of a dataset.
        episode: number of the episode.
        horizon: rows of a plan.
        n_action_steps: rows executed of each.
    """

    noise_shape: tuple[int, ...] | None = None

    def __init__(self, path: Path | str, episode: int, *, horizon: int = 16, n_action_steps: int = 8) -> None:
        dataset = Dataset.open(path)
        schema = dataset.schema
        if schema is None:
            raise InputError(
                f"recording {path}",
                expected="a dataset that says what its columns are",
                got="none",
                way_out="Convert it with tiller data convert",
            )
        recorded = dataset.episode(episode)
        self.actions = np.asarray(recorded.data[ACTION], dtype=np.float64)
        self.initial_seed = int(recorded.meta.get(SEED.name, 0))
        numbers = tuple(field for field in schema.observation if not field.is_image)
        self.spec = PolicySpec(
            ObservationSpec(numbers), schema.action, horizon, n_action_steps, SamplerSpec("recording", 1)
        )
        self._at = 0

    def start(self) -> None:
        """Begin the episode anew."""
        self._at = 0

    def sample(
        self,
        observation: Observation,
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        """The next rows of the recording, (1, samples, horizon, dim); its last row is repeated at the end."""
        rows = np.minimum(self._at + np.arange(self.spec.horizon), len(self.actions) - 1)
        self._at += self.spec.n_action_steps
        return np.broadcast_to(self.actions[rows], (1, samples, *self.actions[rows].shape)).copy()

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> RecordedEpisode:
        return self

    def __repr__(self) -> str:
        return f"Recording({len(self.actions)} rows)"
