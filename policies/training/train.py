"""Train a policy from a dataset and a recipe: the one entry point."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Iterator, Mapping

import numpy as np
import torch

from data.learning.split import split_episodes
from data.learning.statistics import LEAST_RANGE, LEAST_SHARE, FieldStatistics, hardly_changing
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.schema import ACTION
from policies.model.build import build_policy, measure, policy_spec
from policies.model.checkpoint import Provenance, versions
from policies.model.device import choose_device
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from policies.training.batches import Batches, RowOrder
from policies.training.distributed import Ranks, process_group
from policies.training.learner import Learner
from policies.training.loggers import CsvLog, Logger, TensorBoardLog, WandbLog
from policies.training.progress import TrainingProgress
from policies.training.prompts import episode_prompts, with_instructions
from policies.training.run_folder import RunFolder
from policies.training.trainer import INTERRUPTED, Evaluate, Trainer, TrainingResult
from policies.training.validation import Validation
from policies.transforms import make_chain
from policies.transforms.normaliser import NONE
from robot.description import ObservationSpec, PolicySpec, to_json
from robot.description.prompt import INSTRUCTION
from robot.errors import InputError

_FEWEST_STEPS = 16
"""A component that moves by fewer steps of float32 has lost its motion."""


def train(
    dataset: Dataset | Path | str,
    recipe: PolicyRecipe,
    config: TrainingConfig,
    output: Path | str,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    device: str = "auto",
    semantic_hash: str | None = None,
    operational_hash: str | None = None,
) -> TrainingResult:
    """Train a policy, or go on training one. Under torchrun all processes call this alike.

    Args:
        dataset: demonstrations, or where they are.
        recipe: what to train.
        config: how to train it.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        evaluate: called with the policy of averaged weights and the updates done, every `config.evaluate_every`
            updates and at the end; returns numbers to log.
        resume: go on from the last checkpoint in `output`, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        semantic_hash, operational_hash: of the robot contract, noted in the checkpoint.

    Raises:
        InputError: dataset, recipe, output or device do not fit.
        TillerError: training diverged.
    """
    torch_device = choose_device(device)
    data = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)
    folder = RunFolder(Path(output), config.keep_every)
    with process_group(torch_device) as ranks, _threads(config.threads):
        check_shares(config, ranks)
        with folder.claimed(resume) if ranks.is_main else nullcontext():
            ranks.wait()
            return _train(
                data, recipe, config, folder, evaluate, resume, torch_device, ranks, (semantic_hash, operational_hash)
            )


def _train(
    data: Dataset,
    recipe: PolicyRecipe,
    config: TrainingConfig,
    folder: RunFolder,
    evaluate: Evaluate | None,
    resume: bool,
    place: torch.device,
    ranks: Ranks,
    hashes: tuple[str | None, str | None],
) -> TrainingResult:
    """Train in this process, in the folder that its group shares."""
    training, held_out = _episodes(data, config)
    recipe = with_instructions(recipe, data)
    spec = _spec(data, recipe)
    windows = Windows(data, spec, training)
    if windows.has_rewound and recipe.pad_loss:
        raise InputError(
            "policy.pad_loss",
            expected="false for a dataset with rows that a person took back, which the loss must not see",
            got="true",
            way_out="Leave policy.pad_loss out",
        )
    torch.manual_seed(config.seed)
    statistics = _statistics(data, recipe, spec, training)
    policy = build_policy(recipe, spec, statistics)
    prompts = episode_prompts(policy.model, data)
    learner = Learner(policy.model.to(place), config, ranks)
    has_images = any(key.is_image for key in spec.observation)
    provenance = Provenance(0, data.fingerprint, str(data.path), *hashes, versions())
    validation = None
    if len(held_out) and ranks.is_main:
        validation = Validation(Windows(data, spec, held_out), config.batch_size, config.validation.batches, prompts)
    with (
        _released(learner),
        TrainingProgress(config.steps, show=ranks.is_main) as progress,
        Batches(
            RowOrder(windows, config.batch_size, config.seed),
            place,
            config.accumulation,
            ranks,
            ahead=has_images or place.type == "cuda",
            prompts=prompts,
        ) as batches,
    ):
        for line in (
            *_known_instructions(spec),
            *_lost_in_float32(data, windows),
            *_amplified_noise(policy, statistics),
        ):
            progress.say(line)
        trainer = Trainer(policy, learner, batches, folder, provenance, progress, validation, evaluate)
        if resume:
            trainer.restore()
        with _loggers(folder, recipe, config, trainer.done, ranks) as trainer.loggers:
            result = trainer.run()
        progress.say(_farewell(result, folder))
    return result


def _spec(data: Dataset, recipe: PolicyRecipe) -> PolicySpec:
    if data.schema is None:
        raise InputError(
            f"dataset '{data.path}'",
            expected="a store with a schema of names, units and control period",
            got="a store that tiller did not write",
            way_out=f"Convert it: tiller data convert {data.path} OUT",
        )
    return policy_spec(recipe, data.schema.observation, data.schema.action)


def _episodes(data: Dataset, config: TrainingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Episodes to train on and episodes held out."""
    training, held_out = split_episodes(len(data), config.validation.fraction, config.seed)
    if config.demonstrations is not None:
        if not 1 <= config.demonstrations <= len(training):
            raise InputError(
                "training.demonstrations",
                expected=f"1 to {len(training)}, the episodes not held out",
                got=str(config.demonstrations),
            )
        chosen = np.random.default_rng([config.seed, 1]).permutation(training)[: config.demonstrations]
        training = np.sort(chosen)
    return training, held_out


