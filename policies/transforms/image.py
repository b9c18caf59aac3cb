"""Images at the size that a network needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from policies.transforms.transform import Tensors, Transform
from robot.description import ActionSpec, ObservationSpec
from robot.description.ranges import Range
from robot.errors import InputError

Pixels = Annotated[int, Range(1, 65_536, note="pixels")]


@dataclass(frozen=True)
class ResizeImages(Transform):
    """Resize images with an antialiasing filter; they stay uint8, (height, width, channels).

    Args:
        height, width: in pixels.
        keys: images to resize; empty for all.
    """

    height: Pixels
    width: Pixels
    keys: tuple[str, ...] = ()

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs with the images in their new size.

        Raises:
            InputError: a key that is not there or is no image.
        """
        for name in self.keys:
            if observation[name].kind != "image":
                raise InputError(f"resize_images: '{name}'", expected="an image", got=observation[name].kind)
        chosen = self.keys or tuple(key.name for key in observation if key.kind == "image")
        fields = tuple(
            replace(key, shape=(self.height, self.width, key.shape[2])) if key.name in chosen else key
            for key in observation
        )
        return ObservationSpec(fields), action

    def bound(self, observation: ObservationSpec) -> ResizeImages:
        """The same transform with the images of an observation by name, where it was to take all."""
        if self.keys:
            return self
        images = tuple(key.name for key in observation if key.kind == "image")
        return replace(self, keys=images) if images else self

    def forward_observation(self, observation: Tensors) -> Tensors:
        """The observation with images (batch, steps, height, width, channels) uint8, bilinear between their pixels."""
        return {
            name: self._resize(value) if self._wanted(name, value) else value for name, value in observation.items()
        }

    def _wanted(self, name: str, value: Tensor) -> bool:
        return name in self.keys

    def _resize(self, images: Tensor) -> Tensor:
        """(batch, steps, h, w, channels) uint8 to (batch, steps, height, width, channels) uint8."""
        if images.shape[2:4] == (self.height, self.width):
            return images
        batch, steps = images.shape[:2]
        flat = images.flatten(0, 1).permute(0, 3, 1, 2).float()
        resized = functional.interpolate(flat, (self.height, self.width), mode="bilinear", antialias=True)
        whole = resized.round().clamp(0, 255).to(torch.uint8)
        return whole.permute(0, 2, 3, 1).reshape(batch, steps, self.height, self.width, -1)
