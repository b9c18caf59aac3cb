"""Encoders by name, as configurations and checkpoints write them."""

from __future__ import annotations

from functools import partial
from typing import Any, Collection, Mapping, Sequence

from torch import nn

from policies.encoders.advantage import ADVANTAGE, AdvantageIndicator
from policies.encoders.camera import CameraEncoder, is_image
from policies.encoders.cnn import SmallCNN
from policies.encoders.goal import GoalPrompt
from policies.encoders.language import LanguagePrompt
from policies.encoders.prompt import IgnoredPrompt, InstructionEmbedding, PromptEncoder, RefusedPrompt
from policies.encoders.resnet import ResNet18
from policies.encoders.state import StateEncoder
from policies.encoders.tokens import TokenEncoder
from policies.recipe.choice import choose
from robot.errors import InputError

BACKBONES: Mapping[str, type[nn.Module]] = {
    "cnn": SmallCNN,
    "resnet": ResNet18,
}
ENCODERS: Mapping[str, type[nn.Module]] = {"state": StateEncoder, "tokens": TokenEncoder, **BACKBONES}
"""Name in a configuration -> encoder, or the backbone of each camera."""


def make_encoder(
    name: str,
    shapes: Mapping[str, Sequence[int]],
    *,
    shared: bool = False,
    pretrained: bool = True,
    images: Collection[str] | None = None,
    **options: Any,
) -> nn.Module:
    """Build an encoder of observations by its name.

    Args:
        name: `state`; `cnn` or `resnet` for observations with images.
        shapes: key -> (steps, 3, h, w) for images, (steps, ...) for the rest.
        shared: one network for all cameras instead of one each.
        pretrained: read the file that the option `weights` names; a checkpoint brings its own weights instead.
        images: names of the keys that are images; None for those with three axes per frame.
        options: of the encoder.

    Returns:
        A module: key -> (B, steps, ...) normalised, images (B, steps, 3, h, w) in [-1, 1], to (B, C). C is its
            `condition_dim`.

    Raises:
        InputError: no such encoder or option, an option out of range, images that it cannot take, or `weights` that are
            not there or of another network.
    """
    make = choose(f"encoder '{name}'", ENCODERS, name, options)
    if not pretrained:
        options = {key: value for key, value in options.items() if key != "weights"}
    if name == "tokens":
        return TokenEncoder(shapes, images=images, **options)
    if name in BACKBONES:
        return CameraEncoder(shapes, partial(make, **options), shared, images)
    seen = [key for key, shape in shapes.items() if is_image(key, shape, images)]
    if seen:
        raise InputError(
            "encoder 'state'",
            expected="low-dimensional observations",
            got=f"the image '{seen[0]}'",
            way_out="Use encoder=cnn, or leave the image out of policy.observation",
        )
    return make(shapes, **options)


PROMPTS: Mapping[str, type[PromptEncoder]] = {
    "ignored": IgnoredPrompt,
    "refused": RefusedPrompt,
    "instruction": InstructionEmbedding,
    "language": LanguagePrompt,
    "goal": GoalPrompt,
    ADVANTAGE: AdvantageIndicator,
}
"""Name in a configuration -> encoder of prompts."""


def make_prompt_encoder(name: str, **options: Any) -> PromptEncoder:
    """Build an encoder of prompts by its name.

    Raises:
        InputError: no such encoder, or an option that it does not have.
    """
    return choose("policy.prompt", PROMPTS, name, options)(**options)  # type: ignore[no-any-return]
