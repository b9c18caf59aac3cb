"""The quality of a store: two passes over its numbers, then comparisons of a sample of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Mapping

import numpy as np

from data.learning.episode_weights import episode_returns
from data.quality.coverage import different_pairs, trajectory_quality
from data.quality.divergence import action_divergence, pairs, transition_diversity
from data.quality.motion import clipped_share
from data.quality.options import QualityOptions
from data.quality.paths import REFERENCES, STARTS, path_distances, robust_distances, start_distances, start_spread
from data.quality.rows import Columns, columns_of
from data.quality.sample import Sample, draw
from data.quality.score import penalties, scores
from data.quality.survey import Survey, survey
from data.store.dataset import Dataset
from data.store.names import REWARD, SUCCESS, has_column, has_fact


@dataclass(frozen=True, eq=False)
class EpisodeTable:
    """What is known of each episode, (episodes,) each; NaN where a measure is not known.

    Args:
        rows: that are looked at.
        task: number of its task.
        copies: how many have the same content, itself among them.
        action_divergence, transition_diversity: means over its rows.
        coverage: the share of its pairs of state and action that no other row is like.
        idle, clipping: shares of its rows.
        jerk: without unit.
        outlier: deviations that its path is farther from the others' than usual.
        start_distance: from the nearest other start.
        returns, quality: its return and TQ; None where no outcome is recorded.
        penalty: measure -> deviations from the usual.
        score: what training draws by.
    """

    rows: np.ndarray
    task: np.ndarray
    copies: np.ndarray
    action_divergence: np.ndarray
    transition_diversity: np.ndarray
    coverage: np.ndarray
    idle: np.ndarray
    jerk: np.ndarray
    clipping: np.ndarray
    outlier: np.ndarray
    start_distance: np.ndarray
    returns: np.ndarray | None
    quality: np.ndarray | None
    penalty: Mapping[str, np.ndarray]
    score: np.ndarray


@dataclass(frozen=True, eq=False)
class Quality:
    """The quality of a store.

    Args:
        path, fingerprint: of the store.
        options: that it was measured with.
        tasks: instructions, by the numbers of `EpisodeTable.task`; empty for none or a rare one.
        figures: of the whole store, name -> number; None where it is not known.
        episodes: each one's.
        starts: (n, 2) of the episodes that are no copies, in the plane of their two main directions, scaled.
        notes: what was left out or assumed.
    """

    path: str
    fingerprint: str
    options: QualityOptions
    tasks: tuple[str, ...]
    figures: Mapping[str, float | None]
    episodes: EpisodeTable
    starts: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


def measure(
    dataset: Dataset, options: QualityOptions = QualityOptions(), on_episode: Callable[[int, int], None] | None = None
) -> Quality:
    """Measure a store.

    Time grows with its rows, for the two passes, and with its episodes; rows are compared in pairs within a sample of
    `options.rows`. Memory is that of the sample, of at most 64 MB of paths (more beyond 100,000 episodes) and of the
    longest episode.

    Args:
        dataset: with a schema and at least two episodes.
        options: how.
        on_episode: called with episodes read and to read, of both passes.

    Raises:
        InputError: a store of another program, with less than two episodes, without numbers, or with one that is NaN.
        DamagedChunkError: a chunk is missing or broken.
    """
    columns, done = columns_of(dataset), 0

    def step() -> None:
        nonlocal done
        done += 1
        if on_episode is not None:
            on_episode(done, 2 * len(dataset))

    outcome = _outcome(dataset, options)  # refused before anything long
    known = survey(dataset, columns, step)
    sample = draw(dataset, columns, known, options.rows, step)
    by_row = _rows(known, sample, options)
    measured = {name: _of_episodes(values, sample, known) for name, values in by_row.items()}
    measured["coverage"] /= known.copies
    outlier, start = _paths(known, sample, options.seed)
    measured |= {
        "idle": sample.idle, "jerk": sample.jerk, "clipping": clipped_share(sample.at_limit, sample.limited, known),
        "outlier": outlier,
    }  # fmt: skip
    penalty = penalties({**measured, "length": known.lengths.astype(float)}, known.task, known.unique)
    returns, quality, bounds = outcome
    table = EpisodeTable(
        rows=known.lengths, task=known.task, copies=known.copies, start_distance=start, returns=returns,
        quality=quality, penalty=penalty, score=scores(penalty, quality, known.copies), **measured,
    )  # fmt: skip
    notes = (*_notes(dataset, columns, known, sample), *bounds)
    return Quality(
        dataset.path, dataset.fingerprint, options, known.tasks, _figures(table, known, sample, by_row["coverage"]),
        table, _plane(sample.starts), notes,
    )  # fmt: skip


def _outcome(dataset: Dataset, options: QualityOptions) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Returns, TQ and what is assumed."""
    if not (has_column(dataset.schema, REWARD) or has_fact(dataset.schema, SUCCESS)):
        return None, None, ("No reward and no success is recorded: TQ is not known and no part of the scores.",)
    returns = episode_returns(dataset)
    quality, (low, high) = trajectory_quality(returns, options.return_min, options.return_max)
    return returns, quality, (f"TQ is 0 at a return of {low:g} and 1 at {high:g}.",)


