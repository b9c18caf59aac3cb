"""Videos are read back by ffmpeg itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from robot.errors import InputError, TillerError
from sim.rendering.pictures import as_rgb
from sim.rendering.video import VideoWriter


def read(path: Path) -> tuple[dict, np.ndarray]:
    frames = imageio_ffmpeg.read_frames(str(path))
    facts = next(frames)
    width, height = facts["size"]
    return facts, np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


def moving_square(count: int, height: int, width: int) -> np.ndarray:
    frames = np.full((count, height, width, 3), 30, np.uint8)
    for index, frame in enumerate(frames):
        frame[8:40, 4 * index : 4 * index + 32] = (220, 40, 40)
    return frames


def test_a_video_plays_back_what_was_written(tmp_path: Path) -> None:
    frames = moving_square(12, 96, 128)
    with VideoWriter(tmp_path / "square.mp4", fps=10) as video:
        for frame in frames:
            video.add(frame)
    facts, seen = read(tmp_path / "square.mp4")
    assert facts["codec"] == "h264" and facts["pix_fmt"].startswith("yuv420p") and facts["fps"] == 10
    assert seen.shape == frames.shape
    assert np.abs(seen.astype(int) - frames).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == ["square.mp4"]


def test_odd_sides_gain_one_pixel_and_keep_the_scale(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "odd.mp4", fps=20) as video:
        for frame in moving_square(3, 63, 97):
            video.add(frame)
    assert read(tmp_path / "odd.mp4")[0]["size"] == (98, 64)


def test_the_name_may_be_chosen_at_the_end(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "episode_7.mp4", fps=10)
    video.add(moving_square(1, 64, 64)[0])
    assert not (tmp_path / "episode_7.mp4").exists()
    assert video.close(tmp_path / "episode_7_success.mp4") == tmp_path / "episode_7_success.mp4"
    assert len(read(tmp_path / "episode_7_success.mp4")[1]) == 1


def test_an_abandoned_video_leaves_nothing(tmp_path: Path) -> None:
    words = re.escape("expected (64, 64, 3) of uint8 RGB, got (64, 32, 3)")
    with pytest.raises(InputError, match=words), VideoWriter(tmp_path / "broken.mp4", fps=10) as video:
        video.add(np.zeros((64, 64, 3), np.uint8))
        video.add(np.zeros((64, 32, 3), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["12:30:05", "-x", "file:x", "a b%d"])
def test_folders_that_look_like_options_or_protocols_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir()
    with VideoWriter(f"{folder}/square.mp4", fps=10) as video:
        video.add(moving_square(1, 64, 64)[0])
    assert read(tmp_path / folder / "square.mp4")[0]["size"] == (64, 64)


def test_a_video_that_ffmpeg_does_not_write_is_an_error_of_ours(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "missing" / "square.mp4", fps=10)
    with pytest.raises((TillerError, OSError)):
        video.add(moving_square(1, 64, 64)[0])
        video.close()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.full((4, 6, 3), 9, np.uint8), (4, 6, 9)),
        (np.full((4, 6, 4), 9, np.uint8), (4, 6, 9)),
        (np.full((3, 4, 6), 9, np.int64), (4, 6, 9)),
        (np.full((4, 6), 300), (4, 6, 255)),
        (np.full((4, 6, 1), 0.2), (4, 6, 51)),
        (np.full((4, 6, 3), 51.0, np.float32), (4, 6, 51)),
        (np.full((4, 6, 3), True), (4, 6, 255)),
        (np.full((4, 6, 3), np.nan), (4, 6, 0)),
        ([np.zeros((4, 6, 3)), np.ones((4, 6, 3))], (4, 6, 255)),
    ],
)
def test_pictures_of_other_forms_become_uint8_rgb(picture: Any, expected: tuple[int, int, int]) -> None:
    height, width, value = expected
    seen = as_rgb(picture, "a task")
    assert seen.dtype == np.uint8 and np.array_equal(seen, np.full((height, width, 3), value))


@pytest.mark.parametrize("picture", [None, np.zeros(3), np.zeros((5, 6, 2)), "words", np.zeros((0, 4, 3))])
def test_what_is_no_picture_is_refused(picture: Any) -> None:
    with pytest.raises(InputError, match=r"picture of a task: expected numbers \(height, width, 3\)"):
        as_rgb(picture, "a task")


def test_a_frame_beyond_the_encoder_is_refused_before_ffmpeg_sees_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = VideoWriter(tmp_path / "tall.mp4", fps=10)
    with pytest.raises(InputError, match=r"at most 16384 pixels a side.*got 20 x 20000"):
        video.add(np.zeros((20000, 20, 3), np.uint8))
    assert capfd.readouterr().err == "" and not list(tmp_path.iterdir())
