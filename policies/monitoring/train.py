"""Make a monitor from recorded rollouts: learn its scores from some starts, and calibrate its band on others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np
import torch

from data.store.dataset import Dataset
from data.store.schema import ACTION
from policies.critics.checkpoint import load_critic, read_critic_record
from policies.model.checkpoint_folder import CRITIC_RECORD, find
from policies.model.provenance import Provenance, versions
from policies.monitoring.checkpoint import MonitoredPolicy, save_monitor
from policies.monitoring.head import DecidedEpisode, train_head
from policies.monitoring.judgement import MonitorJudgement, ScoredEpisode, judge_monitor
from policies.monitoring.rollouts import Rollout, acting_policy, rollouts
from policies.monitoring.scores import FailureHead, FeatureScore, ValueScore, require_critic
from policies.monitoring.split import Place, require_outcomes, split_starts
from policies.recipe.monitor import DISAGREEMENT, FEATURES_SCORE, VALUE, MonitorRecipe
from policies.recipe.recipe import TrainingConfig
from policies.training.trainer import TrainingResult
from robot.control.runner import ChunkRunner
from robot.description import PolicySpec, with_features
from robot.errors import InputError
from robot.monitoring.band import calibrate
from robot.monitoring.monitor import Monitor, curve_of
from robot.monitoring.scores import Disagreement, Score

MONITOR = "monitor"
"""Folder, in that of the run, of the monitor."""


@dataclass(frozen=True, eq=False)
class MadeMonitor:
    """What came of a run.

    Args:
        monitor: None where the training was stopped before its end.
        path: of its folder.
        training: of the head; None where nothing is learnt.
        judgement: on the failures of the calibration episodes, and on their successes, which the band comes from: its
            share of false alarms is no more than alpha for that reason alone.
        episodes: learnt from, and calibrated on.
    """

    monitor: Monitor | None
    path: Path
    training: TrainingResult | None
    judgement: MonitorJudgement | None
    episodes: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Scored:
    """An episode with what is left of its decisions once each was scored: values of the scores that are not learnt here
    (decisions, scores), NaN for the head's, features (decisions, F) and first actions (decisions, dim).
    """

    rollout: Rollout
    start: int
    calibrates: bool
    values: np.ndarray
    features: np.ndarray
    actions: np.ndarray


def make_monitor(
    checkpoint: str,
    data: Sequence[Dataset],
    recipe: MonitorRecipe,
    config: TrainingConfig,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda episodes: None,
) -> MadeMonitor:
    """Make a monitor of a policy.

    Args:
        checkpoint: of the policy.
        data: rollouts of it, as `tiller collect source=checkpoint` records them.
        recipe: of the monitor.
        config: how the head is trained.
        output: folder of the run.
        resume: go on with the head's training in it.
        device: that decides again and trains, as in `choose_device`.
        progress: called with the episodes that were decided again so far.

    Raises:
        InputError: episodes of another policy or without an outcome, too few successes for the alpha, a critic that
            learnt from them or does not fit, or a policy whose chunks do not overlap where that is scored.
        TillerError: training diverged.
    """
    policy, name = acting_policy(checkpoint, data, device)
    starts, calibrates = split_starts(data, recipe)
    require_outcomes(data, calibrates, recipe)
    rows = ChunkRunner(policy.spec).n_action_steps
    given = _untrained(recipe, data, policy.spec, rows, calibrates)
    learns = FEATURES_SCORE in recipe.scores
    acted = MonitoredPolicy(name, checkpoint, policy.spec.sampler.name, policy.spec.sampler.steps, rows)
    scored = []
    for rollout in rollouts(with_features(policy, recipe.features) if learns else policy, data):
        number = rollout.dataset, rollout.episode
        scored.append(_score(rollout, starts[number], calibrates[number], recipe, given))
        progress(len(scored))
    training, scores = None, dict(given)
    counts = sum(not each.calibrates for each in scored), sum(each.calibrates for each in scored)
    if learns:
        learnt = [
            DecidedEpisode(each.features, each.actions, each.rollout.success, each.start)
            for each in scored
            if not each.calibrates
        ]
        training, head = train_head(learnt, policy.spec.action, recipe, config, output, resume=resume, device=device)
        if head is None:
            return MadeMonitor(None, output / MONITOR, training, None, counts)
        scores[FEATURES_SCORE] = FeatureScore(head)
        scored = [replace(each, values=_with_odds(each, head, recipe)) for each in scored]
    held_out = [
        ScoredEpisode(curve_of(each.values, recipe.memory), each.rollout.success, each.rollout.rows, rows)
        for each in scored
        if each.calibrates
    ]
    band = calibrate([each.curve for each in held_out if each.success], recipe.alpha, recipe.seed)
    monitor = Monitor(tuple(scores[each] for each in recipe.scores), band, recipe.memory, rows, name, recipe.features)
    path = save_monitor(monitor, output / MONITOR, recipe, acted, _provenance(data, training))
    return MadeMonitor(monitor, path, training, judge_monitor(band, held_out), counts)


def _untrained(
    recipe: MonitorRecipe,
    data: Sequence[Dataset],
    spec: PolicySpec,
    rows: int,
    calibrates: Mapping[Place, bool],
) -> dict[str, Score]:
    """The scores that learn nothing here, by name."""
    scores: dict[str, Score] = {}
    if DISAGREEMENT in recipe.scores:
        if rows >= spec.horizon:
            raise InputError(
                f"monitor.scores: {DISAGREEMENT}",
                expected="chunks that overlap: fewer rows executed than planned",
                got=f"{rows} of {spec.horizon}",
                way_out="Execute fewer rows (n_action_steps), or take another score",
            )
        parts = [
            np.asarray(each.episode(episode).data[ACTION], dtype=np.float64)
            for number, each in enumerate(data)
            for episode in range(len(each))
            if not calibrates[number, episode]
        ]
        actions = np.concatenate(parts) if parts else np.zeros((1, spec.action.dim))
        spread = actions.std(axis=0)
        scores[DISAGREEMENT] = Disagreement(np.where(spread > 1e-6 * np.abs(actions).max(axis=0), spread, 0.0))
    if VALUE in recipe.scores:
        assert recipe.critic is not None
        critic = load_critic(recipe.critic)
        require_critic(critic, spec)
        learnt_from = read_critic_record(find(recipe.critic, CRITIC_RECORD)).provenance.dataset
        if learnt_from in {each.fingerprint for each in data} | {_fingerprint(data)}:
            raise InputError(
                f"monitor.critic '{recipe.critic}'",
                expected="a critic that learnt from other episodes than those that calibrate",
                got="one that learnt from these",
                way_out="Collect episodes on other seeds for the monitor",
            )
        scores[VALUE] = ValueScore(critic)
    return scores


def _score(
    rollout: Rollout, start: int, calibrates: bool, recipe: MonitorRecipe, given: Mapping[str, Score]
) -> _Scored:
    moments = rollout.moments
    before = [None, *moments[:-1]]
    values = np.full((len(moments), len(recipe.scores)), np.nan)
    for column, name in enumerate(recipe.scores):
        if name in given:
            values[:, column] = [given[name].of(moment, last) for moment, last in zip(moments, before)]
    features: Any = [moment.features for moment in moments if moment.features is not None]
    return _Scored(
        replace(rollout, moments=()),
        start,
        calibrates,
        values,
        np.stack(features) if features else np.zeros((len(moments), 0), np.float32),
        np.stack([moment.chunk[0] for moment in moments]).astype(np.float32),
    )


def _with_odds(each: _Scored, head: FailureHead, recipe: MonitorRecipe) -> np.ndarray:
    values = each.values.copy()
    with torch.inference_mode():
        values[:, recipe.scores.index(FEATURES_SCORE)] = head.log_odds(torch.from_numpy(each.features)).numpy()
    return values


def _fingerprint(data: Sequence[Dataset]) -> str:
    prints = [each.fingerprint for each in data]
    return prints[0] if len(prints) == 1 else hashlib.sha256(" ".join(prints).encode()).hexdigest()[:16]


def _provenance(data: Sequence[Dataset], training: TrainingResult | None) -> Provenance:
    paths = ", ".join(str(each.path) for each in data)
    return Provenance(0 if training is None else training.updates, _fingerprint(data), paths, versions=versions())
