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
from policies.model.embodied import EmbodiedModel
from policies.model.features import FeatureTap
from policies.model.guidance import Guidance
from policies.model.guide import Drawing, Guide, Pull
from policies.model.model import PolicyModel
from policies.model.noise import RowStreams
from policies.objectives import Edit
from policies.recipe.recipe import PolicyRecipe
from policies.transforms import Tensors
from robot.description import Decision, PolicySpec, Query, SamplerSpec, Task, TaskPrompt
from robot.description.decision import require_samples
from robot.description.embodiment import named_embodiment
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
        embodiment: that it acts as, of several; empty for a policy of one robot and task, and for all of them.
        fingerprint: hash of the checkpoint that it was loaded from, weights, spec and recipe, with the name of its
            embodiment; None of another one.
        features_kind: of the features in its decisions; None for none.
    """

    semantic_hash: str | None = None
    embodiment: str = ""
    fingerprint: str | None = None
    features_kind: str | None = None

    def __init__(self, model: PolicyModel, spec: PolicySpec, recipe: PolicyRecipe):
        self.model, self.spec, self.recipe = model, spec, recipe
        self._acting: PolicyModel | EmbodiedModel = model
        self._guide: Guide | None = None

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
        return self.spec.horizon, self._acting.action_dim

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

    def for_embodiment(self, name: str) -> DiffusionPolicy:
        """The policy of one of its embodiments, with the keys and fields of that one alone; it shares the weights.

        Raises:
            InputError: there is no such embodiment.
        """
        spec = self.spec.of_embodiment(name)
        other = copy.copy(self)
        other._acting = EmbodiedModel(self.model, [each.name for each in self.spec.embodiments].index(name))
        other.spec, other.embodiment = spec, name
        other.fingerprint = None if self.fingerprint is None else f"{self.fingerprint} {name}"
        other.semantic_hash = named_embodiment(self.spec.embodiments, name).semantic_hash
        return other

    def with_guide(self, guide: Guide) -> DiffusionPolicy:
        """The same policy with its chunks pulled while they are drawn; this one is unchanged and shares its weights.

        Raises:
            InputError: the objective does not draw chunks from noise step by step.
        """
        if not self.model.objective.uses_noise:
            raise InputError(
                f"guidance of a policy of objective '{self.recipe.objective.get('name')}'",
                expected="a policy that draws its chunks from noise, step by step",
                got="one that predicts its chunk at once",
                way_out="Take a policy of objective flow, ddpm or edm",
            )
        other = copy.copy(self)
        other._guide = guide
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
        # A guide takes gradients of its own, which tensors of inference mode have none of.
        without = torch.inference_mode() if self._guide is None else torch.no_grad()
        with without, nullcontext() if tap is None else tap:
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
        if self.spec.embodiments:
            names = ", ".join(each.name for each in self.spec.embodiments)
            raise InputError(
                "policy of several embodiments",
                expected=f"one of them: {names}",
                got="all of them",
                way_out="policy.for_embodiment(name), or embodiment= on the command line",
            )
        name, steps = self.spec.sampler.name, self.spec.sampler.steps
        streams = None if noise is not None and self.deterministic else self._streams(seeds, batch, samples)
        start = self._start(noise, streams, batch, samples)
        prompts = prompt_rows(task, batch)
        seen, stages = self._acting.see(observation)
        condition = self._acting.condition(seen, self._prompt(prompts))
        guidance = self._guidance(seen, prompts)
        if tap is not None:
            tap.condition = condition

        def denoise(noise: Tensor, count: int, streams: RowStreams | None, pull: Pull | None = None) -> Tensor:
            return self._acting.denoise(
                noise,
                condition.repeat_interleave(count, dim=0) if count > 1 else condition,
                name,
                steps,
                generators=None if self.deterministic or streams is None else streams.generators(),
                edit=None if prefix is None else self._inpaint(prefix, prefix_weight, stages, count),
                guidance=None if guidance is None else guidance.repeated(count),
                pull=pull,
            )

        def unguided(noise: Tensor) -> Tensor:
            count = noise.shape[1]
            # What a stochastic sampler draws beside the noise is the same for all rows and queries, as the noise is.
            fixed = None if self.deterministic else RowStreams([0] * batch, batch, count)
            return denoise(noise.flatten(0, 1), count, fixed).unflatten(0, (batch, count))

        def decode(action: Tensor) -> Tensor:
            return self._acting.decode(action, stages)

        pull = None
        if self._guide is not None:
            pull = self._guide.pull(Drawing(observation, task, samples, self._shape, unguided, decode))
        action = denoise(start, samples, streams, pull)
        return decode(action.unflatten(0, (batch, samples))), start

    def _prompt(self, prompts: Sequence[TaskPrompt]) -> Tensor | None:
        """The prompts of the rows as the model reads them, on its device."""
        read = self.model.prompt_encoder.read(prompts)
        return None if read is None else read.to(self.device)

    def _guidance(self, seen: Tensor, prompts: Sequence[TaskPrompt]) -> Guidance | None:
        """How the rows are guided; None where none is."""
        encoder = self.model.prompt_encoder
        if not encoder.spec.guidance or all(prompt.guidance == 1 for prompt in prompts):
            return None
        without = self._acting.condition(seen, encoder.none(len(prompts)).to(self.device))
        return Guidance(without, torch.tensor([float(prompt.guidance) for prompt in prompts], device=self.device))

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
        held = self._acting.normalise_action(prefix, stages).repeat_interleave(samples, dim=0)
        share = weight.repeat_interleave(samples, dim=0)[..., None]
        # Free rows of a prefix may hold anything, NaN too: they must not be multiplied.
        return lambda action, sigma: torch.where(share > 0, torch.lerp(action, held, share), action)

    def _tensors(self, observation: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        return observation_tensors(self.spec.observation, observation, self.device)

    def _optional(self, value: np.ndarray | None) -> Tensor | None:
        return None if value is None else torch.as_tensor(np.asarray(value, dtype=np.float32), device=self.device)
