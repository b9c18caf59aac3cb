"""Episodes of the base, decision by decision: what was seen, and what was executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

import numpy as np

from robot.files import write_new
from tiller.diagnosis.subject import BATCH, Subject

EPISODES = 32


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes side by side, decisions of one after the other.

    Args:
        windows: name -> (decisions, steps, ...) that was seen.
        first: (decisions,) control step of each.
        episode: (decisions,) number of the episode.
        success: (episodes,) bool.
        actions: (steps of all, dim) that were executed, one episode after the other.
        lengths: (episodes,) steps of each.
        first_seed: of episode 0.
    """

    windows: Mapping[str, np.ndarray]
    first: np.ndarray
    episode: np.ndarray
    success: np.ndarray
    actions: np.ndarray
    lengths: np.ndarray

    @property
    def motions(self) -> list[np.ndarray]:
        """The actions of each episode, (rows, dim)."""
        return np.split(self.actions, np.cumsum(self.lengths)[:-1])


def recorded(subject: Subject, folder: Path, episodes: int = EPISODES) -> Episodes:
    """Run the first starts as the base once more, unless that was done, and keep what was decided, without images."""
    file = folder / "episodes.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arrays = _run(subject, episodes)
        write_new(file, lambda opened: np.savez_compressed(opened, **arrays))
    with np.load(file, allow_pickle=False) as kept:
        windows = {name.removeprefix("window "): kept[name] for name in kept.files if name.startswith("window ")}
        parts = ("first", "episode", "success", "actions", "lengths")
        return Episodes(windows, *(kept[name] for name in parts))


def _run(subject: Subject, episodes: int) -> dict[str, np.ndarray]:
    from contextlib import closing

    from sim.evaluation.experience import decisions

    names = [key.name for key in subject.policy.spec.observation if not key.is_image]
    rows: dict[int, list[tuple[int, Mapping[str, np.ndarray], np.ndarray]]] = {}
    success = np.zeros(episodes, bool)
    made = decisions(
        subject.policy,
        subject.task,
        seed=subject.options.seed,
        episodes=episodes,
        workers=subject.options.workers,
        options=subject.task_options,
        batch=BATCH,
    )
    with closing(made):
        for record in made:
            length = record.episode.length - len(record.executed)
            seen = {name: np.asarray(record.request.window[name]) for name in names}
            rows.setdefault(record.order.number, []).append((length, seen, record.executed))
            success[record.order.number] = record.episode.success
    ordered = [(number, *each) for number in range(episodes) for each in rows[number]]
    return {
        **{f"window {name}": np.stack([each[2][name] for each in ordered]) for name in names},
        "first": np.array([each[1] for each in ordered]),
        "episode": np.array([each[0] for each in ordered]),
        "success": success,
        "actions": np.concatenate([each[3] for each in ordered]).astype(np.float32),
        "lengths": np.array([sum(len(each[2]) for each in rows[number]) for number in range(episodes)]),
    }
