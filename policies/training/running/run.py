"""A training run: its folder, its processes and its threads, claimed before anything is learnt."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping

import torch

from policies.model.device import choose_device
from policies.recipe.recipe import TrainingConfig
from policies.training.running.distributed import Ranks, process_group
from policies.training.running.loggers import CsvLog, Logger, TensorBoardLog, WandbLog
from policies.training.running.run_folder import RunFolder
from robot.errors import InputError


@dataclass(frozen=True)
class TrainingRun:
    """What a run stands on.

    Args:
        config: how to train.
        folder: of its checkpoints.
        ranks: this process among those that train together.
        device: that trains.
        resume: whether to go on from the folder's last checkpoint.
    """

    config: TrainingConfig
    folder: RunFolder
    ranks: Ranks
    device: torch.device
    resume: bool


@contextmanager
def training_run(
    config: TrainingConfig, output: Path | str, *, resume: bool = False, device: str = "auto"
) -> Iterator[TrainingRun]:
    """Claim the output folder and join the other processes, while the block runs. Under torchrun all call this alike.

    Args:
        config: how to train.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        resume: go on from the last checkpoint in it, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: output or device do not fit, or the batch does not divide among the processes.
    """
    torch_device = choose_device(device)
    folder = RunFolder(Path(output), config.keep_every)
    with process_group(torch_device) as ranks, _threads(config.threads):
        check_shares(config, ranks)
        with folder.claimed(resume) if ranks.is_main else nullcontext():
            ranks.wait()
            yield TrainingRun(config, folder, ranks, torch_device, resume)


def check_shares(config: TrainingConfig, ranks: Ranks) -> None:
    shares = config.accumulation * ranks.size
    if config.batch_size % shares:
        raise InputError(
            "training.batch_size",
            expected=f"a multiple of {shares}, processes times accumulation",
            got=str(config.batch_size),
        )


@contextmanager
def open_loggers(run: TrainingRun, step: int, choices: Mapping[str, Any]) -> Iterator[list[Logger]]:
    """Open the loggers of the first process; none for the others.

    Args:
        run: that logs.
        step: the update that it goes on from.
        choices: noted by wandb.
    """
    loggers: list[Logger] = []
    if run.ranks.is_main:
        loggers += [CsvLog(run.folder.metrics, step), TensorBoardLog(run.folder.tensorboard, step)]
        if run.config.wandb:
            loggers.append(WandbLog(run.config.wandb, run.folder.path, choices))
    try:
        yield loggers
    finally:
        for logger in loggers:
            logger.close()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
