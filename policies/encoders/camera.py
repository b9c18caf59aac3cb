"""Images and low-dimensional keys together to one vector."""

from __future__ import annotations

from typing import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from policies.encoders.state import StateEncoder
from robot.errors import InputError

Backbone = Callable[[tuple[int, int]], nn.Module]
"""From the size (h, w) of images to a module (N, 3, h, w) -> (N, features) that knows its `features`."""


def is_image(name: str, shape: Sequence[int], images: Collection[str] | None) -> bool:
    """Whether a key (steps, ...) is an image: by what was declared, and by its axes only where nothing was."""
    return len(shape) == 4 if images is None else name in images


class CameraEncoder(nn.Module):
    """One backbone per camera over every frame of its history, joined with the low-dimensional keys.

    Args:
        shapes: key -> (steps, 3, h, w) for images, (steps, ...) for the rest.
        backbone: (h, w) -> the network of one camera, (N, 3, h, w) to (N, features).
        shared: one network for all cameras, whose images must be of one size.
        images: names of the keys that are images; None for those with three axes per frame.

    Attributes:
        condition_dim: C, steps times features of every camera, and the low-dimensional numbers.

    Raises:
        InputError: there is no image among the keys, or images of different sizes share a network.
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[int]],
        backbone: Backbone,
        shared: bool = False,
        images: Collection[str] | None = None,
    ):
        super().__init__()
        cameras = {name: shape for name, shape in shapes.items() if is_image(name, shape, images)}
        if not cameras:
            raise InputError(
                "image encoder",
                expected="at least one image among the observations",
                got=", ".join(shapes),
                way_out="Use encoder=state",
            )
        sizes = {name: (shape[2], shape[3]) for name, shape in cameras.items()}
        if shared and len(set(sizes.values())) > 1:
            raise InputError(
                "encoder.shared",
                expected="images of one size",
                got=", ".join(f"{name} {size[0]} x {size[1]}" for name, size in sizes.items()),
                way_out="Resize them, or let each camera have a network of its own",
            )
        self.network_of = {name: 0 if shared else index for index, name in enumerate(cameras)}
        self.networks = nn.ModuleList(backbone(size) for size in list(sizes.values())[: 1 if shared else None])
        self.state = StateEncoder({name: shape for name, shape in shapes.items() if name not in cameras})
        self.condition_dim = self.state.condition_dim + sum(
            shape[0] * self.networks[self.network_of[name]].features for name, shape in cameras.items()
        )

    def forward(self, observation: Mapping[str, Tensor], there: Mapping[str, Tensor] | None = None) -> Tensor:
        """Encode observations.

        Args:
            observation: key -> (B, steps, ...) normalised, images (B, steps, 3, h, w) in [-1, 1].
            there: key -> (B,) whether a row has it; None where all rows have all keys. A camera that a row lacks gives
                zeros, and learns nothing from it.

        Returns:
            (B, C).
        """
        parts = [self._encode(name, observation[name]) for name in self.network_of]
        if there is not None:
            parts = [part * there[name][:, None] for name, part in zip(self.network_of, parts)]
        if self.state.keys:
            parts.append(self.state(observation))
        return torch.cat(parts, dim=-1)

    def _encode(self, name: str, images: Tensor) -> Tensor:
        return self.networks[self.network_of[name]](images.flatten(0, 1)).view(len(images), -1)
