"""Train a policy from demonstrations and a recipe: the one entry point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from data.learning.statistics import FieldStatistics, hardly_changing
from policies.model.build import build_policy, measure, policy_spec
from policies.model.checkpoint import TrainablePolicy, load_learnt
from policies.model.embodiments import EMBODIMENT
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from policies.training.advantage import begun, with_indicators
from policies.training.demonstrations import Data, Demonstrations
from policies.training.embodiments import members_of
from policies.training.fit import fit
from policies.training.prompts import episode_prompts, measured_goals, with_goal, with_goals, with_instructions
from policies.training.remarks import known_instructions, lost_in_float32
from policies.training.running.run import TrainingRun, training_run
from policies.training.trainer import Evaluate, TrainingResult
from policies.transforms import make_chain
from policies.transforms.normaliser import NONE
from robot.description import PolicySpec, to_json
from robot.errors import InputError


def train(
    data: Data | Sequence[Data],
    recipe: PolicyRecipe,
    config: TrainingConfig,
    output: Path | str,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    device: str = "auto",
    semantic_hash: str | None = None,
    operational_hash: str | None = None,
    initial: Path | str | None = None,
) -> TrainingResult:
    """Train a policy, or go on training one. Under torchrun all processes call this alike.

    Args:
        data: demonstrations, or where they are: one dataset, or several of the same keys and actions.
        recipe: what to train.
        config: how to train it.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        evaluate: called with the policy of averaged weights and the updates done, every `config.evaluate_every`
            updates and at the end; returns numbers to log.
        resume: go on from the last checkpoint in `output`, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        semantic_hash, operational_hash: of the robot contract, noted in the checkpoint.
        initial: checkpoint of the same recipe, whose averaged weights and normaliser the training starts from; it may
            lack a condition on the advantage.

    Raises:
        InputError: dataset, recipe, output or device do not fit.
        TillerError: training diverged.
    """
    with training_run(config, output, resume=resume, device=device) as run:
        demonstrations = Demonstrations.open(data, config, recipe.observation, members_of(recipe))
        start = None if initial is None else begun(load_learnt(initial), recipe)
        return _train(demonstrations, recipe, run, evaluate, (semantic_hash, operational_hash), start)


def _train(
    data: Demonstrations,
    recipe: PolicyRecipe,
    run: TrainingRun,
    evaluate: Evaluate | None,
    hashes: tuple[str | None, str | None],
    start: DiffusionPolicy | None,
) -> TrainingResult:
    """Train in this process, in the folder that its group shares."""
    recipe = with_instructions(recipe, data.datasets)
    if data.members:
        recipe = replace(recipe, observation=data.observation.names)
    recipe = with_goal(recipe, data.observation)
    spec = policy_spec(recipe, data.observation, data.action, data.embodiments)
    windows = data.windows(spec)
    if recipe.pad_loss and any(each.has_rewound for each in windows):
        raise InputError(
            "policy.pad_loss",
            expected="false for a dataset with rows that a person took back, which the loss must not see",
            got="true",
            way_out="Leave policy.pad_loss out",
        )
    torch.manual_seed(run.config.seed)
    source, held_out = data.source(windows, spec), data.validation(spec) if run.ranks.is_main else None
    if start is None:
        chain = make_chain(recipe.transforms, spec.observation, spec.action)
        statistics = measure(data.measured(spec), chain, data.embodiments, data.embodiment_of)
        policy = build_policy(recipe, spec, statistics)
        policy.model.prompt_encoder.fit(measured_goals(policy.model.prompt_encoder, source))
        remarks = tuple(_amplified_noise(policy, statistics))
    else:
        _require_same(start, recipe, spec)
        data.require_finite(spec)
        policy, remarks = start, ()
    encoder = policy.model.prompt_encoder
    source = with_indicators(encoder, with_goals(encoder, source), data.datasets, data.training, spec)
    if held_out is not None:
        held_out = with_indicators(encoder, with_goals(encoder, held_out), data.datasets, data.held_out, spec)
    return fit(
        run,
        TrainablePolicy(policy),
        source,
        data.provenance(*hashes),
        facts={**episode_prompts(encoder, data.datasets), **_embodiments(data)},
        held_out=held_out,
        ahead=any(key.is_image for key in spec.observation),
        evaluate=evaluate,
        remarks=(*known_instructions(spec.prompt), *lost_in_float32(data.datasets, windows), *remarks),
    )


def _require_same(start: DiffusionPolicy, recipe: PolicyRecipe, spec: PolicySpec) -> None:
    """Refuse to start from a policy of another recipe, or one that sees, moves or is told something else."""
    for what, expected, got in (("recipe", start.recipe, recipe), ("data", start.spec, spec)):
        theirs, ours = to_json(expected), to_json(got)
        differing = [name for name in theirs if theirs[name] != ours.get(name)]
        if differing:
            raise InputError(
                f"initial policy: {what}",
                expected="; ".join(f"{name} {theirs[name]}" for name in differing),
                got="; ".join(f"{name} {ours.get(name)}" for name in differing),
                way_out="Train with the recipe of the initial policy, on data of the same keys, actions and prompts",
            )


def _embodiments(data: Demonstrations) -> dict[str, Tensor]:
    """The number of each episode's embodiment, as a fact; none where all episodes have the same."""
    return {EMBODIMENT: torch.from_numpy(data.embodiment_of)} if data.members else {}


def _amplified_noise(policy: DiffusionPolicy, statistics: Mapping[str, FieldStatistics]) -> Iterator[str]:
    """A warning for each key whose noise the normaliser amplifies to the size of a motion."""
    for key in policy.model.chain.outgoing[0]:
        if key.is_image or policy.recipe.normalisation.mode_of(key.name) == NONE:
            continue
        gains = policy.model.normaliser[key.name].scale.flatten().tolist()
        noisy = [index for index in hardly_changing(statistics[key.name], key.unit) if gains[index] != 1]
        if noisy:
            ranges = statistics[key.name].range.ravel()
            named = ", ".join(f"{index} (range {ranges[index]:.2g}, gain {gains[index]:.2g})" for index in noisy)
            yield (
                f"Warning: '{key.name}' hardly changes in component {named}: if that is noise, it decides actions. "
                f"Leave the key out of policy.observation, or add policy.normalisation.fields.{key.name}=none"
            )
