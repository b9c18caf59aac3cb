"""Frames of LeRobot's videos at the times of rows, decoded one after the other."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from data.formats.lerobot.libraries import require_av
from data.store.images.headers import MOST_PIXELS
from robot.errors import InputError, one_line

_WORTH_SEEKING_S = 3.0  # of video, that decoding takes as long for as a jump to the key frame before


@contextmanager
def damage(where: str, way_out: str) -> Iterator[None]:
    """What is within decodes a video: the errors of PyAV become one message."""
    av = require_av()
    try:
        yield
    except InputError:
        raise
    except (av.FFmpegError, OSError, ValueError, EOFError, MemoryError) as error:
        raise InputError(
            where, expected="a video in mp4, whole", got=ascii(one_line(error))[1:200], way_out=way_out
        ) from error


class Video:
    """One video file.

    Args:
        file: its path; it is opened as mp4 and nothing it refers to is.
        where: names the key, the episode and the file, for messages.
        way_out: for messages.

    Attributes:
        height, width: px.
        frames: as the file says; 0 where it does not.
        rate: frames a second; 0 where the file does not say.
        is_depth: whether it has one channel of more than 8 bits.

    Raises:
        InputError: it is damaged, or has no video.
    """

    def __init__(self, file: Path, where: str, way_out: str) -> None:
        self._where, self._way_out = where, way_out
        with damage(where, way_out):
            # `file:` keeps a path from being taken for another protocol.
            self._container = require_av().open(
                f"file:{file}", format="mp4", options={"protocol_whitelist": "file", "enable_drefs": "0"}
            )
        try:
            with damage(where, way_out):
                streams = self._container.streams.video
                if not streams:
                    raise ValueError("a file without a video")
                self._stream = streams[0]
                self._stream.thread_type = "AUTO"
                context = self._stream.codec_context
                if context is None:
                    raise ValueError("a video of an unknown codec")
                self.height, self.width = int(context.height), int(context.width)
                self.frames = int(self._stream.frames or 0)
                self.rate = float(self._stream.average_rate or 0)
                self._base = float(self._stream.time_base or 0)
                self._first = int(self._stream.start_time or 0)
                shape = context.format
                self.is_depth = shape is not None and len(shape.components) == 1 and shape.components[0].bits > 8
                if not 0 < self.height * self.width <= MOST_PIXELS or self._base <= 0:
                    raise ValueError(f"frames of {self.width} x {self.height} pixels")
        except BaseException:
            self._container.close()
            raise
        # A frame's own would prepare the same conversion again for each: 1.1 ms a frame of 640 x 480, and 0.6 ms so.
        self._reformatter = require_av().video.reformatter.VideoReformatter()
        self._decoded: Iterator[Any] = iter(self._container.decode(self._stream))
        self._frame: Any = None  # the one before `_ahead`
        self._ahead: Any = None
        self._at = -np.inf  # s, of the last frame that was given

    def read(self, start_s: float, period_s: float, first: int, stop: int) -> np.ndarray:
        """Frames of the rows first..stop-1 of an episode, (rows, height, width, 3) of uint8.

        Args:
            start_s: of the episode's first row, since the first frame.
            period_s: from row to row.
            first, stop: rows.

        Raises:
            InputError: names the row for which the video has no frame.
        """
        images = np.empty((stop - first, self.height, self.width, 3), np.uint8)
        with damage(self._where, self._way_out):
            begin = start_s + first * period_s
            if begin < self._at - period_s / 4 or begin > self._at + _WORTH_SEEKING_S:
                self._seek(begin)
            for row in range(first, stop):
                images[row - first] = self._near(start_s + row * period_s, period_s, row)
        return images

    def close(self) -> None:
        self._container.close()

    def _seek(self, at_s: float) -> None:
        target = int(max(at_s - 0.5, 0) / self._base) + self._first
        self._container.seek(target, stream=self._stream, backward=True)
        self._decoded = iter(self._container.decode(self._stream))
        self._frame = self._ahead = None

    def _near(self, at_s: float, period_s: float, row: int) -> np.ndarray:
        """The frame nearest to a time, which is at most half a period away."""
        while self._ahead is None or self._time(self._ahead) < at_s:
            frame = next(self._decoded, None)
            if frame is None:
                break
            self._frame, self._ahead = self._ahead, frame
        near = [frame for frame in (self._frame, self._ahead) if frame is not None]
        best = min(near, key=lambda frame: abs(self._time(frame) - at_s), default=None)
        if best is None or abs(self._time(best) - at_s) > 0.51 * period_s:
            ends = f"{self._time(best):.3f} s is the nearest" if best is not None else "there is none"
            raise InputError(
                f"{self._where}, row {row}",
                expected=f"a frame at {at_s:.3f} s of the video",
                got=f"{ends}: the video is shorter than its episode, or its rate is another",
                way_out=self._way_out,
            )
        if (best.height, best.width) != (self.height, self.width):
            raise InputError(
                f"{self._where}, row {row}",
                expected=f"frames of {self.width} x {self.height} pixels, as at the start",
                got=f"{best.width} x {best.height}",
                way_out=self._way_out,
            )
        self._at = at_s
        image: np.ndarray = self._reformatter.reformat(best, format="rgb24").to_ndarray()
        return image

    def _time(self, frame: Any) -> float:
        if frame.pts is None:
            raise ValueError("frames without a time")
        return float((frame.pts - self._first) * self._base)
