"""Frames of several episodes as one video, H.264 in mp4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data.formats.lerobot.libraries import require_av
from robot.errors import InputError

QUALITY = {"crf": "18", "g": "2"}
"""Nearly without a loss for the eye; every second frame can be decoded by itself, as training reads at random."""


class VideoWriter:
    """One file.

    Args:
        file: its path.
        key: for messages.
        height, width: px, even.
        fps: frames a second.

    Attributes:
        frames: that were added.

    Raises:
        InputError: odd sizes, which H.264 has not in 4:2:0.
    """

    def __init__(self, file: Path, key: str, height: int, width: int, fps: float) -> None:
        if height % 2 or width % 2:
            raise InputError(
                f"'{key}'",
                expected="frames of an even height and width",
                got=f"{width} x {height} pixels",
                way_out="Write images with images=image",
            )
        from fractions import Fraction

        self._av = require_av()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._container = self._av.open(str(file), "w", format="mp4")
        self._stream: Any = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(10_000))
        self._stream.options = dict(QUALITY)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self.frames = 0

    def add(self, images: np.ndarray) -> None:
        """Frames (k, height, width, 3) of uint8."""
        for image in images:
            frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            self._container.mux(self._stream.encode(frame))
            self.frames += 1

    def close(self) -> None:
        """End the file."""
        self._container.mux(self._stream.encode())
        self._container.close()
