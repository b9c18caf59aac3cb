"""Crops, colours and scaling between the store and an encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from policies.transforms.augmentation import ImageAugmentation
from robot.errors import InputError

COLOUR = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.05}


def pictures(rows: int = 6, steps: int = 2, height: int = 12, width: int = 10) -> Tensor:
    """Images whose first two channels tell the place of each pixel, and the third one the frame."""
    images = torch.empty(rows, steps, height, width, 3, dtype=torch.uint8)
    images[..., 0] = torch.arange(height, dtype=torch.uint8)[:, None]
    images[..., 1] = torch.arange(width, dtype=torch.uint8)
    images[..., 2] = torch.arange(steps, dtype=torch.uint8)[:, None, None]
    return images


def places(images: Tensor) -> Tensor:
    """Back to what `pictures` wrote: (rows, steps, 3, h, w) in [-1, 1] to whole numbers."""
    return ((images + 1) * 127.5).round().long()


def test_evaluation_crops_the_centre() -> None:
    seen = ImageAugmentation(crop=6).eval()({"image": pictures()})["image"]
    assert seen.shape == (6, 2, 3, 6, 6)
    assert places(seen)[0, 0, 0, :, 0].tolist() == [3, 4, 5, 6, 7, 8]
    assert places(seen)[0, 0, 1, 0].tolist() == [2, 3, 4, 5, 6, 7]


def test_training_crops_anywhere_but_all_frames_of_a_history_alike() -> None:
    torch.manual_seed(0)
    seen = places(ImageAugmentation(crop=(6, 7)).train()({"image": pictures(rows=400)})["image"])
    corners = seen[:, :, :2, 0, 0]
    assert torch.equal(corners[:, 0], corners[:, 1])
    everywhere = {(top, left) for top in range(7) for left in range(4)}
    assert {tuple(corner) for corner in corners[:, 0].tolist()} == everywhere
    expected = corners[..., 0, None, None] + torch.arange(6)[:, None]
    assert torch.equal(seen[:, :, 0], expected.expand(-1, -1, 6, 7))
    assert seen[:, 1, 2].eq(1).all()


def test_values_are_scaled_to_one_about_zero_and_states_pass() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, 1, 4, 4, 3)
    seen = ImageAugmentation().eval()({"image": images, "agent": torch.ones(1, 2)})
    torch.testing.assert_close(seen["image"][0, 0, :, 0, 0], torch.tensor([-1.0, -0.6, 1.0]))
    assert seen["agent"].tolist() == [[1, 1]]


def test_colours_wander_in_training_only_and_alike_in_a_history() -> None:
    augmentation = ImageAugmentation(colour=COLOUR)
    frame = torch.randint(30, 220, (8, 1, 16, 16, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    history = {"image": frame.expand(8, 2, 16, 16, 3)}
    torch.manual_seed(0)
    plain, first = augmentation.eval()(history)["image"], augmentation.train()(history)["image"]
    torch.manual_seed(0)
    again = augmentation(history)["image"]
    assert torch.equal(first, again)
    torch.testing.assert_close(first[:, 0], first[:, 1])
    assert first.abs().max() <= 1
    changes = (first - plain).abs().mean(dim=(1, 2, 3, 4))
    assert changes.min() > 1e-3 and changes.unique().numel() == 8


@pytest.mark.parametrize(("crop", "size"), [(None, (96, 80)), (64, (64, 64)), ((60, 70), (60, 70)), (0.75, (72, 60))])
def test_shapes_foretell_what_comes_out(crop, size: tuple[int, int]) -> None:
    augmentation = ImageAugmentation(crop=crop)
    raw = {"image": (2, 96, 80, 3), "agent": (2, 5)}
    assert augmentation.shapes(raw) == {"image": (2, 3, *size), "agent": (2, 5)}
    seen = augmentation({"image": torch.zeros(1, *raw["image"], dtype=torch.uint8)})["image"]
    assert seen.shape[1:] == (2, 3, *size)


@pytest.mark.parametrize("crop", [97, (96, 81), 1.5, 0, [3]])
def test_a_crop_that_does_not_fit_is_refused(crop) -> None:
    with pytest.raises(InputError, match="crop"):
        ImageAugmentation(crop=crop).shapes({"image": (1, 96, 80, 3)})


def test_a_misspelt_colour_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'brightness'"):
        ImageAugmentation(colour={"brightnes": 0.1})
