"""Demonstrations of UMI: images in JPEG XL, and no actions but the poses that follow."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from imagecodecs.numcodecs import Jpegxl, register_codecs

from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec
from robot.description import ActionField
from robot.errors import InputError

ENDS = np.array([5, 12])


def write(path: Path, robots: int = 1) -> dict[str, np.ndarray]:
    """A zip as UMI's pipeline writes it: chunks of one image, other keys without compression."""
    register_codecs()
    draw = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {"camera0_rgb": draw.integers(0, 256, (12, 32, 48, 3)).astype(np.uint8)}
    for robot in range(robots):
        arrays[f"robot{robot}_eef_pos"] = draw.normal(size=(12, 3)).astype(np.float32)
        arrays[f"robot{robot}_eef_rot_axis_angle"] = draw.uniform(-1.5, 1.5, (12, 3)).astype(np.float32)
        arrays[f"robot{robot}_gripper_width"] = draw.uniform(0, 0.08, (12, 1)).astype(np.float32)
        arrays[f"robot{robot}_demo_start_pose"] = draw.normal(size=(12, 6))
    folder = path.with_suffix("")
    root = zarr.open_group(folder, mode="w", zarr_format=2)
    for name, values in arrays.items():
        is_image = values.ndim == 4
        root.create_array(
            f"data/{name}",
            data=values,
            chunks=(1, *values.shape[1:]) if is_image else values.shape,
            compressors=Jpegxl(lossless=True) if is_image else None,
        )
    root.create_array("meta/episode_ends", data=ENDS, compressors=None)
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return arrays


@pytest.mark.parametrize("robots", [1, 2])
def test_the_target_of_a_row_is_the_pose_of_the_next(robots, tmp_path):
    arrays = write(tmp_path / "dataset.zarr.zip", robots)
    summary = convert(tmp_path / "dataset.zarr.zip", tmp_path / "out", instruction="arrange the cups")
    dataset = Dataset.open(tmp_path / "out")
    assert summary.notes[0].startswith("recognised as UMI demonstrations of " + ("one" if robots == 1 else "two"))
    assert dataset.schema.action.dim == 10 * robots and dataset.read("action").dtype == np.float32
    assert np.array_equal(dataset.read("camera0_rgb"), arrays["camera0_rgb"])
    following = np.array([1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11, 11])
    action = dataset.read("action")
    for robot in range(robots):
        part = action[:, 10 * robot : 10 * robot + 10]
        assert np.array_equal(part[:, :3], arrays[f"robot{robot}_eef_pos"][following])
        turned = matrix_from_rotvec(arrays[f"robot{robot}_eef_rot_axis_angle"][following])
        assert np.allclose(matrix_from_6d(part[:, 3:9]), turned, atol=1e-6)
        assert np.array_equal(part[:, 9:], arrays[f"robot{robot}_gripper_width"][following])
    assert any("of the row after" in note for note in summary.notes)


def test_actions_that_a_person_names_come_first(tmp_path):
    arrays = write(tmp_path / "dataset.zarr.zip")
    fields = (ActionField("tcp.position", 3, "m", "pose"),)
    source = tmp_path / "dataset.zarr.zip"
    convert(source, tmp_path / "out", rename={"robot0_eef_pos": "action"}, action=fields)
    assert np.array_equal(Dataset.open(tmp_path / "out").read("action"), arrays["robot0_eef_pos"])
    with pytest.raises(InputError, match="expected a key 'action'"):
        convert(source, tmp_path / "none", exclude=["robot0_eef_pos"], units="1")