def _statistics(
    data: Dataset, recipe: PolicyRecipe, spec: PolicySpec, episodes: np.ndarray
) -> dict[str, FieldStatistics]:
    """Statistics of the training episodes, measured without their images."""
    low_dimensional = ObservationSpec(tuple(key for key in spec.observation if not key.is_image))
    windows = Windows(data, replace(spec, observation=low_dimensional), episodes)
    return measure(windows, make_chain(recipe.transforms, spec.observation, spec.action))


def _known_instructions(spec: PolicySpec) -> Iterator[str]:
    """A line on the instructions that a policy gets to know, where it does."""
    known = spec.prompt.instructions
    if known:
        more = f" and {len(known) - 4} more" if len(known) > 4 else ""
        listed = ", ".join(f"'{each}'" for each in known[:4])
        verb = "Reads" if spec.prompt.use == INSTRUCTION else "Refuses others than"
        yield f"{verb} {len(known)} instruction{'s' * (len(known) > 1)}: {listed}{more}"


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


def _lost_in_float32(data: Dataset, windows: Windows) -> Iterator[str]:
    """A warning for each key whose motion float32 rounds to a constant, or to a few numbers."""
    assert data.schema is not None
    for name in (*(key.name for key in windows.observation if not key.is_image), ACTION):
        stored = windows.stored_range(name)
        if stored is None:
            continue
        rows = windows.action_rows() if name == ACTION else windows.observation_rows(name)
        units = data.schema.row_fields[name].unit.split()
        low, high = rows.min(axis=0).ravel(), rows.max(axis=0).ravel()
        steps = np.spacing(np.maximum(abs(low), abs(high)))
        for index, moved in enumerate(stored.ravel()):
            least = LEAST_RANGE.get(units[index % len(units)] if units else "", LEAST_SHARE)
            if moved < least or moved >= _FEWEST_STEPS * steps[index]:
                continue
            is_constant = "is constant" if low[index] == high[index] else "is nearly constant"
            yield (
                f"Warning: '{name}' {is_constant} in float32 in component {index}: it changes by {moved:.3g} around "
                f"{high[index]:.3g}, where float32 has steps of {steps[index]:.3g}. Store it less a constant offset"
                + ("" if name == ACTION else ", or leave the key out of policy.observation")
            )


def check_shares(config: TrainingConfig, ranks: Ranks) -> None:
    shares = config.accumulation * ranks.size
    if config.batch_size % shares:
        raise InputError(
            "training.batch_size",
            expected=f"a multiple of {shares}, processes times accumulation",
            got=str(config.batch_size),
        )


@contextmanager
def _released(learner: Learner) -> Iterator[None]:
    """Release the learner from the group of processes before the group ends, however the block does."""
    try:
        yield
    finally:
        learner.release()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _loggers(
    folder: RunFolder, recipe: PolicyRecipe, config: TrainingConfig, step: int, ranks: Ranks
) -> Iterator[list[Logger]]:
    """Open the loggers of the first process; none for the others."""
    loggers: list[Logger] = []
    if ranks.is_main:
        loggers += [CsvLog(folder.metrics, step), TensorBoardLog(folder.tensorboard, step)]
        if config.wandb:
            choices = {"policy": to_json(recipe), "training": to_json(config)}
            loggers.append(WandbLog(config.wandb, folder.path, choices))
    try:
        yield loggers
    finally:
        for logger in loggers:
            logger.close()


def _farewell(result: TrainingResult, folder: RunFolder) -> str:
    if result.stopped in (INTERRUPTED, "stop_after"):
        return (
            f"Stopped after update {result.updates}; saved in {folder.last}. "
            "Go on with the same command and resume=true"
        )
    reason = "" if result.stopped == "done" else f" ({result.stopped} used up; learning rate not yet at its end)"
    return f"Trained {result.updates} updates in {result.elapsed_s / 60:.1f} min{reason}: {result.checkpoint}"
