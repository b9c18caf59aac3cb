"""Networks against the layers of PyTorch they stand for, and what each must be before it has learnt anything."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from policies.networks import (
    NETWORKS,
    ActionTransformer,
    ConditionalUnet1D,
    LevelEmbedding,
    Linear,
    ResidualMLP,
    make_network,
)
from policies.networks.linear import ONEDNN
from policies.networks.mlp import FilmBlock
from policies.networks.tokens import TokenLayout
from policies.networks.transformer import Block
from policies.networks.unet import ConvBlock, ResidualBlock, TimeConv, TimeDoubling
from robot.errors import InputError

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width": 32, "depth": 2},
    "transformer": {"width": 32, "depth": 2, "heads": 2},
    "unet": {"down_dims": (16, 32, 64), "groups": 4, "step_embedding": 32},
    "tokens": {"layout": TokenLayout(keys=1, width=4, fields=(1, 2), flagged=False, prompt=1), "depth": 2, "heads": 2},
}


def small(name: str, horizon: int = 8, seed: int = 0) -> nn.Module:
    """A small network in which no weight is zero, as if it had learnt something."""
    torch.manual_seed(seed)
    network = make_network(name, horizon, 3, 5, **SMALL[name])
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.2)
    return network.eval()


def inputs(rows: int, horizon: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(rows, horizon, 3, generator=generator),
        torch.rand(rows, generator=generator),
        torch.randn(rows, 5, generator=generator),
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("horizon", [4, 16])
def test_a_network_keeps_the_shape_of_a_chunk(name: str, rows: int, horizon: int) -> None:
    assert small(name, horizon)(*inputs(rows, horizon)).shape == (rows, horizon, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name: str) -> None:
    network = small(name)
    network(*inputs(4)).square().sum().backward()
    assert [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_chunk_level_and_condition_all_matter(name: str) -> None:
    network, given_inputs = small(name), inputs(4)
    before = network(*given_inputs)
    for index in range(3):
        changed = [value + 0.3 if position == index else value for position, value in enumerate(given_inputs)]
        assert (network(*changed) - before).abs().max() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_of_a_batch_is_the_row_alone(name: str) -> None:
    network, batch = small(name), inputs(9)
    together = network(*batch)
    for row in (0, 4, 8):
        alone = network(*(value[row : row + 1] for value in batch))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "transformer", "tokens"])
def test_an_untrained_network_predicts_zero(name: str) -> None:
    assert not make_network(name, 8, 3, 5, **SMALL[name])(*inputs(4)).any()


def test_untrained_blocks_ignore_what_modulates_them() -> None:
    torch.manual_seed(0)
    x, features = torch.randn(4, 32), torch.randn(2, 4, 8)
    film = FilmBlock(32, 8, dropout=0.0)
    assert torch.equal(film(x, features[0]), film(x, features[1]))
    rows, condition = torch.randn(4, 8, 32), torch.randn(4, 32)
    assert torch.equal(Block(32, heads=2, dropout=0.0)(rows, condition), rows)
    unet = make_network("unet", 8, 3, 5, **SMALL["unet"])
    noisy, level, condition = inputs(4)
    assert torch.equal(unet(noisy, level, condition), unet(noisy, level + 0.5, -condition))


def test_sizes_are_those_of_the_recipes() -> None:
    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    with torch.device("meta"):
        # diffusion policy's PushT network: two observations of 20 numbers; 65.78 M
        assert count(ConditionalUnet1D(16, 2, 40)) == pytest.approx(65.783e6, rel=1e-4)
        assert count(ResidualMLP(16, 2, 12)) == pytest.approx(1.7e6, rel=0.05)
        assert count(ActionTransformer(16, 2, 40)) == pytest.approx(7.4e6, rel=0.05)


# The U-Net's layers work on (B, length, channels); those of PyTorch on (B, channels, length).


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1)])
@pytest.mark.parametrize("length", [4, 7, 16])
def test_time_convolution_is_conv1d(kernel_size: int, stride: int, length: int) -> None:
    torch.manual_seed(0)
    ours, theirs = TimeConv(6, 10, kernel_size, stride), nn.Conv1d(6, 10, kernel_size, stride, kernel_size // 2)
    copy_convolution(ours, theirs)
    x = torch.randn(3, length, 6)
    torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 4, 9])
def test_time_doubling_is_conv_transpose1d(length: int) -> None:
    torch.manual_seed(0)
    ours, theirs = TimeDoubling(6), nn.ConvTranspose1d(6, 6, kernel_size=4, stride=2, padding=1)
    taps = theirs.weight.detach().permute(2, 1, 0)  # (kernel, outside, inside)
    with torch.no_grad():
        ours.even.weight.copy_(torch.cat((taps[3], taps[1]), dim=1))
        ours.odd.weight.copy_(torch.cat((taps[2], taps[0]), dim=1))
        for half in (ours.even, ours.odd):
            half.bias.copy_(theirs.bias)
    x = torch.randn(3, length, 6)
    torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2), atol=1e-5, rtol=1e-5)


def test_a_convolution_block_is_conv1d_group_norm_and_mish() -> None:
    torch.manual_seed(0)
    ours = ConvBlock(6, 16, kernel_size=5, groups=4)
    conv, norm = nn.Conv1d(6, 16, 5, padding=2), nn.GroupNorm(4, 16)
    for parameter in ours.norm.parameters():
        nn.init.normal_(parameter)
    norm.load_state_dict(ours.norm.state_dict())
    copy_convolution(ours.conv, conv)
    x = torch.randn(3, 8, 6)
    expected = nn.functional.mish(norm(conv(x.transpose(1, 2)))).transpose(1, 2)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


def test_a_residual_block_scales_and_shifts_between_its_convolutions() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(6, 8, kernel_size=3, groups=4)
    x, scale, shift = torch.randn(2, 5, 6), torch.randn(2, 8), torch.randn(2, 8)
    expected = block.second(block.first(x) * (1 + scale[:, None]) + shift[:, None]) + block.straight(x)
    torch.testing.assert_close(block(x, torch.cat((scale, shift), dim=1)), expected)


def copy_convolution(ours: TimeConv, theirs: nn.Conv1d) -> None:
    with torch.no_grad():
        ours.linear.weight.copy_(theirs.weight.permute(0, 2, 1).flatten(1))
        ours.linear.bias.copy_(theirs.bias)


@given(rows=st.integers(0, 20), inside=st.integers(1, 9), outside=st.integers(1, 9), bias=st.booleans())
def test_the_quick_linear_layer_is_the_plain_one_to_its_second_derivatives(
    rows: int, inside: int, outside: int, bias: bool
) -> None:
    torch.manual_seed(0)
    quick, plain = Linear(inside, outside, bias=bias), nn.Linear(inside, outside, bias=bias)
    plain.load_state_dict(quick.state_dict())

    def derivatives(layer: nn.Linear) -> list[Tensor]:
        x = torch.linspace(-1, 1, 2 * rows * inside).view(2, rows, inside).requires_grad_()
        y = layer(x).sin()
        first = torch.autograd.grad(y.sum(), [x, *layer.parameters()], create_graph=True)
        return [y, *first, *torch.autograd.grad(sum(g.square().sum() for g in first), [x, layer.weight])]

    for ours, theirs in zip(derivatives(quick), derivatives(plain)):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(ONEDNN is None, reason="this PyTorch carries no oneDNN")
def test_the_quick_linear_layer_takes_its_quick_path_in_training_and_not_inside_function_transforms() -> None:
    layer, x = Linear(4, 3), torch.randn(8, 4)
    assert "OneDnn" in type(layer(x).grad_fn).__name__
    gradient = torch.func.grad(lambda value: layer(value).sum())(x)
    torch.testing.assert_close(gradient, layer.weight.sum(dim=0).expand(8, 4))


def test_neighbouring_levels_are_told_apart_and_far_ones_more() -> None:
    embedded = LevelEmbedding(64)(torch.linspace(-1.4, 1, 241))  # a hundredth apart
    near = (embedded[1:] - embedded[:-1]).norm(dim=-1)
    assert near.min() > 0.1
    assert (embedded[100:] - embedded[:-100]).norm(dim=-1).min() > near.max()


@pytest.mark.parametrize(("horizon", "way_out"), [(18, "16 or 20"), (3, "4"), (6, "4 or 8")])
def test_a_horizon_that_cannot_be_halved_names_the_nearest_that_can(horizon: int, way_out: str) -> None:
    with pytest.raises(InputError, match=f"The nearest are {way_out}"):
        make_network("unet", horizon, 2, 5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", {"groups": 7}),
        ("unet", {"kernel_size": 4}),
        ("transformer", {"heads": 3}),
        ("mlp", {"widht": 3}),
        ("mpl", {}),
    ],
)
def test_bad_settings_are_refused(name: str, options: dict) -> None:
    with pytest.raises(InputError):
        make_network(name, 16, 2, 5, **options)
