"""One take: messages in, rows and samples out to the writer."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping

import numpy as np

from data.store.names import Quality
from data.store.schema import Schema
from real.recorder.incoming.sources import Measurement, Measurements
from real.recorder.recording import COMMAND
from real.recorder.rows import Columns, RowAssembler
from real.recorder.writing import TakeWriter
from robot.control.observation.alignment import StreamSource
from robot.control.observation.observer import Observer
from robot.safety.gate.inputs import ChunkSample

SETTLED_S = 0.25  # after its end: so long a take waits for the commands of its last row
ROWLESS_S = 2.0  # without a row: something that every row needs does not come, whatever the streams look like


class Take:
    """Makes rows of what comes between its beginning and its end.

    Args:
        schema: of the store.
        sources: streams of the rows' keys.
        writer: of the rows.
        start_ns: what is stamped before belongs to no take.
        now_s: monotonic.

    Attributes:
        start_ns: as given.
        paused: whether what comes is left out.
    """

    def __init__(
        self, schema: Schema, sources: Mapping[str, StreamSource], writer: TakeWriter, start_ns: int, now_s: float
    ) -> None:
        self._schema, self._writer, self.start_ns = schema, writer, start_ns
        self._row_s = now_s  # when the last row came, or might first have come
        self._observer = Observer(schema.observation, sources, schema.action.period_ns, early=0.0)
        self._assembler = RowAssembler(schema)
        self._samples: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {
            name: ([], []) for name in schema.stream_fields
        }
        self._last_ns: dict[str, int] = {}
        self._gap = False
        self.paused = False
        self._ended_s: float | None = None
        self._until_ns: int | None = None

    @property
    def rows(self) -> int:
        return self._assembler.rows

    @property
    def seconds(self) -> float:
        """Of the rows so far."""
        return self._assembler.rows * self._schema.period_s

    @property
    def idle(self) -> float:
        """Share of the rows in which the command rested."""
        return self._assembler.idle / max(self._assembler.rows, 1)

    @property
    def end_ns(self) -> int:
        """End of the last row's interval; the take's beginning before the first."""
        return self._assembler.end_ns or self.start_ns

    def measured(self, name: str, measurement: Measurement, now_ns: int, now_s: float) -> str:
        """Add a message of a stream; why its values were refused, empty when they were not."""
        if measurement.stamp_ns < self.start_ns or self.paused or not self.open:
            return ""
        refused = self._observer.add(name, measurement.values, measurement.stamp_ns, now_ns or None)
        if refused:
            return refused
        if measurement.sample is not None:
            self._sample(name, measurement.sample, measurement.stamp_ns)
        self._observe(now_s)
        return ""

    def _observe(self, now_s: float) -> None:
        """Take the rows that are due."""
        if self._observer.interrupted:
            self._observer.resume()
        for row in self._observer.due():
            if self._until_ns is not None and row.stamp_ns >= self._until_ns:
                break
            self._assembler.observe(replace(row, quality=row.quality | Quality.GAP) if self._gap else row)
            self._gap, self._row_s = False, now_s

    def measured_together(self, name: str, many: Measurements, now_ns: int, now_s: float) -> list[str]:
        """Add messages of one stream that came together; why some were refused. Rows are made as if each had come by
        itself: they are added by the period.
        """
        refused: list[str] = []
        stamps = many.stamps_ns
        first, count = int(np.searchsorted(stamps, self.start_ns)), len(stamps)
        while first < count and not self.paused and self.open:
            reach_ns = stamps[first] + self._schema.action.period_ns
            end = int(np.searchsorted(stamps, reach_ns))
            alone = self._observer.stamp_ns is None or self._ended_s is not None
            if alone or self._observer.interrupted_with(name, int(stamps[end - 1])):
                end = first + 1
            part = many.part(first, end)
            refused += self._observer.add_many(name, part.values, part.stamps_ns, now_ns or None)
            self._sample_many(name, part.samples, part.stamps_ns)
            self._observe(now_s)
            first = end
        return refused

    def stalled(self, now_s: float) -> str:
        """Why there is no row any more; empty while there are."""
        if self.paused or self._ended_s is not None or now_s - self._row_s < ROWLESS_S:
            return ""
        lacking = self._observer.lacking or self._observer.silent
        return f"there is no row for {now_s - self._row_s:.1f} s, for want of {', '.join(lacking) or 'one moment'}"

    def sent(self, time_ns: int, requested: np.ndarray, commanded: np.ndarray, reason: str) -> None:
        """Add a command of the gate, (dim,) both."""
        if time_ns < self.start_ns:
            return
        self._assembler.sent(time_ns, requested, commanded, reason)
        if not self.paused and self._ended_s is None:
            self._sample(COMMAND, commanded, time_ns)

    def planned(self, chunk: ChunkSample) -> None:
        self._assembler.planned(chunk)

    def pause(self, on: bool, now_s: float) -> None:
        """Leave out what comes, or go on: the first row after a pause is marked."""
        if on == self.paused:
            return
        self.paused = on
        if not on:
            self._observer.reset()
            self._gap, self._row_s = True, now_s

    def flush(self) -> None:
        """Hand complete rows and samples to the writer."""
        rows = self._assembler.complete()
        if rows is not None:
            self._writer.add(rows)
        for name, (values, stamps) in self._samples.items():
            if stamps:
                self._writer.add_stream(name, np.concatenate(values), np.concatenate(stamps))
                self._samples[name] = [], []

    def end(self, now_s: float, until_ns: int | None = None) -> None:
        """Take no more rows: what is sent from now on completes the last one.

        Args:
            now_s: monotonic.
            until_ns: when the episode ended. Rows before that moment are still taken, though their messages come after
                the news of it: the last one's interval contains the end, as that of an environment's last step does.
        """
        if self._ended_s is None:
            self._ended_s, self._until_ns = now_s, until_ns

    @property
    def open(self) -> bool:
        """Whether rows are still taken."""
        if self._ended_s is None:
            return True
        newest = self._observer.stamp_ns
        return None not in (self._until_ns, newest) and newest + self._schema.action.period_ns < self._until_ns  # type: ignore[operator]

    def settled(self, now_s: float) -> bool:
        """Whether an ended take has its last row and command, or has waited for them long enough."""
        if self._ended_s is None:
            return False
        return not (self.open or self._assembler.waiting) or now_s - self._ended_s > SETTLED_S

    def finish(self, *, success: bool, terminated: bool, truncated: bool) -> bool:
        """Hand over the rest; False where the take has no row."""
        self.flush()
        last: Columns | None = self._assembler.finish(success=success, terminated=terminated, truncated=truncated)
        if last is None:
            return False
        self._writer.add(last)
        return True

    def _sample(self, name: str, value: np.ndarray, stamp_ns: int) -> None:
        self._sample_many(name, np.asarray(value, np.float64)[None], np.array([stamp_ns], dtype=np.int64))

    def _sample_many(self, name: str, samples: np.ndarray, stamps_ns: np.ndarray) -> None:
        """Add samples (k, n) in the order of their stamps."""
        first = int(np.searchsorted(stamps_ns, self._last_ns.get(name, -1), side="right"))
        if first < len(stamps_ns):
            self._last_ns[name] = int(stamps_ns[-1])
            values, stamps = self._samples[name]
            values.append(samples[first:])
            stamps.append(stamps_ns[first:])
