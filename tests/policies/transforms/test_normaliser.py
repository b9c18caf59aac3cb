"""Normalisation: ranges, laws of inversion, and components that stand still."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.learning.statistics import statistics_of
from policies.recipe.recipe import NormalisationConfig
from policies.transforms.normaliser import Normaliser
from robot.errors import InputError

rows = arrays(np.float64, (12, 3), elements=st.floats(-1000, 1000, width=32))


def fitted(mode: str, values: np.ndarray) -> Normaliser:
    normaliser = Normaliser({"tcp.position": values.shape[1:]})
    normaliser["tcp.position"].fit(mode, statistics_of(values))
    return normaliser


@pytest.mark.parametrize("mode", ["limits", "gaussian", "none"])
@given(values=rows)
@settings(max_examples=40, deadline=None)
def test_values_come_back(mode: str, values: np.ndarray) -> None:
    field = fitted(mode, values)["tcp.position"]
    value = torch.from_numpy(values).float()
    torch.testing.assert_close(field.inverse(field(value)), value, atol=2e-3, rtol=1e-4)


@given(values=rows)
@settings(max_examples=40, deadline=None)
def test_limits_fill_minus_one_to_one_and_constants_map_to_zero_with_unit_gain(values: np.ndarray) -> None:
    field = fitted("limits", values)["tcp.position"]
    normalised = field(torch.from_numpy(values).float()).numpy()
    spread = np.ptp(values, axis=0)
    moves = spread > 1e-2
    np.testing.assert_allclose(normalised.min(axis=0)[moves], -1, atol=0.02)
    np.testing.assert_allclose(normalised.max(axis=0)[moves], 1, atol=0.02)
    still = spread == 0
    np.testing.assert_allclose(normalised[:, still], 0, atol=1e-3)
    np.testing.assert_array_equal(field.scale.numpy()[still], 1)


def test_gaussian_gives_zero_mean_and_unit_deviation() -> None:
    values = np.random.default_rng(0).normal([3, -200, 0.01], [1, 50, 0.001], (5000, 3))
    normalised = fitted("gaussian", values)["tcp.position"](torch.from_numpy(values).float())
    torch.testing.assert_close(normalised.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(normalised.std(0), torch.ones(3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_rounding_noise_on_a_constant_is_not_blown_up(mode: str) -> None:
    values = 0.5 + np.random.default_rng(0).normal(0, 1e-9, (100, 1))
    normalised = fitted(mode, values)["tcp.position"](torch.from_numpy(values).float())
    assert normalised.abs().max() < 1e-6


def test_a_stiff_millimetre_is_still_a_signal() -> None:
    values = 0.5 + np.linspace(0, 1e-3, 100)[:, None]
    normalised = fitted("limits", values)["tcp.position"](torch.from_numpy(values).float())
    assert normalised.max() > 0.99


def test_the_scaling_travels_with_the_weights() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    first, second = fitted("limits", values), Normaliser({"tcp.position": (3,)})
    second.load_state_dict(first.state_dict())
    value = torch.from_numpy(values).float()
    assert torch.equal(first["tcp.position"](value), second["tcp.position"](value))
    assert torch.equal(second["tcp.position"].min, torch.from_numpy(values.min(0)).float())


def test_images_pass_untouched() -> None:
    images = torch.randint(0, 255, (2, 1, 4, 4, 3), dtype=torch.uint8)
    out = fitted("limits", np.ones((2, 3))).observation({"camera": images, "tcp.position": torch.ones(2, 1, 3)})
    assert out["camera"] is images
    assert torch.equal(out["tcp.position"], torch.zeros(2, 1, 3))


def test_a_misspelt_mode_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'gaussian'"):
        NormalisationConfig(mode="gausian")