def _rows(known: Survey, sample: Sample, options: QualityOptions) -> dict[str, np.ndarray]:
    """The measures that compare rows, (n,) of the sample each; of each task by itself."""
    result = {
        name: np.full(len(sample.episode), np.nan) for name in ("action_divergence", "transition_diversity", "coverage")
    }
    random = np.random.default_rng(options.seed)
    origin = known.origin[sample.episode]
    for number in range(len(known.tasks)):
        own = np.flatnonzero(known.task[sample.episode] == number)
        if not len(own):
            continue
        state, action, moved = sample.state[own], sample.action[own], sample.moved[own]
        near = np.arange(len(own))
        if len(own) > options.rows:
            near = np.sort(random.choice(len(own), options.rows, replace=False))
        rows = (state, action)
        result["action_divergence"][own] = action_divergence(*rows, origin[own], near, options.k)
        result["transition_diversity"][own] = transition_diversity(*rows, moved, origin[own], near, options.k)
        result["coverage"][own] = different_pairs(pairs(*rows), sample.share[own], sample.episode[own], near)
    return result


def _paths(known: Survey, sample: Sample, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How far off each episode's path is, in robust deviations, and its start: (episodes,) each."""
    outlier, start = np.full((2, len(known.lengths)), np.nan)
    random, unique = np.random.default_rng(seed), known.unique
    for number in range(len(known.tasks)):
        own = np.flatnonzero(known.task[unique] == number)
        origin = known.origin[unique[own]]
        near = np.arange(len(own))
        if len(own) > REFERENCES:
            near = np.sort(random.choice(len(own), REFERENCES, replace=False))
        outlier[unique[own]] = robust_distances(path_distances(sample.paths[own], origin, near))
        near = np.arange(len(own))
        if len(own) > STARTS:
            near = np.sort(random.choice(len(own), STARTS, replace=False))
        start[unique[own]] = start_distances(sample.starts[own], origin, near)
    return outlier[known.first], start[known.first]


def _of_episodes(values: np.ndarray, sample: Sample, known: Survey) -> np.ndarray:
    """Means of rows, (episodes,); NaN where none of an episode's is known. Copies have what the first one has."""
    good = np.isfinite(values)
    count = len(known.lengths)
    sums = np.bincount(sample.episode[good], values[good], minlength=count)
    counts = np.bincount(sample.episode[good], minlength=count)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    of_first: np.ndarray = means[known.first]
    return of_first


def _figures(table: EpisodeTable, known: Survey, sample: Sample, different: np.ndarray) -> dict[str, float | None]:
    """The whole store's: means over rows that differ, shares of all rows."""
    unique, weights = known.unique, known.lengths
    pairs_that_differ = float((different * sample.share).sum())
    figures = {
        "episodes": float(len(weights)),
        "rows": float(weights.sum()),
        "copies": float(len(weights) - len(unique)),
        "action_divergence": _mean(table.action_divergence[unique], weights[unique]),
        "transition_diversity": _mean(table.transition_diversity[unique], weights[unique]),
        "saco": pairs_that_differ / max(float(weights.sum()), 1.0),
        "tq": None if table.quality is None else float(table.quality.mean()),
        "idle": _mean(table.idle, weights),
        "jerk": _mean(table.jerk, weights),
        "clipping": _mean(table.clipping, weights),
        "outliers": float((np.nan_to_num(table.outlier) > 3).sum()),
        "start_spread": start_spread(sample.starts),
        "start_distance": _mean(table.start_distance[unique], np.ones(len(unique))),
    }
    return figures


def _mean(values: np.ndarray, weights: np.ndarray) -> float | None:
    good = np.isfinite(values)
    return float(np.average(values[good], weights=weights[good])) if good.any() else None


def _plane(starts: np.ndarray) -> np.ndarray:
    """Starts in the plane of their two main directions, (n, 2)."""
    moved = starts - starts.mean(axis=0)
    directions = np.linalg.eigh(moved.T @ moved)[1][:, ::-1][:, :2]
    plane = np.zeros((len(starts), 2))
    plane[:, : directions.shape[1]] = moved @ directions
    return plane


def _notes(dataset: Dataset, columns: Columns, known: Survey, sample: Sample) -> list[str]:
    notes = []
    if columns.ignored:
        notes.append(f"Not looked at, as images and large arrays are no states: {', '.join(columns.ignored)}.")
    compared = int(known.lengths[known.unique].sum())
    if len(sample.episode) < compared:
        notes.append(f"Compared are {len(sample.episode):,} of {compared:,} rows, at equal steps of each episode.")
    if duplicates := len(known.lengths) - len(known.unique):
        notes.append(f"{duplicates} episodes are copies of others; copies share one score.")
    if len(known.tasks) > 1:
        notes.append(f"Episodes are compared within {len(known.tasks)} instructions.")
    if len(np.unique(known.origin)) < 3:
        notes.append("Less than three episodes differ: what is usual is hardly known.")
    return notes
