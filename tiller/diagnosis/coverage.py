"""Whether a policy fails where demonstrations are missing, and whether those that are there agree."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import numpy as np

from robot.description import ObservationSpec, TaskPrompt
from sim.statistics.intervals import Interval, bootstrap, wilson
from tiller.diagnosis.actions import sampled
from tiller.diagnosis.episodes import Episodes, recorded
from tiller.diagnosis.figures import FAILING, SHOWN_AT, SUCCEEDING, Component, CoverageFigures
from tiller.diagnosis.nearest import Coverage, own_distances
from tiller.diagnosis.settings import Runs
from tiller.diagnosis.subject import NOISE, Subject
from tiller.steering.free import BASE

WINDOWS = 512
"""Of demonstrations, that disagreement and misfit are measured at."""
ROWS = 5_000
"""Of demonstrations, that states are compared with."""
QUANTILE = 0.99
SHOWN = 4
"""Components."""
SLACK = 0.1
"""Of a component's demonstrated range, on each side: the largest of a few starts is not the largest there is."""
ALIKE = 0.9
"""Correlation over the starts from which two components say the same."""


def measure(subject: Subject, budget_s: float, folder: Path) -> CoverageFigures:
    """Compare starts and states of the base's episodes with the demonstrated ones."""
    data = subject.demonstrations
    assert data is not None
    spec = ObservationSpec(tuple(key for key in subject.policy.spec.observation if not key.is_image))
    rows = {key.name: data.read(key.name).reshape(data.rows, -1).astype(np.float64) for key in spec}
    ends = np.asarray(data.episode_ends, dtype=np.int64)
    firsts = np.r_[0, ends[:-1]]
    everything = np.concatenate(list(rows.values()), axis=1)
    shown = everything[firsts]
    starts, outcomes = _starts(subject, folder, spec)
    coverage = Coverage.of(shown, everything.std(axis=0), QUANTILE)
    distance = coverage.distances(starts)
    failing, succeeding = outcomes[BASE] == 0, outcomes[BASE] == 1
    auc, outside = None, distance > coverage.radius
    if len(set(np.concatenate(list(outcomes.values())).tolist())) == 2:
        auc = failing_auc(distance, outcomes)
    episodes = recorded(subject, folder.parent / "episodes")
    left, left_succeeding, left_at = _leaving(everything, firsts, ends, spec, episodes)
    windows = _Windows(subject, spec, everything)
    leading = components(spec, shown, starts, failing)[:SHOWN] if failing.any() else []
    plane = [number for number, _ in leading[:2]]
    return CoverageFigures(
        auc,
        _share(outside[failing]),
        _share(outside[succeeding]),
        coverage.radius,
        tuple(component for _, component in leading),
        len(shown),
        int(failing.sum()),
        windows.disagreement(),
        None if NOISE in subject.lacking else windows.misfit(),
        left,
        left_succeeding,
        left_at,
        {
            name: tuple((float(x), float(y)) for x, y in rows[:, plane])
            for name, rows in ((SHOWN_AT, shown), (FAILING, starts[failing]), (SUCCEEDING, starts[succeeding]))
            if len(plane) == 2
        },
    )


def failing_auc(distance: np.ndarray, outcomes: Mapping[str, np.ndarray]) -> Interval:
    """The chance that a failing start is farther than a succeeding one, over the episodes of all settings; its interval
    draws starts with all their episodes.

    Args:
        distance: (starts,).
        outcomes: name -> (starts,) 0 or 1.
    """
    from policies.critics.ranking import auc_of_episodes

    failed = np.concatenate([each == 0 for each in outcomes.values()])
    value = np.tile(distance, len(outcomes))
    start = np.tile(np.arange(len(distance)), len(outcomes))
    return Interval(*auc_of_episodes(value, failed, start, np.random.default_rng(0)))


