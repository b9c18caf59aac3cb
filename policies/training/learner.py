"""One update of the weights: loss, gradient, optimiser, learning rate, moving average."""

from __future__ import annotations

import contextlib
import gc
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from diffusers.optimization import get_scheduler
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from policies.model.batch import TensorBatch
from policies.model.trainable import LossModule
from policies.recipe.recipe import TrainingConfig
from policies.training.ema import MovingAverage
from policies.training.precision import uses_bf16
from policies.training.running.distributed import Ranks
from robot.errors import InputError


class Learner:
    """What changes while a model is trained.

    Noise, dropout and augmentation of a micro-batch are seeded by (seed, update, part), so that an update does not
    depend on what was drawn before it, nor on how the parts are spread over processes.

    Args:
        model: trained in place; it is on its device already.
        config: how to train.
        ranks: this process among those that train together.
    """

    def __init__(self, model: LossModule, config: TrainingConfig, ranks: Ranks):
        self.model, self.config, self.ranks = model.train(), config, ranks
        self.device = next(model.parameters()).device
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            config.learning_rate,
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.schedule = _schedule(config, self.optimiser)
        self._bf16 = uses_bf16(config.precision, self.device)
        self.average = MovingAverage(model, config.ema)
        self._parallel = DistributedDataParallel(model) if ranks.size > 1 else model
        self._generator = torch.Generator(self.device)

    @property
    def learning_rate(self) -> float:
        return float(self.schedule.get_last_lr()[0])

    def restore(self, average_updates: int, schedule: Mapping[str, Any]) -> None:
        """Set the counters to where a run was left; the caller restores weights and moments.

        The learning rate is the one that this configuration has there, whatever it was before.
        """
        self.average.updates = average_updates
        peaks = self.schedule.base_lrs
        rates = [peak * factor(schedule["last_epoch"]) for peak, factor in zip(peaks, self.schedule.lr_lambdas)]
        self.schedule.load_state_dict({**schedule, "base_lrs": peaks, "_last_lr": rates})
        for group, rate in zip(self.optimiser.param_groups, rates):
            group["lr"] = rate

    def release(self) -> None:
        """Give up what holds the group of processes, which is about to end; nothing can be learnt any more.

        A gloo group that is freed later joins its threads while the interpreter is locked, and one of them may be
        waiting for that lock: then the process never ends.
        """
        del self._parallel
        if self.ranks.size > 1:
            gc.collect()  # the wrapper of distribution refers to itself

    def learn(self, update: int, batches: Sequence[TensorBatch]) -> tuple[Tensor, Tensor]:
        """Make one update.

        Args:
            update: its number, from 0.
            batches: this process's micro-batches.

        Returns:
            This process's share of the mean loss over the whole batch, and the norm of the gradient; both stay on the
            device.
        """
        elements = self._elements(batches)
        total = torch.zeros((), device=self.device)
        for index, batch in enumerate(batches):
            self._seed(update, index * self.ranks.size + self.ranks.rank)
            with self._without_exchange(last=index + 1 == len(batches)):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
                    loss = self._parallel(batch, self._generator)
                    share = loss / elements
                # Processes average their gradients; together their shares make one mean already.
                (share * self.ranks.size).backward()
            total += share.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.grad_clip or torch.inf)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.schedule.step()
        self.average.update()
        for each in (self.model, self.average.model):
            each.after_update()
        return total, norm

    def _elements(self, batches: Sequence[TensorBatch]) -> int | Tensor:
        """Elements that count in the loss of the whole batch."""
        own = sum(self.model.elements(batch) for batch in batches)
        return own if self.ranks.size == 1 else self.ranks.add(torch.tensor(float(own), device=self.device))

    def _seed(self, update: int, part: int) -> None:
        first, second = np.random.SeedSequence([self.config.seed, update, part]).generate_state(2)
        torch.default_generator.manual_seed(int(first))
        if self.device.type == "cuda":
            torch.cuda.manual_seed(int(first))
        self._generator.manual_seed(int(second))

    def _without_exchange(self, last: bool) -> contextlib.AbstractContextManager[None]:
        if last or not isinstance(self._parallel, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._parallel.no_sync()


def _schedule(config: TrainingConfig, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
    try:
        return get_scheduler(
            config.schedule, optimiser, num_warmup_steps=config.warmup, num_training_steps=config.steps
        )
    except ValueError as error:
        raise InputError(
            "training.schedule",
            expected="a schedule of diffusers.optimization, such as cosine, linear or constant_with_warmup",
            got=f"'{config.schedule}'",
        ) from error
