"""Instructions in any words, by what they mean."""

from __future__ import annotations

import logging
import math
from typing import Annotated, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from policies.encoders.prompt import PromptEncoder
from policies.encoders.sentences import REMEMBERED, embed
from policies.networks.linear import Linear
from policies.networks.sizes import Dropout, Width
from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import LANGUAGE
from robot.description.ranges import Range
from robot.errors import InputError, shortened

_LOG = logging.getLogger("tiller")
_SAME = 1e-3
"""Largest difference between two vectors of one sentence by one encoder on two machines."""


class LanguagePrompt(PromptEncoder):
    """Words by the vectors e of a frozen text encoder, drawn to the instructions e_i of the demonstrations:

        condition = sum_i softmax_i(e . e_i / temperature) v_i,    the v_i learnt

    A policy has learnt to act on those instructions and on nothing else. So a paraphrase acts as the one that it is
    nearest to, and words between two as a mixture of them; and two that differ by one word (their cosine is 0.93) are
    as far apart as any others. Known instructions need no text encoder at run time: their vectors are in the
    checkpoint; others are embedded once. No words at all are a condition of their own where `drop` trained it.

    Args:
        instructions: that the demonstrations have; training fills them in.
        model: of the text encoder, as `policies.encoders.sentences.embed` takes it.
        features: size of its vectors; training fills it in.
        size: C, numbers of the condition.
        temperature: of the softmax; 0 takes a learnt linear map of e in its place.
        drop: share of training windows without their words; above 0 the policy takes a guidance weight.
    """

    known: Tensor

    def __init__(
        self,
        instructions: Sequence[str] = (),
        model: str = "",
        features: Width = 384,
        size: Width = 32,
        temperature: Annotated[float, Range(0, 10)] = 0.01,
        drop: Dropout = 0.0,
    ) -> None:
        super().__init__()
        self.spec = PromptSpec(LANGUAGE, tuple(instructions), guidance=drop > 0)
        self.model, self.temperature, self.drop, self.condition_dim = model, temperature, drop, size
        self.register_buffer("known", torch.full((len(self.spec.instructions), features), torch.nan))
        nearness = temperature > 0 and bool(self.spec.instructions)
        count = len(self.spec.instructions) if nearness else 0
        self.vectors = nn.Parameter(torch.randn(count, size))
        self.linear = None if nearness else Linear(features, size)
        self.without = nn.Parameter(torch.zeros(size))
        self._rows = {word: number for number, word in enumerate(self.spec.instructions)}
        self._others: dict[str, Tensor] = {}
        self._checked = False

    def fit(self, goals: np.ndarray | None = None) -> None:
        """Embed the instructions of the demonstrations, at the start of a training.

        Raises:
            InputError: the text encoder cannot be read, or gives vectors of another size.
        """
        for word, number in self._rows.items():
            vector = embed(word, self.model)
            if len(vector) != self.known.shape[1]:
                raise InputError(
                    "policy.prompt.features", expected=f"{len(vector)}, as of the text encoder", got=self.known.shape[1]
                )
            self.known[number] = torch.from_numpy(vector.copy())

    def read(self, prompts: Sequence[TaskPrompt]) -> Tensor:
        """The vector of each prompt's words, (B, features); zeros for no words."""
        super().read(prompts)
        self._remark_missing("words", not self.spec.guidance and not all(each.instruction for each in prompts))
        return torch.stack([self._vector(prompt.instruction) for prompt in prompts])

    def none(self, rows: int) -> Tensor:
        return torch.zeros(rows, self.known.shape[1])

    def nearest(self, words: str) -> tuple[str, float]:
        """The known instruction nearest to some words, and the cosine between the two."""
        cosines = self.known.cpu() @ self._embedded(words)
        best = int(cosines.argmax())
        return self.spec.instructions[best], float(cosines[best])

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, features) to (B, C)."""
        given = vectors.norm(dim=-1, keepdim=True) > 0
        if self.training and self.drop:
            given = given & (torch.rand(len(vectors), 1, device=vectors.device) >= self.drop)
        if self.linear is None:
            meant = (vectors @ self.known.T / self.temperature).softmax(-1) @ self.vectors
        else:
            # A vector of length 1 in so many components would hardly move the condition.
            meant = self.linear(vectors * math.sqrt(vectors.shape[-1]))
        return torch.where(given, meant, self.without)

    def _vector(self, words: str) -> Tensor:
        if not words:
            return torch.zeros(self.known.shape[1])
        row = self._rows.get(words)
        return self._embedded(words) if row is None else self.known[row].cpu()

    def _embedded(self, words: str) -> Tensor:
        """The vector of words that no demonstration has."""
        if words not in self._others:
            self._require_same_encoder()
            if len(self._others) >= REMEMBERED:  # anybody may send words without end
                self._others.pop(next(iter(self._others)))
            self._others[words] = torch.from_numpy(np.array(embed(words, self.model)))
            if self._rows:
                nearest, cosine = self.nearest(words)
                _LOG.warning("%s is not an instruction of the demonstrations: nearest is %s (%.2f)",
                             shortened(words), shortened(nearest), cosine)  # fmt: skip
        return self._others[words]

    def _require_same_encoder(self) -> None:
        """Refuse a text encoder other than the one that the policy was trained with."""
        if self._checked or not self._rows:
            return
        word = self.spec.instructions[0]
        vector = embed(word, self.model)
        if len(vector) != self.known.shape[1] or np.abs(vector - self.known[0].cpu().numpy()).max() > _SAME:
            raise InputError(
                f"text encoder '{self.model or 'all-MiniLM-L6-v2'}'",
                expected=f"the one of the training, which gives {shortened(word)} the vector in the checkpoint",
                got="another vector",
                way_out="Install the text encoder of the training, or use an instruction of the demonstrations",
            )
        self._checked = True
