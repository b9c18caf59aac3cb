"""Train a critic from recorded episodes and a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Sequence

import numpy as np
import torch

from data.learning.sources.annotated import Annotated
from data.learning.sources.source import WindowSource
from data.store.dataset import Dataset
from policies.critics.base import Base, BaseChunks, Progress, measured_spread
from policies.critics.bootstrapped import Bootstrapped
from policies.critics.build import build_critic, critic_spec
from policies.critics.checkpoint import TrainableCritic, read_critic_record
from policies.critics.judgement import CONCORDANCE
from policies.critics.names import DISCOUNT, KNOWN, PLAN, RETURN, REWARD
from policies.critics.objectives import CriticObjective, make_objective
from policies.model.build import measure, named
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import TrainingConfig
from policies.training.demonstrations import Data, Demonstrations
from policies.training.fit import fit
from policies.training.prompts import episode_prompts, with_instructions
from policies.training.remarks import doubtful_episodes, known_instructions, lost_in_float32
from policies.training.running.run import TrainingRun, training_run
from policies.training.trainer import Evaluate, TrainingResult
from policies.transforms import make_chain
from robot.description import CriticSpec, to_json
from robot.errors import InputError

BASE = "base"
"""Folder of a run that holds what the base plans at the windows."""


def train_critic(
    data: Data | Sequence[Data],
    recipe: CriticRecipe,
    config: TrainingConfig,
    output: Path | str,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    device: str = "auto",
    base: Base | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a critic, or go on training one. Under torchrun all processes call this alike.

    Args:
        data: episodes with what came of them, or where they are: one dataset, or several of the same keys and actions.
        recipe: what to train.
        config: how to train it.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        evaluate: called with the critic of averaged weights and the updates done; returns numbers to log. The
            checkpoint of the largest `CONCORDANCE` among them is kept, and is the one to use.
        resume: go on from the last checkpoint in `output`, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        base: the policy whose chunks the critic is to tell apart; its plans are kept in `output`.
        progress: of the plans.

    Raises:
        InputError: dataset, recipe, base, output or device do not fit, or the episodes lack what the objective learns
            from.
        TillerError: training diverged.
    """
    with training_run(config, output, resume=resume, device=device) as run:
        opened = Demonstrations.open(data, config, recipe.observation, by_start=True)
        return _train(opened, recipe, run, evaluate, base, progress)


def _train(
    data: Demonstrations,
    recipe: CriticRecipe,
    run: TrainingRun,
    evaluate: Evaluate | None,
    base: Base | None,
    progress: Progress | None,
) -> TrainingResult:
    recipe = with_instructions(recipe, data.datasets)
    spec = critic_spec(recipe, data.observation, data.action, None if base is None else base.record)
    objective = make_objective(**named("critic.objective", recipe.objective))
    require_base(spec, objective, base)
    if run.resume:
        _require_same_base(run, spec)
    looks_ahead = isinstance(objective, Bootstrapped)
    windows = data.windows(spec, objective.columns, outcomes=looks_ahead)
    held_out = data.validation(spec, objective.columns, outcomes=looks_ahead) if run.ranks.is_main else None
    chunks = None if base is None else BaseChunks(base, spec.steps, run.folder.path / BASE, progress)
    known = Known(spec, objective, chunks, run)
    source = known.beside(data.source(windows, spec), data.datasets, data.training)
    torch.manual_seed(run.config.seed)
    measured = data.measured(spec)
    statistics = measure(measured, make_chain(recipe.transforms, spec.observation, spec.action))
    critic = build_critic(recipe, spec, statistics)
    critic.model.prompt_encoder.fit()
    if spec.base is not None:
        assert isinstance(source, Annotated)
        critic.model.sight.spread.copy_(measured_spread(critic.model, measured, source.annotations[PLAN]))
    return fit(
        run,
        TrainableCritic(critic),
        source,
        data.provenance(),
        facts={**data.facts(objective.facts), **episode_prompts(critic.model.prompt_encoder, data.datasets)},
        held_out=None if held_out is None else known.beside(held_out, data.datasets, data.held_out),
        ahead=any(key.is_image for key in spec.observation),
        evaluate=evaluate,
        best=CONCORDANCE if evaluate is not None else "",
        remarks=(
            *known_instructions(spec.prompt),
            *doubtful_episodes(data, None if base is None else base.hash),
            *lost_in_float32(data.datasets, windows),
        ),
    )


def require_base(spec: CriticSpec, objective: CriticObjective | Bootstrapped, base: Base | None) -> None:
    """Refuse a base that does not fit, or none where one is needed.

    Raises:
        InputError: the objective learns from the chunks of a base and there is none, or the critic sees something that
            the base does not, other actions or more rows.
    """
    if base is None:
        if getattr(objective, "candidates", 0):
            raise InputError(
                "base of the critic",
                expected="the policy whose chunks the objective learns from",
                got="none",
                way_out="Add base=CHECKPOINT",
            )
        return
    spec.require_policy(replace(base.policy.spec, n_action_steps=min(spec.steps, base.policy.spec.horizon)))


def _require_same_base(run: TrainingRun, spec: CriticSpec) -> None:
    """Refuse to go on beside another base than a run began with."""
    before = read_critic_record(run.folder.last).spec.base
    if before != spec.base:
        raise InputError(
            f"resume '{run.folder.path}': base of the critic",
            expected=str(to_json(before)),
            got=str(to_json(spec.base)),
            way_out="Give the same base and sampler, or another output folder",
        )


@dataclass(frozen=True, eq=False)
class Known:
    """What a training knows of each window beside what was recorded.

    Args:
        spec: of the critic.
        objective: that may look ahead.
        chunks: of the base; None without one.
        run: that trains.
    """

    spec: CriticSpec
    objective: CriticObjective | Bootstrapped
    chunks: BaseChunks | None
    run: TrainingRun

    def beside(self, source: WindowSource, datasets: Sequence[Dataset], episodes: Sequence[np.ndarray]) -> WindowSource:
        """A source with that beside its windows.

        Args:
            source: of the windows of these episodes, one dataset after the other.
            datasets: that they are of.
            episodes: of each; a dataset may have none.
        """
        annotations: dict[str, np.ndarray] = {}
        candidates, config = getattr(self.objective, "candidates", 0), self.run.config
        if self.chunks is not None and (candidates or self.spec.base is not None):
            parts = [
                self.chunks.of(data, own, candidates, config.seed, writes=self.run.ranks.is_main)
                for data, own in zip(datasets, episodes)
                if len(own)
            ]
            annotations |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            if self.spec.base is None:
                annotations.pop(PLAN)
        following = None
        if isinstance(self.objective, Bootstrapped):
            later = source.later(self.spec.steps, self.spec.gamma)
            annotations |= {
                REWARD: later.reward,
                DISCOUNT: (later.alive * np.power(self.spec.gamma, later.rows)).astype(np.float32),
                KNOWN: later.known.astype(np.float32),
                RETURN: later.returned,
            }
            following = later.window
        return Annotated(source, annotations, following) if annotations else source
