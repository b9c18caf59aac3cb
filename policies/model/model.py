"""The learnt part of a policy on tensors: transforms, normaliser, encoder, network and objective in one module."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from policies.encoders import PromptEncoder
from policies.encoders.prompt import IgnoredPrompt
from policies.model.batch import TensorBatch
from policies.model.embodiments import EMBODIMENT, Embodiments
from policies.model.guidance import Guidance
from policies.model.guide import Pull
from policies.model.trainable import LossModule
from policies.objectives import Edit, Objective
from policies.objectives.objective import Network
from policies.transforms import Tensors, TransformChain
from policies.transforms.normaliser import ACTION, LIMITS, Normaliser


class PolicyModel(LossModule):
    """raw -> transforms -> normaliser -> encoder -> network under an objective, and mirrored back.

    Args:
        chain: transforms between raw data and what is learnt.
        normaliser: scaling of what leaves the chain.
        augmentation: of images, and their scaling.
        encoder: normalised observation -> (B, C).
        network: (noisy action (B, H, D), level (B,), condition (B, C)) -> (B, H, D).
        objective: loss and samplers.
        pad_loss: let actions repeated past the end of an episode count.
        action_mode: how the normaliser scales actions.
        prompt_encoder: prompts -> (B, C'), beside the observation's condition; None ignores them.
        embodiments: which keys and components each embodiment has, of a model of several.
    """

    def __init__(
        self,
        chain: TransformChain,
        normaliser: Normaliser,
        augmentation: nn.Module,
        encoder: nn.Module,
        network: nn.Module,
        objective: Objective,
        pad_loss: bool = False,
        action_mode: str = LIMITS,
        prompt_encoder: PromptEncoder | None = None,
        embodiments: Embodiments | None = None,
    ):
        super().__init__()
        self.chain, self.objective, self.pad_loss, self.action_mode = chain, objective, pad_loss, action_mode
        self.normaliser, self.augmentation, self.encoder, self.network = normaliser, augmentation, encoder, network
        self.prompt_encoder = IgnoredPrompt() if prompt_encoder is None else prompt_encoder
        self.embodiments = embodiments

    @property
    def action_dim(self) -> int:
        """D, components of an action as it is learnt."""
        return self.chain.outgoing[1].dim

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Tensor:
        """Loss summed over the elements that count, a scalar; `generator` is the source of noise and levels."""
        embodiment = batch.facts.get(EMBODIMENT)
        condition, stages = self.encode(batch.observation, batch.prompt, embodiment)
        target = self.normalise_action(batch.action, stages)
        if self.embodiments is None or embodiment is None:
            loss = self.objective.loss(self.network, target, condition, generator)
        else:
            there = self.embodiments.components[embodiment]
            loss = self.objective.loss(_masked(self.network, there), target, condition, generator) * there[:, None]
        return loss.sum() if self.pad_loss else (loss * (~batch.is_pad)[..., None]).sum()

    def elements(self, batch: TensorBatch) -> int:
        """Components of the actions that count: those that are no padding, unless padding counts too."""
        if self.embodiments is not None and EMBODIMENT in batch.facts:
            rows = batch.is_pad.shape[1] if self.pad_loss else (~batch.is_pad).sum(1)
            return int((rows * self.embodiments.components[batch.facts[EMBODIMENT]].sum(1)).sum())
        return (batch.is_pad.numel() if self.pad_loss else batch.kept) * self.action_dim

    def encode(
        self, observation: Tensors, prompt: Tensor | None = None, embodiment: Tensor | None = None
    ) -> tuple[Tensor, list[Tensors]]:
        """Raw observation, and the prompt that `prompt_encoder.read` gave, to their condition (B, C); and the stages
        that `decode` needs. A model of several embodiments is given the number of each row's (B,).
        """
        seen, stages = self.see(observation, embodiment)
        return self.condition(seen, prompt), stages

    def see(self, observation: Tensors, embodiment: Tensor | None = None) -> tuple[Tensor, list[Tensors]]:
        """Raw observation to its part of the condition; and the stages that `decode` needs."""
        stages = self.chain.forward_observation(observation)
        normalised = self.normaliser.observation(stages[-1])
        if self.embodiments is None or embodiment is None:
            return self.encoder(self.augmentation(normalised)), stages
        there = self.embodiments.there(embodiment)
        seen = self.encoder(_zeros_where_absent(self.augmentation(normalised), there), there)
        return torch.cat([seen, self.embodiments.flags[embodiment]], dim=-1), stages

    def condition(self, seen: Tensor, prompt: Tensor | None) -> Tensor:
        """The condition (B, C) of what was seen and of a prompt as `prompt_encoder.read` gave it."""
        return seen if prompt is None else self.prompt_encoder.beside(seen, prompt)

    def denoise(
        self,
        noise: Tensor,
        condition: Tensor,
        sampler: str,
        steps: int,
        generators: Sequence[torch.Generator] | None = None,
        edit: Edit | None = None,
        guidance: Guidance | None = None,
        components: Tensor | None = None,
        pull: Pull | None = None,
    ) -> Tensor:
        """Noise (B, H, D) to normalised actions (B, H, D); only those `components` (B, D) that are there are seen.

        The clean action of each step is clipped, then pulled where there is a pull and clipped again, then edited.
        An objective that clips keeps it within the demonstrated range: [-1, 1] where `limits` made it so, the
        normalised extremes elsewhere. A pull sees the clean action as it would stand without it.
        """
        network = self.network if components is None else _masked(self.network, components)
        network = network if guidance is None else guidance.of(network)
        clip = self._clip()
        return self.objective.sample(
            network,
            noise,
            condition,
            sampler,
            steps,
            generators=generators,
            edit=_then(clip, edit) if pull is None else _pulled(pull, clip, edit),
        )

    def _clip(self) -> Edit | None:
        clip = self.objective.bound
        if clip is None:
            return None
        if self.action_mode == LIMITS:
            # Exact, and a component that was constant in the demonstrations keeps its freedom of one unit.
            return lambda clean, sigma: clean.clamp(-clip, clip)
        field = self.normaliser[ACTION]
        low, high = field(field.min), field(field.max)
        middle, half = (high + low) / 2, clip * (high - low) / 2
        return lambda clean, sigma: clean.clamp(middle - half, middle + half)

    def decode(self, action: Tensor, stages: list[Tensors]) -> Tensor:
        """Normalised actions (B, ..., H, D) to raw ones (B, ..., H, dim)."""
        return self.chain.inverse_action(self.normaliser[ACTION].inverse(action), stages)

    def normalise_action(self, action: Tensor, stages: list[Tensors]) -> Tensor:
        """Raw actions (B, ..., H, dim) to normalised ones (B, ..., H, D)."""
        return self.normaliser[ACTION](self.chain.forward_action(action, stages))


def _zeros_where_absent(observation: Tensors, there: Tensors) -> dict[str, Tensor]:
    """An observation, name -> (B, ...), with zeros for the keys that a row lacks: name -> (B,)."""
    return {
        name: torch.where(there[name].view(-1, *[1] * (value.ndim - 1)), value, 0.0)
        for name, value in observation.items()
    }


def _masked(network: Network, components: Tensor) -> Network:
    """The network with zeros for the components that a row (B, D) lacks; a batch may hold the rows several times."""

    def masked(noisy: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        there = components.repeat(len(noisy) // len(components), 1)
        return network(torch.where(there[:, None], noisy, 0.0), level, condition)

    return masked


def _then(first: Edit | None, second: Edit | None) -> Edit | None:
    """Compose two edits, the first applied first; None changes nothing."""
    if first is None or second is None:
        return second if first is None else first
    return lambda clean, sigma: second(first(clean, sigma), sigma)


def _pulled(pull: Pull, clip: Edit | None, edit: Edit | None) -> Edit:
    """Clip, pull, clip and edit. The edit stands last, so that a committed prefix stays exact; a soft one is applied
    once, as it is without a pull.
    """

    def pulled(clean: Tensor, sigma: float) -> Tensor:
        inside = clean if clip is None else clip(clean, sigma)
        moved = inside + pull(inside if edit is None else edit(inside, sigma), sigma)
        moved = moved if clip is None else clip(moved, sigma)
        return moved if edit is None else edit(moved, sigma)

    return pulled