def components(
    spec: ObservationSpec, shown: np.ndarray, starts: np.ndarray, failing: np.ndarray
) -> list[tuple[int, Component]]:
    """Components of the first observation with their numbers, those first in which most failing starts lie outside the
    demonstrated ones, then those whose distance from the middle tells failures best. Of those that vary together one
    stands for all, a pose where there is one.

    Args:
        spec: whose keys are side by side in what follows.
        shown: (demonstrations, D) first rows.
        starts: (starts, D).
        failing: (starts,) bool.
    """
    from policies.critics.ranking import auc

    listed = []
    for number, (name, unit, kind) in enumerate(component_names(spec)):
        low, high = float(shown[:, number].min()), float(shown[:, number].max())
        slack = 1e-6 + SLACK * (high - low)
        values = starts[:, number]
        failed = values[failing]
        outside = float(((failed < low - slack) | (failed > high + slack)).mean())
        apart = auc(np.abs(values - shown[:, number].mean()), failing)
        reach = np.quantile(failed, (0.05, 0.95))
        tells = 0.5 if np.isnan(apart) else float(apart)
        component = Component(name, unit, low, high, outside, float(reach[0]), float(reach[1]), tells)
        listed.append((number, kind != "pose", component))
    listed.sort(key=lambda each: (-round(each[2].outside, 2), -each[2].auc))
    centred = starts - starts.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
    groups: list[list[tuple[int, bool, Component]]] = []
    for each in listed:
        same = (group for group in groups if abs(centred[:, group[0][0]] @ centred[:, each[0]]) > ALIKE)
        group = next(same, None)
        if group is None:
            groups.append([each])
        else:
            group.append(each)
    return [(chosen[0], chosen[2]) for chosen in (min(group, key=lambda each: each[1]) for group in groups)]


def component_names(spec: ObservationSpec) -> list[tuple[str, str, str]]:
    """Name, unit and kind of each component of keys side by side: positions end in x, y, z, others in numbers."""
    named = []
    for key in spec:
        units = key.unit.split()
        ends = "xyz" if key.size == 3 and len(set(units)) == 1 else [str(number) for number in range(key.size)]
        for number in range(key.size):
            name = key.name if key.size == 1 else f"{key.name}.{ends[number]}"
            named.append((name, units[number] if len(units) == key.size else units[0], key.kind))
    return named


def _starts(subject: Subject, folder: Path, spec: ObservationSpec) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """First observations (starts, D) of the starts that every setting was run on, and what came of them."""
    import sim

    runs = Runs.read(folder.parent / "settings" / "settings.json")
    starts = min(map(len, runs.successes.values()))
    env = sim.make(subject.task, **subject.task_options)
    try:
        seen = [env.reset(seed=subject.options.seed + number)[0] for number in range(starts)]
    finally:
        env.close()
    rows = [np.concatenate([np.asarray(each[key.name], np.float64).ravel() for key in spec]) for each in seen]
    return np.stack(rows), {name: np.array(each[:starts]) for name, each in runs.successes.items()}


def _leaving(
    everything: np.ndarray, firsts: np.ndarray, ends: np.ndarray, spec: ObservationSpec, episodes: Episodes
) -> tuple[Interval | None, Interval | None, float | None]:
    """Shares of failing and of succeeding episodes that leave the demonstrated states, and when half of the failing
    ones that leave have left.
    """
    episode = np.repeat(np.arange(len(ends)), ends - firsts)
    chosen = np.sort(np.random.default_rng(0).permutation(len(everything))[:ROWS])
    rows, of = everything[chosen], episode[chosen]
    scale = np.maximum(everything.std(axis=0), 1e-6)
    apart = own_distances(rows / scale, of)
    coverage = Coverage(rows, scale, float(np.quantile(apart, QUANTILE)))
    seen = np.concatenate([episodes.windows[key.name][:, -1].reshape(len(episodes.first), -1) for key in spec], axis=1)
    outside = coverage.distances(seen.astype(np.float64)) > coverage.radius
    count = len(episodes.success)
    leaves = np.bincount(episodes.episode, outside, count) > 0
    failed = ~episodes.success
    times = [episodes.first[outside & (episodes.episode == number)].min() for number in np.flatnonzero(leaves & failed)]
    return _share(leaves[failed]), _share(leaves[~failed]), float(np.median(times)) if times else None


