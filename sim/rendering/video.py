"""Frames to an mp4 that every browser plays: H.264, yuv420p, streamed to ffmpeg as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generator

import numpy as np

from robot.errors import InputError, MissingExtraError, TillerError

LONGEST_SIDE = 16384  # of libx264


class VideoWriter:
    """Writes one video; the file has its name only when it is complete.

    Args:
        path: to write; its folder must exist.
        fps: frames per second, above 0.
        quality: 1 (small) to 10 (lossless).
    """

    def __init__(self, path: Path | str, fps: float, quality: float = 7.0):
        self.path = Path(path)
        self._fps = fps
        self._quality = quality
        self._shape: tuple[int, ...] | None = None
        self._frames: Generator[None, Any, None] | None = None

    @property
    def _temporary(self) -> Path:
        return self.path.with_name(f".{self.path.stem}.unfinished{self.path.suffix}")

    def add(self, frame: np.ndarray) -> None:
        """Append a frame (height, width, 3) uint8 RGB, of the size of the first one.

        Raises:
            InputError: the frame is of another shape or type, or too large.
            TillerError: ffmpeg has failed.
            MissingExtraError: imageio-ffmpeg is not installed.
        """
        if max(frame.shape[:2]) > LONGEST_SIDE:
            raise InputError(
                "frame of the video",
                expected=f"at most {LONGEST_SIDE} pixels a side, which is H.264's limit",
                got=f"{frame.shape[1]} x {frame.shape[0]}",
            )
        shape = self._shape or (*frame.shape[:2], 3)
        if frame.shape != shape or frame.dtype != np.uint8 or frame.ndim != 3:
            raise InputError(
                "frame of the video", expected=f"{shape} of uint8 RGB", got=f"{frame.shape} of {frame.dtype}"
            )
        if self._frames is None:
            self._shape = shape
            self._frames = self._open(height=shape[0], width=shape[1])
        try:
            self._frames.send(np.ascontiguousarray(_even(frame)))
        except OSError as error:  # its text is the whole command
            self._frames = None
            size = f"{frame.shape[1]} x {frame.shape[0]}"
            raise TillerError(
                f"video {self.path.name}: ffmpeg took no frame of {size}; its own message stands above"
            ) from error

    def close(self, path: Path | str | None = None) -> Path:
        """Finish the file and give it its name.

        Args:
            path: another name in the same folder, when it is known only at the end.

        Raises:
            InputError: there are no frames.
            TillerError: ffmpeg has failed.
        """
        if self._frames is None:
            raise InputError(f"video {self.path.name}", expected="at least one frame", got="none")
        self._frames.close()
        self._frames = None
        if not self._temporary.is_file():
            raise TillerError(f"video {self.path.name}: ffmpeg has written no file; its own message stands above")
        target = Path(path) if path is not None else self.path
        return self._temporary.replace(target)

    def abandon(self) -> None:
        """Drop what has been written."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.abandon()
        elif self._frames is not None:
            self.close()

    def _open(self, height: int, width: int) -> Generator[None, Any, None]:
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise MissingExtraError("imageio-ffmpeg", "dev") from error
        frames = imageio_ffmpeg.write_frames(
            # A relative path may begin with a dash or hold a colon, which ffmpeg takes for an option or a protocol.
            str(self._temporary.absolute()),
            (width + width % 2, height + height % 2),
            fps=self._fps,
            codec="libx264",
            quality=self._quality,
            # The default of 16 would rescale frames; H.264 in yuv420p only needs even sides.
            macro_block_size=2,
            ffmpeg_log_level="error",
            # The index first: a browser shows the video before it has read all of it.
            output_params=["-movflags", "+faststart"],
        )
        frames.send(None)
        return frames


def _even(frame: np.ndarray) -> np.ndarray:
    """The frame with its last row and column repeated where a side is odd."""
    rows, columns = frame.shape[0] % 2, frame.shape[1] % 2
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else frame
