"""ResNet-18 with group norm and a spatial softmax, as visuomotor policies use it (Chi et al. 2023, section 3.2)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from policies.networks.sizes import Width
from robot.errors import InputError

CHANNELS_A_GROUP = 16


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2016) with group norm and a spatial softmax: images (N, 3, h, w) to (N, features).

    It is the encoder of diffusion policy (Chi et al. 2023, section 3.2), its softmax that of Levine et al. (2016).
    Batch norm is replaced by group norm, which does not mix a batch and agrees with averaged weights. ImageNet weights
    keep their meaning for images scaled as there; `forward` changes [-1, 1] to that scale.

    Args:
        size: height and width of the images in pixels.
        features: size of the vector.
        keypoints: image positions that the spatial softmax returns.
        weights: a local folder with `model.safetensors`, or such a file, as `transformers` saves a ResNet-18; None
            starts from random weights. Nothing is ever fetched.

    Raises:
        InputError: no such weights, or those of another network.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, size: tuple[int, int], features: Width = 64, keypoints: Width = 32, weights: str | Path | None = None
    ):
        super().__init__()
        from transformers import ResNetConfig, ResNetModel  # seconds of import that other encoders save

        self.features = features
        self.backbone = ResNetModel(
            ResNetConfig(embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic")
        )
        if weights is not None:
            load_weights(self.backbone, Path(weights))
        replace_batch_norm(self.backbone)
        self.points = nn.Conv2d(512, keypoints, kernel_size=1)
        self.last = nn.Sequential(nn.Linear(2 * keypoints, features), nn.LayerNorm(features))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, h, w) in [-1, 1] to (N, features)."""
        scaled = ((images + 1) / 2 - self.mean) / self.deviation
        return self.last(spatial_softmax(self.points(self.backbone(scaled).last_hidden_state)))


def spatial_softmax(maps: Tensor) -> Tensor:
    """Expected x and y of each map in [-1, 1]: (N, K, h, w) to (N, 2 K) (Levine et al. 2016)."""
    height, width = maps.shape[-2:]
    weight = maps.flatten(2).softmax(dim=-1).view_as(maps)
    x = (weight.sum(dim=-2) * torch.linspace(-1, 1, width, device=maps.device, dtype=maps.dtype)).sum(dim=-1)
    y = (weight.sum(dim=-1) * torch.linspace(-1, 1, height, device=maps.device, dtype=maps.dtype)).sum(dim=-1)
    return torch.cat((x, y), dim=-1)


def replace_batch_norm(module: nn.Module) -> None:
    """Put a group norm with the same scale and shift in place of each batch norm inside `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            norm = nn.GroupNorm(child.num_features // CHANNELS_A_GROUP, child.num_features)
            norm.weight, norm.bias = child.weight, child.bias
            setattr(module, name, norm)
        else:
            replace_batch_norm(child)


def load_weights(backbone: nn.Module, path: Path) -> None:
    """Fill a ResNet from safetensors, saved alone or inside a classifier; statistics of batch norms are left out."""
    from safetensors.torch import load_file

    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file() or file.suffix != ".safetensors":
        raise InputError(
            f"encoder weights '{path}'",
            expected="a folder with model.safetensors, or such a file",
            way_out="Save the network with save_pretrained(..., safe_serialization=True) first",
        )
    saved = {name.removeprefix("resnet."): value for name, value in load_file(file).items()}
    expected = backbone.state_dict()
    bad = [name for name, value in expected.items() if name not in saved or saved[name].shape != value.shape]
    if bad:
        first = bad[0]
        raise InputError(
            f"encoder weights '{path}'",
            expected=f"those of a ResNet-18, '{first}' {tuple(expected[first].shape)}",
            got=str(tuple(saved[first].shape)) if first in saved else "a file without it",
        )
    backbone.load_state_dict({name: saved[name] for name in expected})
