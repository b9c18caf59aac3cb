"""A learnt critic on arrays: observations and chunks in raw units in, values out."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor

from policies.critics.model import CriticModel
from policies.model.arrays import observation_tensors
from policies.recipe.critic import CriticRecipe
from policies.transforms import Tensors
from robot.description import CriticSpec, Task
from robot.description.prompt import prompt_rows
from robot.errors import InputError


class LearntCritic:
    """Scores the executed part of chunks; implements `robot.description.Critic`.

    Args:
        model: the learnt part.
        spec: what it sees and scores.
        recipe: what it was built from.
    """

    def __init__(self, model: CriticModel, spec: CriticSpec, recipe: CriticRecipe) -> None:
        self.model, self.spec, self.recipe = model, spec, recipe

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def value(
        self,
        observation: Mapping[str, np.ndarray],
        chunk: np.ndarray,
        task: Task = None,
        reference: np.ndarray | None = None,
    ) -> np.ndarray:
        """Score chunks of actions.

        Args:
            observation: name -> (batch, steps, ...) raw units, every key of `spec.observation`.
            chunk: (batch, samples, k, dim) raw units, k the `steps` of the spec.
            task: what to do: one prompt for all rows, or (batch,) one per row.
            reference: (batch, k, dim) raw units, of a critic with a base: its zero-noise plan.

        Returns:
            (batch, samples) float32.

        Raises:
            InputError: a key is missing, an array has another shape, the critic cannot follow the prompt, or there is a
                reference and no base, or a base and no reference.
        """
        with torch.inference_mode():
            values: np.ndarray = self.model.value(*self._inputs(observation, chunk, task, reference)).cpu().numpy()
        return values

    def member_values(
        self,
        observation: Mapping[str, np.ndarray],
        chunk: np.ndarray,
        task: Task = None,
        reference: np.ndarray | None = None,
    ) -> np.ndarray:
        """As `value`, the values of each member of the network: (members, batch, samples) float32."""
        with torch.inference_mode():
            inputs = self._inputs(observation, chunk, task, reference)
            values: np.ndarray = self.model.member_values(*inputs).cpu().numpy()
        return values

    def _inputs(
        self, observation: Mapping[str, np.ndarray], chunk: np.ndarray, task: Task, reference: np.ndarray | None
    ) -> tuple[Tensors, Tensor, Tensor | None, Tensor | None]:
        """What the model takes, checked."""
        seen = observation_tensors(self.spec.observation, observation, self.device)
        batch = len(next(iter(seen.values())))
        chunk = np.asarray(chunk, dtype=np.float32)
        expected = (batch, chunk.shape[1] if chunk.ndim == 4 else 1, self.spec.steps, self.spec.action.dim)
        if chunk.shape != expected:
            raise InputError(
                "chunk to score",
                expected=f"(batch, samples, {self.spec.steps} executed rows, {self.spec.action.dim})",
                got=str(chunk.shape),
            )
        plan = None if reference is None else self._plan(reference, batch)
        prompt = self.model.prompt_encoder.read(prompt_rows(task, batch))
        rows = torch.from_numpy(chunk).to(self.device)
        return seen, rows, None if prompt is None else prompt.to(self.device), plan

    def _plan(self, reference: np.ndarray, batch: int) -> Tensor:
        reference = np.asarray(reference, dtype=np.float32)
        expected = (batch, self.spec.steps, self.spec.action.dim)
        if reference.shape != expected:
            raise InputError("reference of chunks to score", expected=f"{expected}", got=str(reference.shape))
        return torch.from_numpy(reference).to(self.device)
