"""Encoders of prompts: what a policy is to do, as a part of its condition beside the observation's."""

from __future__ import annotations

import logging
from typing import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from policies.networks.sizes import Width
from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import IGNORED, INSTRUCTION, REFUSED

_LOG = logging.getLogger("tiller")


class PromptEncoder(nn.Module):
    """Prompts to a part of the condition, in two steps: `read` turns words into a tensor that batches carry, and the
    module turns that into the condition.

    Attributes:
        spec: what becomes of a prompt.
        condition_dim: C, numbers that are joined to the observation's part; 0 where there are none.
        adds: whether what it gives is added to the observation's part instead.
    """

    spec: PromptSpec
    condition_dim: int = 0
    adds: bool = False
    _is_remarked = False

    def fit(self, goals: np.ndarray | None = None) -> None:
        """Measure what the encoder must know before a training: of its instructions, or of goals (n, G)."""

    def take_size(self, seen: int) -> None:
        """Make the weights of an encoder that adds, given how many numbers the observation's part has."""

    def beside(self, seen: Tensor, prompt: Tensor) -> Tensor:
        """The condition of the observation's part (B, S) and of prompts as `read` gave them."""
        given: Tensor = self(prompt)
        return seen + given if self.adds else torch.cat([seen, given], dim=-1)

    def read(self, prompts: Sequence[TaskPrompt]) -> Tensor | None:
        """Prompts (B,) as a tensor (B, ...) on the CPU; None where they decide nothing.

        Raises:
            InputError: a prompt that the policy cannot follow.
        """
        for prompt in prompts:
            self.spec.require(prompt)
        return None

    def _remark_missing(self, what: str, missing: bool) -> None:
        """Say once that a prompt has nothing that this policy reads, where that is nothing that it learnt."""
        if missing and not self._is_remarked:
            self._is_remarked = True
            learnt = (
                "it does what it learnt without one" if self.spec.guidance else "it never learnt to act without one"
            )
            _LOG.warning("This policy is told by %s and was told none: %s", what, learnt)

    def none(self, rows: int) -> Tensor:
        """What `read` gives for rows without a prompt, (rows, ...), of an encoder whose spec has guidance."""
        raise NotImplementedError


class IgnoredPrompt(PromptEncoder):
    """Whatever the prompt, the policy does what it learnt."""

    spec = PromptSpec(IGNORED)


class RefusedPrompt(PromptEncoder):
    """The policy does what it learnt, and an instruction for anything else is an error.

    Args:
        instructions: that the demonstrations have; training fills them in.
    """

    def __init__(self, instructions: Sequence[str] = ()) -> None:
        super().__init__()
        self.spec = PromptSpec(REFUSED, tuple(instructions))


class InstructionEmbedding(PromptEncoder):
    """One learnt vector for each instruction of the demonstrations.

    Args:
        instructions: that the demonstrations have, in the order of their vectors; training fills them in.
        size: C, numbers of a vector.
    """

    def __init__(self, instructions: Sequence[str] = (), size: Width = 32) -> None:
        super().__init__()
        self.spec = PromptSpec(INSTRUCTION, tuple(instructions))
        self._numbers = {instruction: number for number, instruction in enumerate(instructions)}
        self.condition_dim = size
        self.vectors = nn.Embedding(len(self._numbers), size)

    def read(self, prompts: Sequence[TaskPrompt]) -> Tensor:
        """The number of each prompt's instruction, (B,) int64."""
        super().read(prompts)
        return torch.tensor([self._numbers[prompt.instruction] for prompt in prompts])

    def forward(self, numbers: Tensor) -> Tensor:
        """(B,) to (B, C)."""
        return self.vectors(numbers)
