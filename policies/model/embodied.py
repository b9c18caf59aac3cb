"""One embodiment of a model of several: its own keys and components in, its own out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, Sequence

import torch
from torch import Tensor, nn

from policies.encoders import PromptEncoder
from policies.model.embodiments import Embodiments
from policies.model.guidance import Guidance
from policies.model.guide import Pull
from policies.model.model import PolicyModel
from policies.objectives import Edit, Objective
from policies.transforms import Tensors


@dataclass(frozen=True, eq=False)
class EmbodiedModel:
    """What a policy needs of its model, for one of the embodiments that the model was trained for.

    The noise of a chunk has the components of the embodiment alone, and so has what an edit sees.

    Args:
        model: of several embodiments.
        number: of the embodiment.
    """

    model: PolicyModel
    number: int

    @property
    def objective(self) -> Objective:
        return self.model.objective

    @property
    def prompt_encoder(self) -> PromptEncoder:
        return self.model.prompt_encoder

    @cached_property
    def action_dim(self) -> int:
        return len(self._learnt)

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.model.parameters()

    def see(self, observation: Tensors) -> tuple[Tensor, list[Tensors]]:
        """The embodiment's raw observation to its part of the condition; and the stages that `decode` needs."""
        batch = len(next(iter(observation.values())))
        own = {name: observation[key] for key, name in self._embodiments.specs[self.number].keys.items()}
        device = next(iter(own.values())).device
        union = {
            key.name: own[key.name] if key.name in own else torch.zeros(
                (batch, key.history.steps, *key.shape), device=device, dtype=torch.uint8 if key.is_image else None
            )
            for key in self.model.chain.observation
        }  # fmt: skip
        return self.model.see(union, torch.full((batch,), self.number, device=device))

    def condition(self, seen: Tensor, prompt: Tensor | None) -> Tensor:
        return self.model.condition(seen, prompt)

    def denoise(
        self,
        noise: Tensor,
        condition: Tensor,
        sampler: str,
        steps: int,
        generators: Sequence[torch.Generator] | None = None,
        edit: Edit | None = None,
        guidance: Guidance | None = None,
        pull: Pull | None = None,
    ) -> Tensor:
        """Noise (B, H, D) of the embodiment's components to normalised actions of the same shape."""
        learnt = self._learnt
        full = noise.new_zeros(*noise.shape[:-1], self.model.action_dim)
        full[..., learnt] = noise
        components = self._embodiments.components[self.number].expand(len(noise), -1)

        def edited(clean: Tensor, sigma: float) -> Tensor:
            assert edit is not None
            changed = clean.clone()
            changed[..., learnt] = edit(clean[..., learnt], sigma)
            return changed

        def pulled(clean: Tensor, sigma: float) -> Tensor:
            assert pull is not None
            moved = torch.zeros_like(clean)
            moved[..., learnt] = pull(clean[..., learnt], sigma)
            return moved

        action = self.model.denoise(
            full,
            condition,
            sampler,
            steps,
            generators=generators,
            edit=None if edit is None else edited,
            guidance=guidance,
            components=components,
            pull=None if pull is None else pulled,
        )
        return action[..., learnt]

    def decode(self, action: Tensor, stages: list[Tensors]) -> Tensor:
        """Normalised actions (B, ..., H, D) to the embodiment's raw ones (B, ..., H, dim)."""
        full = action.new_zeros(*action.shape[:-1], self.model.action_dim)
        full = full.index_copy(-1, self._learnt, action)
        return self.model.decode(full, stages)[..., self._own]

    def normalise_action(self, action: Tensor, stages: list[Tensors]) -> Tensor:
        """The embodiment's raw actions (B, ..., H, dim) to normalised ones (B, ..., H, D)."""
        full = action.new_zeros(*action.shape[:-1], self.model.chain.action.dim)
        full = full.index_copy(-1, self._own, action)
        return self.model.normalise_action(full, stages)[..., self._learnt]

    @cached_property
    def _learnt(self) -> Tensor:
        return self._embodiments.learnt(self.number)

    @cached_property
    def _own(self) -> Tensor:
        return self._embodiments.own(self.number)

    @property
    def _embodiments(self) -> Embodiments:
        assert self.model.embodiments is not None
        return self.model.embodiments
