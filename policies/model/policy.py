"""A learnt policy on arrays: observations in raw units in, chunks of actions in raw units out."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import replace
from typing import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from policies.model.arrays import observation_tensors
from policies.model.features import FeatureTap
from policies.model.model import PolicyModel
from policies.model.noise import RowStreams
from policies.objectives import Edit
from policies.recipe.recipe import PolicyRecipe
from policies.transforms import Tensors
from robot.description import Decision, PolicySpec, Query, SamplerSpec, Task
from robot.description.decision import require_samples
from robot.description.prompt import prompt_rows
from robot.errors import InputError


class DiffusionPolicy:
    """Draws chunks of actions from a model; implements `robot.description.Policy`.

    Args:
        model: the learnt part, which `with_sampler` shares.
        spec: what it sees and returns, and its sampler.
        recipe: what it was built from.

    Attributes:
        semantic_hash: of the robot contract that it was trained for; None where it is not known.
        features_kind: of the features in its decisions; None for none.
    """

    semantic_hash: str | None = None
    features_kind: str | None = None

    def __init__(self, model: PolicyModel, spec: PolicySpec, recipe: PolicyRecipe):
        self.model, self.spec, self.recipe = model, spec, recipe

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """(horizon, components learnt), or None where the objective does not start from noise."""
        return self._shape if self.model.objective.uses_noise else None

    @property
    def deterministic(self) -> bool:
        """Whether the noise that it starts from alone decides a chunk: false for samplers that draw more."""
        return self.model.objective.deterministic(self.spec.sampler.name)

    @property
    def _shape(self) -> tuple[int, int]:
        return self.spec.horizon, self.model.chain.outgoing[1].dim

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> DiffusionPolicy:
        """The same policy with another sampler; this one is unchanged and shares its weights.

        Raises:
            InputError: the objective has no such sampler.
        """
        chosen = self.model.objective.choose(
            self.spec.sampler.name if name is None else name, self.spec.sampler.steps if steps is None else steps
        )
        other = copy.copy(self)
        other.spec = replace(self.spec, sampler=SamplerSpec(*chosen))
        return other

    def with_features(self, kind: str) -> DiffusionPolicy:
        """The same policy with features in its decisions; see `robot.description.FeaturePolicy`. They cost no further
        call of encoder or network.
        """
        FeatureTap(self.model.network, kind)  # refuses what cannot be told
        other = copy.copy(self)
        other.features_kind = kind
        return other

    def features(
        self,
        observation: Mapping[str, np.ndarray],
        task: Task = None,
        *,
        kind: str = "both",
        seeds: Sequence[int] | None = None,
        noise: np.ndarray | None = None,
    ) -> np.ndarray:
        """(batch, F) float32: what the network computes for one chunk per row.

        Args:
            observation, task: as of `sample`.
            kind: of `robot.description.decision.FEATURES`.
            seeds, noise: of the chunk, as of `sample`; the features `condition` do not depend on them.

        Raises:
            InputError: as of `sample` and `with_features`.
        """
        features = self.with_features(kind).decide(observation, task=task, seeds=seeds, noise=noise).features
        assert features is not None
        return features[:, 0]

    def sample(
        self,
        observation: Mapping[str, np.ndarray],
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw chunks of actions; see `robot.description.Policy.sample`. `spec.prompt` says what becomes of the task.

        Raises:
            InputError: a key is missing, an array has another shape, or the policy cannot follow the prompt.
        """
        query = Query(observation, task, noise, samples, seeds, prefix, prefix_weight)
        return self.decide(query.observation, **query.settings).chunk

    def decide(
        self,
        observation: Mapping[str, np.ndarray],
        *,
        task: Task = None,
        noise: np.ndarray | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: np.ndarray | None = None,
        prefix_weight: np.ndarray | None = None,
    ) -> Decision:
        """`sample` with the noise that it was drawn from, and features where they are asked for."""
        tap = None if self.features_kind is None else FeatureTap(self.model.network, self.features_kind)
        with torch.inference_mode(), nullcontext() if tap is None else tap:
            action, start = self._draw(
                self._tensors(observation),
                task=task,
                noise=self._optional(noise),
                samples=samples,
                seeds=seeds,
                prefix=self._optional(prefix),
                prefix_weight=self._optional(prefix_weight),
                tap=tap,
            )
        given = None if self.noise_shape is None else start.unflatten(0, action.shape[:2]).cpu().numpy()
        features = None if tap is None else tap.features(*action.shape[:2])
        return Decision(action.cpu().numpy(), given, features=features)

    def sample_tensors(
        self,
        observation: Tensors,
        *,
        task: Task = None,
        noise: Tensor | None = None,
        samples: int = 1,
        seeds: Sequence[int] | None = None,
        prefix: Tensor | None = None,
        prefix_weight: Tensor | None = None,
    ) -> Tensor:
        """`sample` on tensors of this policy's device, with gradients where the caller wants them."""
        return self._draw(
            observation,
            task=task,
            noise=noise,
            samples=samples,
            seeds=seeds,
            prefix=prefix,
            prefix_weight=prefix_weight,
        )[0]

    def _draw(
        self,
        observation: Tensors,
        *,
        task: Task,
        noise: Tensor | None,
        samples: int,
        seeds: Sequence[int] | None,
        prefix: Tensor | None,
        prefix_weight: Tensor | None,
        tap: FeatureTap | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Raw chunks (batch, samples, horizon, dim), and the noise (batch * samples, horizon, D) they start from."""
        batch = len(next(iter(observation.values())))
        require_samples(samples)
        name, steps = self.spec.sampler.name, self.spec.sampler.steps
        streams = None if noise is not None and self.deterministic else self._streams(seeds, batch, samples)
        start = self._start(noise, streams, batch, samples)
        condition, stages = self.model.encode(observation, self._prompt(task, batch))
        if tap is not None:
            tap.condition = condition
        edit = None if prefix is None else self._inpaint(prefix, prefix_weight, stages, samples)
        action = self.model.denoise(
            start,
            condition.repeat_interleave(samples, dim=0) if samples > 1 else condition,
            name,
            steps,
            generators=None if self.deterministic or streams is None else streams.generators(),
            edit=edit,
        )
        return self.model.decode(action.unflatten(0, (batch, samples)), stages), start

    def _prompt(self, task: Task, batch: int) -> Tensor | None:
        """The prompts of the rows as the model reads them, on its device."""
        read = self.model.prompt_encoder.read(prompt_rows(task, batch))
        return None if read is None else read.to(self.device)

    def _streams(self, seeds: Sequence[int] | None, batch: int, samples: int) -> RowStreams:
        if seeds is not None and (not hasattr(seeds, "__len__") or len(seeds) != batch):
            got = f"{len(seeds)}" if hasattr(seeds, "__len__") else repr(seeds)
            raise InputError("seeds", expected=f"{batch} of them, one a row", got=got)
        return RowStreams(seeds, batch, samples)

    def _start(self, noise: Tensor | None, streams: RowStreams | None, batch: int, samples: int) -> Tensor:
        """Noise (batch * samples, horizon, D), given or drawn. Streams draw theirs also where it is given: what a
        sampler draws after it is the same then, and noise and seeds repeat a decision.
        """
        drawn = None if streams is None else streams.normal(self._shape).to(self.device)
        if noise is None:
            assert drawn is not None
            return drawn
        if self.noise_shape is None:
            raise InputError(
                f"noise for a policy of objective '{self.recipe.objective.get('name')}'",
                expected="none: its actions do not start from noise",
            )
        expected = (batch, samples, *self.noise_shape)
        if tuple(noise.shape) != expected:
            raise InputError("noise", expected=str(expected), got=str(tuple(noise.shape)))
        return noise.flatten(0, 1)

    def _inpaint(self, prefix: Tensor, weight: Tensor | None, stages: list[Tensors], samples: int) -> Edit:
        """Hold the committed rows of a chunk in the clean action that each step of the sampler predicts."""
        expected = (len(prefix), self.spec.horizon, self.spec.action.dim)
        if tuple(prefix.shape) != expected:
            raise InputError("prefix", expected=str(expected), got=str(tuple(prefix.shape)))
        if weight is None or tuple(weight.shape) != expected[:2]:
            raise InputError(
                "prefix_weight",
                expected=f"{expected[:2]} beside a prefix",
                got="none" if weight is None else str(tuple(weight.shape)),
            )
        held = self.model.normalise_action(prefix, stages).repeat_interleave(samples, dim=0)
        share = weight.repeat_interleave(samples, dim=0)[..., None]
        # Free rows of a prefix may hold anything, NaN too: they must not be multiplied.
        return lambda action: torch.where(share > 0, torch.lerp(action, held, share), action)

    def _tensors(self, observation: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        return observation_tensors(self.spec.observation, observation, self.device)

    def _optional(self, value: np.ndarray | None) -> Tensor | None:
        return None if value is None else torch.as_tensor(np.asarray(value, dtype=np.float32), device=self.device)
