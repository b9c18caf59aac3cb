"""Train a critic from recorded episodes and a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import torch

from policies.critics.build import build_critic, critic_spec
from policies.critics.checkpoint import TrainableCritic
from policies.model.build import measure
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import TrainingConfig
from policies.training.demonstrations import Data, Demonstrations
from policies.training.fit import fit
from policies.training.prompts import episode_prompts, with_instructions
from policies.training.remarks import known_instructions, lost_in_float32
from policies.training.running.run import TrainingRun, training_run
from policies.training.trainer import Evaluate, TrainingResult
from policies.transforms import make_chain


def train_critic(
    data: Data | Sequence[Data],
    recipe: CriticRecipe,
    config: TrainingConfig,
    output: Path | str,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    device: str = "auto",
) -> TrainingResult:
    """Train a critic, or go on training one. Under torchrun all processes call this alike.

    Args:
        data: episodes with what came of them, or where they are: one dataset, or several of the same keys and actions.
        recipe: what to train.
        config: how to train it.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        evaluate: called with the critic of averaged weights and the updates done; returns numbers to log.
        resume: go on from the last checkpoint in `output`, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: dataset, recipe, output or device do not fit, or the episodes lack what the objective learns from.
        TillerError: training diverged.
    """
    with training_run(config, output, resume=resume, device=device) as run:
        return _train(Demonstrations.open(data, config, recipe.observation), recipe, run, evaluate)


def _train(data: Demonstrations, recipe: CriticRecipe, run: TrainingRun, evaluate: Evaluate | None) -> TrainingResult:
    recipe = with_instructions(recipe, data.datasets)
    spec = critic_spec(recipe, data.observation, data.action)
    torch.manual_seed(run.config.seed)
    statistics = measure(data.measured(spec), make_chain(recipe.transforms, spec.observation, spec.action))
    critic = build_critic(recipe, spec, statistics)
    critic.model.prompt_encoder.fit()
    objective = critic.model.objective
    windows = data.windows(spec, objective.columns)
    return fit(
        run,
        TrainableCritic(critic),
        data.source(windows, spec),
        data.provenance(),
        facts={**data.facts(objective.facts), **episode_prompts(critic.model.prompt_encoder, data.datasets)},
        held_out=data.validation(spec, objective.columns) if run.ranks.is_main else None,
        ahead=any(key.is_image for key in spec.observation),
        evaluate=evaluate,
        remarks=(*known_instructions(spec.prompt), *lost_in_float32(data.datasets, windows)),
    )
