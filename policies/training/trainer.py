"""The one training loop: when to learn, log, validate, evaluate, save and stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import Tensor

from policies.model.checkpoint_folder import TRAINING, WEIGHTS
from policies.model.files import fill, read_tensors
from policies.model.provenance import Provenance
from policies.model.trainable import Trainable
from policies.training.batches import Batches
from policies.training.learner import Learner
from policies.training.running.interruption import Interruption
from policies.training.running.loggers import Logger
from policies.training.running.progress import TrainingProgress
from policies.training.running.run_folder import Choice, RunFolder
from policies.training.state import TrainingState, changed_choices, read_training, require_same_run, write_training
from policies.training.validation import Validation
from robot.description import to_json
from robot.errors import InputError, TillerError

Evaluate = Callable[[Any, int], Mapping[str, float]]
"""Called with what is trained, under averaged weights, and the updates done; returns numbers to log."""

DONE, INTERRUPTED = "done", "interrupted"
# Processes must stop together, and agreeing on it costs a message.
UPDATES_BETWEEN_AGREEMENTS = 10


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Args:
        updates: done in all.
        stopped: why: `done`, `interrupted`, `minutes` or `stop_after`.
        checkpoint: folder to load from.
        elapsed_s: time spent training, evaluation not counted.
        loss: mean over the last updates, as it was logged last; NaN when no update was left to do.
        validation_loss: the last one, NaN when nothing was held out.
        evaluations: updates -> what `evaluate` returned.
        processor_s: of the time spent training, that of the first process on its cores.
    """

    updates: int
    stopped: str
    checkpoint: Path
    elapsed_s: float
    loss: float
    validation_loss: float
    evaluations: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    processor_s: float = 0.0


@dataclass
class Recent:
    """Sums since numbers were last logged; `norm` alone is that of the last update's gradient. Loss and norm stay on
    the device, so that no update waits for them.
    """

    loss: Tensor
    norm: Tensor
    updates: int = 0
    data_s: float = 0.0
    update_s: float = 0.0