def _share(true: np.ndarray) -> Interval | None:
    return wilson(int(true.sum()), len(true)) if len(true) else None


class _Windows:
    """Windows of the demonstrations, with what was done there: displacements from the first action of a chunk.

    Args:
        subject: whose demonstrations they are.
        spec: keys side by side in `everything`.
        everything: (rows, D) of the demonstrations.
    """

    def __init__(self, subject: Subject, spec: ObservationSpec, everything: np.ndarray) -> None:
        from data.learning.windows import Windows

        assert subject.demonstrations is not None
        windows = Windows(subject.demonstrations, subject.policy.spec)
        chosen = np.random.default_rng(0).permutation(len(windows))
        batch = windows.gather(chosen)
        whole = ~batch.is_pad[:, : subject.rows].any(axis=1)
        self.subject, self.rows = subject, subject.rows
        self.observation = {name: each[whole] for name, each in batch.observation.items()}
        self.action = batch.action[whole][:, : self.rows].astype(np.float64)
        self.episode = batch.episode[whole]
        moved = self.action.std(axis=(0, 1))
        self.moves = moved > 1e-6 * np.maximum(np.abs(self.action).max(axis=(0, 1)), 1e-9)
        self.scale = np.where(self.moves, moved, 1.0)
        newest = [self.observation[key.name][:, -1].reshape(len(self.action), -1) for key in spec]
        self.state = np.concatenate(newest, axis=1) / np.maximum(everything.std(axis=0), 1e-6)

    def disagreement(self) -> Interval:
        """Mean square difference of the displacements of windows and of their nearest ones from other episodes, in that
        of windows of other episodes at random.
        """
        count = min(WINDOWS, len(self.state))
        moved = self._displacement(self.action)
        near = nearest_of_others(self.state[:count], self.episode[:count], self.state[:ROWS], self.episode[:ROWS])
        far = np.random.default_rng(1).permutation(len(self.state))[:count]
        close = np.square(moved[:count] - moved[near]).mean(axis=1)
        apart = max(float(np.square(moved[:count] - moved[far]).mean()), 1e-12)
        return bootstrap(close / apart, resamples=2000)

    def misfit(self) -> float:
        """Mean square error of the zero-noise chunk in the variance of the displacements."""
        count = min(WINDOWS, len(self.state))
        shape = self.subject.policy.noise_shape
        assert shape is not None
        windows = {name: each[:count] for name, each in self.observation.items()}
        zero = np.zeros((count, 1, *shape), np.float32)
        planned = sampled(self.subject, windows, 1, zero, self._prompts(count))[:, 0, : self.rows]
        error = np.square((planned - self.action[:count]) / self.scale)[..., self.moves].mean()
        return float(error / max(self._displacement(self.action).var(axis=0).mean(), 1e-12))

    def _prompts(self, count: int) -> list[TaskPrompt] | None:
        """What each of the first windows was to do, for a policy that reads it."""
        from policies.training.prompts import instructions

        prompt, data = self.subject.policy.spec.prompt, self.subject.demonstrations
        assert data is not None
        if not prompt.reads_words:
            return None
        words = instructions(data, required=True)
        return [TaskPrompt(words[number]) for number in self.episode[:count]]

    def _displacement(self, action: np.ndarray) -> np.ndarray:
        """(windows, rows, dim) -> (windows, rows dim'), of what moves, in deviations."""
        moved = ((action - action[:, :1]) / self.scale)[..., self.moves]
        return moved.reshape(len(moved), -1)


def nearest_of_others(states: np.ndarray, episode: np.ndarray, candidates: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Of each state the number of the nearest candidate of another episode.

    Args:
        states, candidates: (n, D), (m, D).
        episode, of: (n,), (m,) numbers of their episodes.
    """
    chosen: list[np.ndarray] = []
    for start in range(0, len(states), 256):
        part = slice(start, start + 256)
        square = np.square(states[part, None] - candidates).sum(axis=-1)
        square[episode[part, None] == of] = np.inf
        chosen.append(square.argmin(axis=1))
    return np.concatenate(chosen)
