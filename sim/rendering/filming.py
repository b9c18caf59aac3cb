"""The video of an episode, or why there is none: a failure of the video does not end the episode."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from robot.errors import TillerError, one_line

if TYPE_CHECKING:
    from sim.rendering.video import VideoWriter
    from sim.tasks.environment import TaskEnv

_LONGEST = 300  # letters of a reason: some libraries' messages are long


class Film:
    """Films an environment as long as that works.

    Args:
        folder: to write to.
        seed: of the episode.

    Attributes:
        missing: why there is no video; empty as long as there is one.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.missing = ""
        self._folder, self._seed = folder, seed
        self._video: VideoWriter | None = None

    def add(self, env: TaskEnv) -> None:
        """Append a picture of the environment as it is now."""
        if self.missing:
            return
        try:
            from sim.rendering.video import VideoWriter

            if self._video is None:
                self._video = VideoWriter(self._folder / f"episode_{self._seed}.mp4", fps=env.task.control_hz)
            self._video.add(env.render())
        except Exception as error:
            self.give_up(reason(error))

    def close(self, success: bool) -> str | None:
        """Finish the video; its path from the folder of the evaluation, None where there is none."""
        if self._video is None or self.missing:
            return None
        outcome = "success" if success else "failure"
        try:
            path = self._video.close(self._folder / f"episode_{self._seed}_{outcome}.mp4")
        except Exception as error:
            self.give_up(reason(error))
            return None
        return f"{path.parent.name}/{path.name}"

    def give_up(self, missing: str) -> None:
        """Drop what has been written."""
        self.missing = self.missing or missing
        if self._video is not None:
            with suppress(Exception):
                self._video.abandon()
            self._video = None


def reason(error: Exception) -> str:
    """The reason why there is no video, in one line."""
    text = one_line(error)
    text = text if isinstance(error, TillerError) else f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