class Trainer:
    """Trains anything that learns from windows, and keeps its checkpoints.

    Args:
        trainable: its model is trained in place; it is on its device already.
        learner: over the same model.
        batches: of windows.
        folder: of the checkpoints.
        provenance: the origin noted in checkpoints, `step` apart.
        progress: shows how far the run is.
        validation: loss on held-out windows.
        evaluate: called every `evaluate_every` updates and at the end; by the first process only.
        loggers: take the numbers; of the first process only.
        best: name of the number of `evaluate` that chooses a checkpoint; empty for none.
    """

    def __init__(
        self,
        trainable: Trainable,
        learner: Learner,
        batches: Batches,
        folder: RunFolder,
        provenance: Provenance,
        progress: TrainingProgress,
        validation: Validation | None = None,
        evaluate: Evaluate | None = None,
        loggers: Sequence[Logger] = (),
        best: str = "",
    ):
        self.learner, self.batches, self.folder, self.provenance = learner, batches, folder, provenance
        self.progress, self.validation, self.evaluate, self.loggers = progress, validation, evaluate, loggers
        self.config, self.ranks = learner.config, learner.ranks
        self.acting = trainable.with_model(learner.average.model)
        self.done, self.elapsed_s, self.processor_s = 0, 0.0, 0.0
        self._loss = self._validation_loss = math.nan
        self._evaluations: dict[int, Mapping[str, float]] = {}
        self.best = best
        self._interruption, self._saved_at = Interruption(), -1

    def restore(self) -> None:
        """Resume from the folder's last checkpoint, exactly where it was left.

        Raises:
            InputError: a file of it is missing or broken, or the run began with other choices.
        """
        folder = self.folder.last
        self._require_same_origin(*self.acting.read_origin(folder))
        state = read_training(folder / TRAINING, self.learner.model, self.learner.optimiser)
        require_same_run(state, self.config)
        fill(self.learner.average.model, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
        self.learner.restore(state.average_updates, state.schedule)
        self.done, self.elapsed_s, self.processor_s = state.update, state.elapsed_s, state.processor_s
        self._saved_at = self.done
        self.progress.resume(self.done)
        self._report_changes(state)

    def _report_changes(self, state: TrainingState) -> None:
        """Report what changed since a run was left, before its first update."""
        changed = changed_choices(state, self.config)
        if changed:
            self.progress.say(f"Going on after update {self.done} with {', '.join(changed)}")
        before, now = float(state.schedule["_last_lr"][0]), self.learner.learning_rate
        if now != before and self.done < self.config.steps:
            self.progress.say(
                f"The learning rate of update {self.done + 1} is {now:.4g}; as it was left it would have "
                f"been {before:.4g}"
            )

    def _require_same_origin(self, recipe: Any, provenance: Provenance) -> None:
        if recipe != self.acting.recipe:
            before, now = to_json(recipe), to_json(self.acting.recipe)
            other = [f"{self.acting.kind}.{name}" for name in now if now[name] != before.get(name)]
            raise InputError(
                f"resume '{self.folder.path}'",
                expected="the recipe that the run began with",
                got=f"another {', '.join(other)}",
                way_out=f"Give the same {self.acting.kind} options, or another output folder",
            )
        if provenance.dataset != self.provenance.dataset:
            raise InputError(
                f"resume '{self.folder.path}'",
                expected=f"the data of {provenance.dataset_path}",
                got=f"other data in {self.provenance.dataset_path}",
                way_out="Give the same dataset, or another output folder",
            )

    def run(self) -> TrainingResult:
        """Train until all updates are done or something stops the run; saves either way.

        Raises:
            TillerError: the loss is not finite any more.
        """
        recent, stopped = self._nothing_yet(), None
        with self._interruption:
            while self.done < self.config.steps and stopped is None:
                self._advance(recent)
                if self._is_time(self.config.log_every):
                    self._log(recent)
                    recent = self._nothing_yet()
                if self._is_time(self.config.validation.every):
                    self._validate()
                if self._is_time(self.config.checkpoint_every):
                    self._save()
                if self._is_time(self.config.evaluate_every) and self.done < self.config.steps:
                    self._evaluate()
                stopped = self._reason_to_stop()
            return self._finish(stopped or DONE, recent)

    def _advance(self, recent: Recent) -> None:
        """One update, with its time."""
        started, busy = time.perf_counter(), time.process_time()
        batches = self.batches.fetch(0 if self.config.overfit_one_batch else self.done)
        fetched = time.perf_counter()
        loss, recent.norm = self.learner.learn(self.done, batches)
        finished = time.perf_counter()
        recent.loss += loss
        recent.updates += 1
        recent.data_s += fetched - started
        recent.update_s += finished - fetched
        self.elapsed_s += finished - started
        self.processor_s += time.process_time() - busy
        self.done += 1
        self.progress.advance(self.done)

    def _nothing_yet(self) -> Recent:
        zero = torch.zeros((), device=self.learner.device)
        return Recent(loss=zero, norm=zero.clone())

    def _is_time(self, every: int) -> bool:
        return every > 0 and self.done % every == 0

    def _reason_to_stop(self) -> str | None:
        """Why to stop before all updates are done, if there is a reason; the same for all processes."""
        if self.done >= self.config.steps:
            return None
        if self.done == self.config.stop_after:
            return "stop_after"
        reasons = [self._interruption.requested, self.elapsed_s >= 60 * (self.config.minutes or math.inf)]
        if self.ranks.size > 1:
            if self.done % UPDATES_BETWEEN_AGREEMENTS:
                return None
            reasons = self.ranks.add(torch.tensor(reasons, device=self.learner.device).int()).tolist()
        return INTERRUPTED if reasons[0] else "minutes" if reasons[1] else None

    def _log(self, recent: Recent) -> None:
        started = time.perf_counter()
        self._loss = self.ranks.add(recent.loss).item() / recent.updates
        recent.update_s += time.perf_counter() - started  # on a GPU this is where the work is waited for
        if not math.isfinite(self._loss):
            raise TillerError(
                f"training diverged: the loss is {self._loss} at update {self.done}. "
                f"Lower training.learning_rate; checkpoints up to now are in {self.folder.checkpoints}"
            )
        seconds = recent.data_s + recent.update_s
        numbers = {
            "loss": self._loss,
            "learning_rate": self.learner.learning_rate,
            "gradient_norm": recent.norm.item(),
            "epoch": self.done * self.config.batch_size / len(self.batches.order.windows),
            "data_s": recent.data_s / recent.updates,
            "update_s": recent.update_s / recent.updates,
            "samples_per_s": recent.updates * self.config.batch_size / seconds,
            "elapsed_s": self.elapsed_s,
            **self._noted(),
        }
        self._record(numbers)
        self.progress.numbers(loss=self._loss, samples_per_s=numbers["samples_per_s"])

    def _noted(self) -> dict[str, float]:
        """Means of what the model noted since the last log, over all processes; they note the same names."""
        notes = self.learner.model.take_notes()
        if not notes:
            return {}
        sums = self.ranks.add(torch.stack(list(notes.values()))).tolist()
        return {name: total / count for name, (total, count) in zip(notes, sums) if count}

    def _validate(self) -> None:
        if self.validation is None or not self.ranks.is_main:
            return
        self._validation_loss = self.validation.loss(self.learner.average.model)
        self._record({"validation_loss": self._validation_loss})
        self.progress.say(f"update {self.done}: validation loss {self._validation_loss:.4g}")

    def _evaluate(self) -> None:
        """Evaluate what is trained; saves first, as this takes long and runs code that is not ours."""
        if self.evaluate is not None and self.ranks.is_main and not self._interruption.requested:
            self._save()
            try:
                self._interruption.at_once = True
                values = {name: float(value) for name, value in self.evaluate(self.acting.trained, self.done).items()}
            except KeyboardInterrupt:
                values = {}
            finally:
                self._interruption.at_once = False
            if values:
                self._evaluations[self.done] = values
                self._record(values)
                shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                self.progress.say(f"update {self.done}: {shown}")
                self._choose(values)
        self.ranks.wait()

    def _choose(self, values: Mapping[str, float]) -> None:
        """Keep what was evaluated where it is the best up to now; a resumed run knows its choice by its folder."""
        value, before = values.get(self.best, math.nan), self.folder.choice()
        if math.isfinite(value) and (before is None or value > before.value):
            self.folder.save_best(Choice(self.best, value, self.done), self._write_trained)

    def _record(self, numbers: Mapping[str, float]) -> None:
        for logger in self.loggers:
            logger.log(self.done, numbers)

    def _save(self) -> None:
        if self.ranks.is_main and self._saved_at != self.done:
            self.folder.save(self.done, self._write)
        self._saved_at = self.done

    def _write(self, folder: Path) -> None:
        self._write_trained(folder)
        state = TrainingState(
            self.done,
            self.elapsed_s,
            self.learner.average.updates,
            self.learner.schedule.state_dict(),
            self.config,
            self.processor_s,
        )
        write_training(folder / TRAINING, state, self.learner.model, self.learner.optimiser)

    def _write_trained(self, folder: Path) -> None:
        self.acting.write(folder, replace(self.provenance, step=self.done))

    def _finish(self, stopped: str, recent: Recent) -> TrainingResult:
        """Save, and when the run is done write the final checkpoint too."""
        if recent.updates:
            self._log(recent)
        self._save()
        checkpoint = self.folder.last
        if stopped in (DONE, "minutes"):
            if not self._is_time(self.config.validation.every):
                self._validate()
            if self.ranks.is_main:
                self.folder.save_final(self._write_trained)
            self._evaluate()
            checkpoint = self.folder.best if self.folder.choice() is not None else self.folder.final
        return TrainingResult(
            self.done,
            stopped,
            checkpoint,
            self.elapsed_s,
            self._loss,
            self._validation_loss,
            dict(self._evaluations),
            self.processor_s,
        )
