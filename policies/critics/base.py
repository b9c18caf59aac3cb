"""The base of a critic: the policy whose chunks it is to tell apart, and what that policy plans at every window.

Plans are computed once, before a training, in batches of one size, so that they depend on their windows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

from data.learning.sources.source import WindowSource
from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from policies.critics.model import CriticModel
from policies.critics.names import CANDIDATES, PLAN
from policies.model.files import read_tensors, write_tensors
from policies.training.prompts import instructions
from policies.transforms.normaliser import ACTION
from robot.description import CriticBase, Policy, TaskPrompt
from robot.description.prompt import IGNORED
from robot.description.record import fingerprint
from robot.errors import InputError
from robot.files import new_folder

AT_ONCE, IMAGES_AT_ONCE = 256, 32  # windows
LEAST_SPREAD = 0.01
"""Of differences from the plan, in normalised units: what hardly differs must not be amplified to a signal."""
_SEEDS_OF_AN_EPISODE = 2**32

Progress = Callable[[int, int], None]
"""Called with the windows that are planned for, and all of them."""


@dataclass(frozen=True, eq=False)
class Base:
    """The policy whose chunks a critic is to tell apart.

    Args:
        policy: under the sampler that it is used with.
        hash: of its content.

    Raises:
        InputError: its noise alone does not decide a chunk, or it chooses among chunks itself.
    """

    policy: Policy
    hash: str

    def __post_init__(self) -> None:
        sampler, got = self.policy.spec.sampler.name, ""
        if self.policy.noise_shape is None:
            got = "one that predicts its chunk at once: it has only one"
        elif not getattr(self.policy, "deterministic", True):
            got = f"sampler '{sampler}', which draws more noise in each step"
        elif getattr(self.policy, "chooses", False):
            got = "one that chooses among chunks itself"
        if got:
            raise InputError("base of a critic", expected="a policy whose noise alone decides a chunk", got=got)

    @property
    def record(self) -> CriticBase:
        """As a critic's spec names it."""
        return CriticBase(self.hash, self.policy.spec.sampler)


class BaseChunks:
    """What a base plans at the windows of datasets.

    Args:
        base: that plans.
        steps: k, rows of a plan that are kept.
        folder: where plans are kept, for a run that is resumed; None keeps none.
        progress: see `Progress`.

    Raises:
        InputError: the base plans fewer rows.
    """

    def __init__(self, base: Base, steps: int, folder: Path | None = None, progress: Progress | None = None) -> None:
        if steps > base.policy.spec.horizon:
            raise InputError(
                "critic.steps", expected=f"at most {base.policy.spec.horizon}, the rows of a chunk", got=str(steps)
            )
        self.base, self.steps, self.folder, self.progress = base, steps, folder, progress or (lambda done, count: None)

    def of(
        self, data: Dataset, episodes: np.ndarray, candidates: int = 0, seed: int = 0, *, writes: bool = True
    ) -> dict[str, np.ndarray]:
        """The plans at all windows of some episodes, by the number of the window.

        Args:
            data: of the episodes.
            episodes: indices.
            candidates: M, chunks drawn of each window beside the one of no noise.
            seed: of these draws.
            writes: whether plans are kept; one of several processes does that.

        Returns:
            `PLAN` -> (windows, k, dim), and with candidates `CANDIDATES` -> (windows, M, k, dim), float32 raw units.

        Raises:
            InputError: the dataset lacks what the base sees, or an instruction that it needs.
        """
        windows = Windows(data, WindowShape(self.base.policy.spec.observation, self.steps), episodes)
        what = [data.fingerprint, windows.episodes.tolist(), self.base.hash, self.base.policy.spec.sampler]
        kept = None
        if self.folder is not None:
            kept = self.folder / fingerprint([*what, self.steps, candidates, seed])
            if kept.is_dir():
                return {name: tensor.numpy() for name, tensor in read_tensors(kept / "chunks.safetensors").items()}
        chunks = self._planned(data, windows, candidates, seed)
        if kept is not None and writes:
            with new_folder(kept) as partial:
                write_tensors(
                    partial / "chunks.safetensors", {name: torch.from_numpy(each) for name, each in chunks.items()}
                )
        return chunks

    def _planned(self, data: Dataset, windows: Windows, candidates: int, seed: int) -> dict[str, np.ndarray]:
        policy, count = self.base.policy, len(windows)
        shape = (self.steps, policy.spec.action.dim)
        plan = np.empty((count, *shape), np.float32)
        drawn = np.empty((count, candidates, *shape), np.float32)
        prompt = policy.spec.prompt
        words = [] if prompt.use == IGNORED else instructions(data, required=prompt.reads_words)
        first = int(np.random.SeedSequence([seed, 8]).generate_state(1, np.uint64)[0])
        own = windows.episode_of * _SEEDS_OF_AN_EPISODE + windows.row_of
        size = IMAGES_AT_ONCE if any(key.is_image for key in policy.spec.observation) else AT_ONCE
        for start in range(0, count, size):
            rows = np.minimum(np.arange(start, start + size), count - 1)  # the last batch is as large as the others
            batch, inside = windows.gather(rows), min(size, count - start)
            given: dict[str, Any] = {}
            if words:
                given["task"] = [TaskPrompt(words[number]) for number in batch.episode]
            zero = np.zeros((size, 1, *(policy.noise_shape or ())), np.float32)
            seeds = [first + number for number in own[rows].tolist()]
            chunk = policy.sample(batch.observation, noise=zero, seeds=seeds, **given)
            plan[start : start + inside] = chunk[:inside, 0, : self.steps]
            if candidates:
                chunk = policy.sample(batch.observation, samples=candidates, seeds=seeds, **given)
                drawn[start : start + inside] = chunk[:inside, :, : self.steps]
            self.progress(start + inside, count)
        return {PLAN: plan, **({CANDIDATES: drawn} if candidates else {})}


def measured_spread(model: CriticModel, windows: WindowSource, plans: np.ndarray) -> Tensor:
    """The root mean square (k, D) of the differences of normalised rows from the plan, of all rows that count.

    Args:
        model: with its normaliser.
        windows: to measure, without images.
        plans: (windows, k, dim) raw.
    """
    total, count = torch.zeros(model.sight.shape).double(), torch.zeros(model.sight.shape[0], 1).double()
    for start in range(0, len(windows), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(windows)))
        batch = windows.gather(rows)
        stages = model.chain.forward_observation(
            {name: torch.from_numpy(value) for name, value in batch.observation.items()}
        )
        both = torch.from_numpy(np.stack([batch.action, plans[rows]], axis=1))
        action, plan = model.normaliser[ACTION](model.chain.forward_action(both, stages)).unbind(1)
        counts = torch.from_numpy(~batch.is_pad)[..., None]
        total += ((action - plan) * counts).double().square().sum(0)
        count += counts.sum(0)
    return (total / count.clamp(min=1)).sqrt().clamp(min=LEAST_SPREAD).float()
