"""The store of a session: made or opened once it is known what there is to store, and watched while it is written."""

from __future__ import annotations

from typing import Callable

from data.store.dataset import Dataset
from data.store.schema import Schema
from real.recorder.incoming.sources import RecordedStreams
from real.recorder.recording import LEAST_MINUTES, bytes_per_second, disk_minutes, open_recording, recording_schema
from real.recorder.writing import TakeWriter
from real.ros.reading import EpisodeNotice, shown
from robot.contract.contract import Contract
from robot.errors import TillerError

REOPEN_S = 2.0  # between two attempts to begin an episode of a store that took none
OPENING = "the store is being opened"


class Storage:
    """Where takes go.

    Args:
        folder: of the dataset.
        contract: of the robot.
        streams: that are recorded.
        say: a line for the log.

    Attributes:
        schema, writer: None until all streams were seen.
        before: episodes that the store had; 0 before it is open.
        last_seed: the largest of them; None without one, and before it is open.
        disk_minutes: for how long the disk lasts.
    """

    def __init__(self, folder: str, contract: Contract, streams: RecordedStreams, say: Callable[[str], None]) -> None:
        self._folder, self._contract, self._streams, self._say = folder, contract, streams, say
        self.schema: Schema | None = None
        self.writer: TakeWriter | None = None
        self.before, self.disk_minutes = 0, 0.0
        self.last_seed: int | None = None
        self._notice: EpisodeNotice | None = None
        self._is_open, self._rate = False, 1.0
        self._problem, self._reopened_s = "", float("-inf")

    def trouble(self, notice: EpisodeNotice | None, now_s: float) -> str:
        """Why nothing can be recorded into it; empty when it can. Opens it in the writer's thread, since it takes a
        moment.

        Args:
            notice: of the newest episode; None without one.
            now_s: monotonic.

        Raises:
            TillerError: something else is there, or it cannot be opened.
        """
        if self._streams.unknown:
            return f"{', '.join(self._streams.unknown)}: not seen yet"
        if self.schema is None:
            self.schema, self._notice = recording_schema(self._contract, *self._streams.observation(notice)), notice
            self._rate = bytes_per_second(self.schema, self._contract)
        elif self._differs(notice):
            return f"the twin has another task, {shown(notice.task if notice else '')}: start the recorder anew"
        self.disk_minutes = disk_minutes(self._folder, self._rate)
        short = self.disk_minutes < LEAST_MINUTES
        if self.writer is None and not short:
            self.writer = self._opening(self.schema)
        problem = self._unready(self.writer, now_s) if self.writer is not None else ""
        if short:
            return f"{self.disk_minutes:.1f} minutes of disk are left, {LEAST_MINUTES:.0f} are needed"
        return problem

    def _opening(self, schema: Schema) -> TakeWriter:
        task = self._notice.task if self._notice is not None else ""
        return TakeWriter(lambda: open_recording(self._folder, self._contract, schema, task))

    def _unready(self, writer: TakeWriter, now_s: float) -> str:
        """Why no episode is open; one that could not be begun is begun again after a while."""
        if writer.refused is not None:
            if isinstance(writer.refused, TillerError):
                raise writer.refused
            reason = f"{type(writer.refused).__name__}: {writer.refused}"
            raise TillerError(f"recording '{self._folder}' cannot be opened: {reason}") from writer.refused
        if writer.dataset is None:
            return OPENING
        if not self._is_open:
            self._opened(writer.dataset)
        if writer.problem:
            self._problem = writer.problem
            if now_s - self._reopened_s > REOPEN_S:
                self._reopened_s = now_s
                writer.discard(lambda _: None)
            return self._problem
        if not writer.ready:
            return self._problem or OPENING
        self._problem = ""
        return ""

    def _opened(self, dataset: Dataset) -> None:
        """Look at what the store has; its writer is idle now."""
        self._is_open, self.before = True, len(dataset)
        if dataset.dropped:
            self._say(dataset.dropped)
        if self.before:
            self.last_seed = int(dataset.meta("seed").max())

    def _differs(self, notice: EpisodeNotice | None) -> bool:
        """Whether a twin measures other things than when the store's rows were laid out."""
        if notice is None or self._notice is None or notice is self._notice:
            return False
        return (notice.task, notice.observation) != (self._notice.task, self._notice.observation)
