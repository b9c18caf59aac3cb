"""Encoders: what goes where in the condition, and where weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from policies.encoders import CameraEncoder, ResNet18, SmallCNN, StateEncoder, make_encoder
from policies.encoders.resnet import spatial_softmax
from policies.transforms.augmentation import ImageAugmentation
from robot.errors import InputError

SHAPES = {"front.image": (2, 3, 32, 32), "agent": (3, 2), "wrist": (1, 3, 40, 24)}


def observation(rows: int, shapes: dict = SHAPES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(rows, *shape, generator=generator) * 2 - 1 for name, shape in shapes.items()}


def test_state_joins_histories_in_the_order_of_its_keys() -> None:
    encoder = StateEncoder({"b": (2, 1), "a": (1, 2, 2)})
    seen = encoder({"a": torch.arange(4.0).view(1, 1, 2, 2), "b": torch.tensor([[[8.0], [9.0]]])})
    assert seen.tolist() == [[8, 9, 0, 1, 2, 3]]
    assert encoder.condition_dim == 6


def test_state_goes_through_an_mlp_when_asked() -> None:
    encoder = make_encoder("state", {"a": (2, 3)}, hidden=[16, 4])
    assert encoder.condition_dim == 4
    assert encoder({"a": torch.ones(5, 2, 3)}).shape == (5, 4)


@pytest.mark.parametrize("size", [(96, 96), (84, 84), (50, 37), (16, 16)])
def test_the_small_cnn_takes_images_of_any_size(size: tuple[int, int]) -> None:
    assert SmallCNN(size, features=10)(torch.zeros(2, 3, *size)).shape == (2, 10)


def test_cameras_and_state_stand_side_by_side() -> None:
    torch.manual_seed(0)
    encoder = make_encoder("cnn", SHAPES, features=8)
    assert isinstance(encoder, CameraEncoder) and encoder.condition_dim == 2 * 8 + 1 * 8 + 6
    seen = observation(4)
    condition = encoder(seen)
    frame = encoder.networks[0](seen["front.image"][:, 1])
    torch.testing.assert_close(condition[:, 8:16], frame, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(condition[:, 24:], seen["agent"].flatten(1))


def test_each_camera_has_weights_of_its_own_unless_shared() -> None:
    shapes = {"left": (1, 3, 32, 32), "right": (1, 3, 32, 32)}
    picture = torch.rand(2, 1, 3, 32, 32)
    for shared in (False, True):
        left, right = make_encoder("cnn", shapes, shared=shared)({"left": picture, "right": picture}).chunk(2, dim=1)
        assert torch.allclose(left, right) == shared


def test_one_network_cannot_serve_images_of_two_sizes() -> None:
    with pytest.raises(InputError, match=r"front.image 32 x 32, wrist 40 x 24"):
        make_encoder("cnn", SHAPES, shared=True)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_row_of_images_does_not_depend_on_its_batch_mates(name: str) -> None:
    torch.manual_seed(0)
    encoder, seen = make_encoder(name, SHAPES), observation(5)
    together = encoder(seen)
    alone = encoder({key: value[3:4] for key, value in seen.items()})
    torch.testing.assert_close(alone[0], together[3], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_every_weight_of_an_image_encoder_learns(name: str) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(name, {"image": (1, 3, 48, 48)})
    condition = encoder({"image": torch.rand(2, 1, 3, 48, 48)})
    (condition * torch.randn(condition.shape)).sum().backward()
    assert [key for key, value in encoder.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_a_resnet_has_group_norm_and_no_batch_norm() -> None:
    kinds = [type(module) for module in ResNet18((64, 64)).modules()]
    assert nn.BatchNorm2d not in kinds
    assert kinds.count(nn.GroupNorm) == 20  # one after each convolution of ResNet-18


@pytest.mark.parametrize("inside_classifier", [False, True])
def test_a_resnet_starts_from_weights_in_a_local_folder(tmp_path: Path, inside_classifier: bool) -> None:
    from transformers import ResNetConfig, ResNetForImageClassification, ResNetModel

    config = ResNetConfig(embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic")
    saved = (ResNetForImageClassification if inside_classifier else ResNetModel)(config)
    saved.save_pretrained(tmp_path, safe_serialization=True)
    network = make_encoder("resnet", {"image": (1, 3, 64, 64)}, weights=str(tmp_path)).networks[0]
    source = dict((saved.resnet if inside_classifier else saved).named_parameters())
    loaded = dict(network.backbone.named_parameters())
    assert source.keys() == loaded.keys()
    assert all(torch.equal(source[name], loaded[name]) for name in source)


def test_weights_that_a_checkpoint_brings_are_not_looked_for(tmp_path: Path) -> None:
    shapes, gone = {"image": (1, 3, 32, 32)}, str(tmp_path / "gone")
    with pytest.raises(InputError, match="gone"):
        make_encoder("resnet", shapes, weights=gone)
    assert make_encoder("resnet", shapes, weights=gone, pretrained=False).condition_dim == 64


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match=r"those of a ResNet-18.*without it"):
        ResNet18((64, 64), weights=path)


def test_weights_in_a_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"model.safetensors"):
        ResNet18((64, 64), weights=path)


def test_spatial_softmax_tells_where_a_map_is_bright() -> None:
    maps = torch.zeros(1, 3, 5, 9)
    for index, (row, column) in enumerate([(0, 0), (4, 8), (1, 4)]):
        maps[0, index, row, column] = 50.0
    torch.testing.assert_close(spatial_softmax(maps), torch.tensor([[-1.0, 1.0, 0.0, -1.0, 1.0, -0.5]]))


def test_an_encoder_that_does_not_fit_the_observation_says_what_would() -> None:
    with pytest.raises(InputError, match="encoder=cnn"):
        make_encoder("state", SHAPES)
    with pytest.raises(InputError, match="encoder=state"):
        make_encoder("cnn", {"agent": (2, 2)})
    with pytest.raises(InputError, match="Did you mean 'resnet'"):
        make_encoder("resnt", SHAPES)
    with pytest.raises(InputError, match="Did you mean 'features'"):
        make_encoder("cnn", SHAPES, feature=3)


def test_what_is_not_declared_as_an_image_is_none_whatever_its_axes() -> None:
    shapes = {"camera": (2, 3, 16, 16), "map": (2, 4, 5, 3)}
    encoder = make_encoder("cnn", shapes, images=["camera"], features=8)
    assert encoder.condition_dim == 2 * 8 + 2 * 4 * 5 * 3
    assert encoder(observation(3, shapes)).shape == (3, encoder.condition_dim)
    assert make_encoder("state", {"map": (2, 4, 5, 3)}, images=[]).condition_dim == 2 * 4 * 5 * 3
    with pytest.raises(InputError, match="got the image 'camera'"):
        make_encoder("state", shapes, images=["camera"])


def test_augmentation_leaves_numbers_alone_whatever_their_axes() -> None:
    augmentation = ImageAugmentation(crop=12)
    assert augmentation.shapes({"camera": (1, 16, 16, 3), "map": (1, 16, 16, 3)}, ["camera"]) == {
        "camera": (1, 3, 12, 12),
        "map": (1, 16, 16, 3),
    }
    seen = augmentation({name: torch.zeros(2, 1, 16, 16, 3, dtype=torch.uint8) for name in ("camera", "map")})
    assert {name: tuple(value.shape) for name, value in seen.items()} == {
        "camera": (2, 1, 3, 12, 12),
        "map": (2, 1, 16, 16, 3),
    }
