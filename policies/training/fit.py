"""Fit anything that learns from windows: a policy, a critic, or a module of one's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterable, Iterator, Mapping

from torch import Tensor

from data.learning.sources.source import WindowSource
from policies.model.provenance import Provenance
from policies.model.trainable import Trainable
from policies.training.batches import Batches, RowOrder
from policies.training.learner import Learner
from policies.training.running.progress import TrainingProgress
from policies.training.running.run import TrainingRun, open_loggers
from policies.training.running.run_folder import RunFolder
from policies.training.trainer import INTERRUPTED, Evaluate, Trainer, TrainingResult
from policies.training.validation import Validation
from robot.description import to_json


def fit(
    run: TrainingRun,
    trainable: Trainable,
    windows: WindowSource,
    provenance: Provenance,
    *,
    facts: Mapping[str, Tensor] | None = None,
    held_out: WindowSource | None = None,
    ahead: bool = False,
    evaluate: Evaluate | None = None,
    best: str = "",
    remarks: Iterable[str] = (),
) -> TrainingResult:
    """Train, or go on training where the run was left.

    Args:
        run: from `training_run`.
        trainable: with fresh weights, or whatever weights it is to start from.
        windows: to learn from.
        provenance: noted in the checkpoints.
        facts: name -> (episodes, ...) of every episode that the windows count, which batches bring along.
        held_out: windows whose loss is measured now and then.
        ahead: gather the next update in a thread meanwhile; pays where images are decoded.
        evaluate: called with what is trained, under averaged weights, and the updates done, every
            `config.evaluate_every` updates and at the end; returns numbers to log.
        best: of these numbers the one by which a checkpoint is chosen, the largest; empty for the final one.
        remarks: lines that are shown before the first update.

    Raises:
        InputError: a run that cannot be resumed with these choices.
        TillerError: training diverged.
    """
    config, ranks = run.config, run.ranks
    learner = Learner(trainable.model.to(run.device), config, ranks)
    validation = None
    if held_out is not None and ranks.is_main:
        validation = Validation(held_out, config.batch_size, config.validation.batches, facts)
    with (
        _released(learner),
        TrainingProgress(config.steps, show=ranks.is_main) as progress,
        Batches(
            RowOrder(windows, config.batch_size, config.seed),
            run.device,
            config.accumulation,
            ranks,
            ahead=ahead or run.device.type == "cuda",
            facts=facts,
        ) as batches,
    ):
        for line in remarks:
            progress.say(line)
        trainer = Trainer(
            trainable, learner, batches, run.folder, provenance, progress, validation, evaluate, best=best
        )
        if run.resume:
            trainer.restore()
        choices = {trainable.kind: to_json(trainable.recipe), "training": to_json(config)}
        with open_loggers(run, trainer.done, choices) as trainer.loggers:
            result = trainer.run()
        progress.say(_farewell(result, run.folder))
    return result


@contextmanager
def _released(learner: Learner) -> Iterator[None]:
    """Release the learner from the group of processes before the group ends, however the block does."""
    try:
        yield
    finally:
        learner.release()


def _farewell(result: TrainingResult, folder: RunFolder) -> str:
    if result.stopped in (INTERRUPTED, "stop_after"):
        return (
            f"Stopped after update {result.updates}; saved in {folder.last}. "
            "Go on with the same command and resume=true"
        )
    reason = "" if result.stopped == "done" else f" ({result.stopped} used up; learning rate not yet at its end)"
    return f"Trained {result.updates} updates in {result.elapsed_s / 60:.1f} min{reason}: {result.checkpoint}"
