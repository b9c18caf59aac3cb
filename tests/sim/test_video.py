"""Videos are read back by ffmpeg itself."""

from __future__ import annotations

import re
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from robot.errors import InputError
from sim.video import VideoWriter


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
