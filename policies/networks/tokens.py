"""A transformer over tokens: one per key of the observation, one for the prompt, one per field of the action."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from policies.networks.embedding import LevelEmbedding
from policies.networks.linear import Linear
from policies.networks.sizes import Depth, Dropout, Width
from policies.networks.transformer import Block, Modulation, modulate
from robot.errors import InputError


@dataclass(frozen=True)
class TokenLayout:
    """What a condition (B, C) holds: tokens of keys; flags of keys and fields, where embodiments differ; the prompt.

    Args:
        keys: tokens of the observation.
        width: size of a token.
        fields: components of each field of the action, in order.
        flagged: whether there are flags.
        prompt: numbers of the prompt; 0 for none.
    """

    keys: int
    width: int
    fields: tuple[int, ...]
    flagged: bool
    prompt: int

    @property
    def condition_dim(self) -> int:
        """C."""
        flags = self.keys + len(self.fields) if self.flagged else 0
        return self.keys * self.width + flags + self.prompt


class TokenTransformer(nn.Module):
    """A transformer in which the fields of an action see the keys, the prompt and each other.

    A field's token holds its components in all rows of the chunk. Only the tokens that a row has are attended to, so
    that an embodiment costs as much as its own keys. The noise level enters by adaptive layer norm in every block
    (adaLN-Zero; Peebles and Xie 2023, DiT). An untrained network predicts zero.

    Args:
        horizon: rows in a chunk, H.
        action_dim: components of an action, D.
        condition_dim: C, that of the layout.
        layout: of the condition.
        depth: blocks.
        heads: of attention, a divisor of the width.
        dropout: probability, in attention and perceptrons, while training.

    Raises:
        InputError: the heads do not divide the width, or the condition has another layout.
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        condition_dim: int,
        layout: TokenLayout | None = None,
        depth: Depth = 4,
        heads: Width = 4,
        dropout: Dropout = 0.0,
    ):
        super().__init__()
        if layout is None or layout.condition_dim != condition_dim or sum(layout.fields) != action_dim:
            raise InputError(
                "network 'tokens'",
                expected="an encoder of tokens",
                got="another one",
                way_out="Use policy.encoder.name=tokens beside policy.network.name=tokens",
            )
        width = layout.width
        if width % heads:
            raise InputError("heads of network 'tokens'", expected=f"a divisor of the width {width}", got=str(heads))
        self.layout, self.horizon = layout, horizon
        self.level = nn.Sequential(LevelEmbedding(256), Linear(256, width), nn.SiLU(), Linear(width, width))
        self.prompt = Linear(layout.prompt, width) if layout.prompt else None
        self.first = nn.ModuleList(Linear(horizon * size, width) for size in layout.fields)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = Modulation(width, 2)
        self.last = nn.ModuleList(Linear(width, horizon * size) for size in layout.fields)
        for layer in self.last:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, noisy_action: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """Predict from a noisy chunk.

        Args:
            noisy_action: (B, H, D).
            level: (B,) noise level, of the order of one.
            condition: (B, C), of the layout.

        Returns:
            (B, H, D).
        """
        layout, count = self.layout, len(self.layout.fields)
        parts = noisy_action.split(list(layout.fields), dim=-1)
        fields = torch.stack([layer(part.flatten(1)) for layer, part in zip(self.first, parts)], dim=1)
        seen, there = self._seen(condition)
        x = torch.cat([fields, seen], dim=1)
        mask = None if there is None else there[:, None, None, :]  # (B, heads, queries, keys)
        features = self.level(level)
        for block in self.blocks:
            x = block(x, features, mask)
        x = modulate(self.norm(x[:, :count]), *self.modulation(features))
        outputs = [layer(x[:, number]).unflatten(-1, (self.horizon, -1)) for number, layer in enumerate(self.last)]
        return torch.cat(outputs, dim=-1)

    def _seen(self, condition: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tokens (B, T, width) of the prompt and of the keys that some row has, and which of all tokens, those of the
        fields before them, each row has (B, fields + T); None where each has all.
        """
        layout, count = self.layout, len(self.layout.fields)
        sizes = [layout.keys * layout.width, layout.condition_dim - layout.keys * layout.width - layout.prompt]
        tokens, flags, prompt = condition.split([*sizes, layout.prompt], dim=1)
        keys = tokens.unflatten(1, (layout.keys, layout.width))
        prompts = [] if self.prompt is None else [self.prompt(prompt)[:, None]]
        if not layout.flagged:
            return torch.cat([*prompts, keys], dim=1), None
        has_key, has_field = (flags > 0.5).split([layout.keys, count], dim=1)
        most = int(has_key.sum(1).max())
        first = has_key.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
        keys = keys.gather(1, first[..., None].expand(-1, -1, layout.width))
        always = has_field.new_ones(len(condition), len(prompts))
        there = torch.cat([has_field, always, has_key.gather(1, first)], dim=1)
        return torch.cat([*prompts, keys], dim=1), None if bool(there.all()) else there
