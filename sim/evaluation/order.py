"""What a rollout is to run: an episode from its start, or one that goes on from a state of another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Iterator

from robot.control.runner import ChunkRunner
from sim.evaluation.env_runner import EpisodeProgress


@dataclass(frozen=True, eq=False)
class Branch:
    """A moment of an episode, between two decisions, at which another one goes on.

    Args:
        state: of the environment, from `TaskEnv.save`.
        runner: with the past that a plan depends on; it is copied before it is used.
        episode: its result so far.
        instruction: of the episode.
    """

    state: bytes
    runner: ChunkRunner
    episode: EpisodeProgress
    instruction: str


@dataclass(frozen=True, eq=False)
class Order:
    """An episode to run.

    Args:
        number: of the episode: `number % batch` is its row of an inference call. Episodes that run at once need others.
        seed: of its start.
        noise_seed: of the noise of its plans; None is the seed of the start, as in an evaluation.
        branch: where it goes on; None begins at the start.
    """

    number: int
    seed: int
    noise_seed: int | None = None
    branch: Branch | None = None

    @property
    def noise(self) -> int:
        """The seed of the noise."""
        return self.seed if self.noise_seed is None else self.noise_seed


def orders(seed: int, first: int, step: int, episodes: int | None = None) -> Iterator[Order]:
    """The episodes `first`, `first + step`, ... of a row of seeds; without an end where `episodes` is None.

    Args:
        seed: of episode 0.
        first, step: numbers of one environment's episodes.
        episodes: of all environments together.
    """
    numbers = count(first, step) if episodes is None else range(first, episodes, step)
    return (Order(number, seed + number) for number in numbers)
