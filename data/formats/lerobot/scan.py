"""The rows of a LeRobot dataset looked through once: where each episode begins, and what its small columns say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Mapping, Sequence

import numpy as np

from data.formats.lerobot.episodes import Entry
from data.formats.lerobot.tables import Table, numbers
from robot.errors import InputError

TIMESTAMP, TASK, SUCCEEDED = "timestamp", "task_index", "next.success"
_BATCH = 1 << 16  # rows
_EVEN = 0.02  # of a period, that stamps which are row / fps may be off; they are in float32


@dataclass(frozen=True)
class Scan:
    """What was seen of one episode.

    Args:
        first: its first row in its table.
        measured: whether its stamps are anything else than row / fps.
        tasks: numbers of what it does, in the order of its rows.
        succeeded: whether it did it; None where it does not say.
    """

    first: int
    measured: bool
    tasks: tuple[int, ...]
    succeeded: bool | None


def scan(entries: Mapping[int, Entry], columns: Collection[str], fps: float) -> dict[int, Scan]:
    """Look through the tables of episodes.

    Args:
        entries: number of the episode in the source -> episode; their tables are there.
        columns: of the dataset, by its `info.json`.
        fps: rows a second.

    Raises:
        InputError: a table is damaged, or has other rows than the list of episodes says.
    """
    by_file: dict[Path, list[int]] = {}
    for number, entry in entries.items():
        by_file.setdefault(entry.file, []).append(number)
    wanted = ["episode_index", "frame_index", *(key for key in (TIMESTAMP, TASK, SUCCEEDED) if key in columns)]
    scans: dict[int, Scan] = {}
    for file, numbers_of in by_file.items():
        scans |= _scan_file(file, {number: entries[number] for number in numbers_of}, wanted, fps)
    return scans


def _scan_file(file: Path, entries: Mapping[int, Entry], columns: Sequence[str], fps: float) -> dict[int, Scan]:
    table = Table(file, columns, _BATCH)
    try:
        parts: dict[str, list[np.ndarray]] = {name: [] for name in columns}
        for start in range(0, table.rows, _BATCH):
            for batch in table.read(start, min(start + _BATCH, table.rows)):
                for name in columns:
                    parts[name].append(numbers(f"'{file}': '{name}'", batch.column(name), (), start))
    finally:
        table.close()
    values = {name: np.concatenate(each) if each else np.zeros(0, np.int64) for name, each in parts.items()}
    index = values["episode_index"]
    return {number: _scan_episode(file, number, entry, index, values, fps) for number, entry in entries.items()}


def _scan_episode(
    file: Path, number: int, entry: Entry, index: np.ndarray, values: Mapping[str, np.ndarray], fps: float
) -> Scan:
    rows = np.flatnonzero(index == entry.index)
    where, way_out = f"'{file}', episode {number}", f"Leave the episode out with skip_episodes=[{number}]"
    if len(rows) != entry.length or (len(rows) and rows[-1] - rows[0] + 1 != len(rows)):
        raise InputError(
            where,
            expected=f"{entry.length} rows one after the other, as the list of episodes says",
            got=f"{len(rows)} of episode_index {entry.index}",
            way_out=way_out,
        )
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    frames = values["frame_index"][part]
    if not np.array_equal(frames, np.arange(len(frames))):
        row = int(np.flatnonzero(frames != np.arange(len(frames)))[0])
        raise InputError(f"{where}, row {row}", expected=f"frame_index {row}", got=str(frames[row]), way_out=way_out)
    tasks = values[TASK][part] if TASK in values else np.zeros(0, np.int64)
    order = np.sort(np.unique(tasks, return_index=True)[1]).tolist()
    succeeded: Any = values.get(SUCCEEDED)
    return Scan(
        part.start,
        TIMESTAMP in values and _is_measured(values[TIMESTAMP][part], fps),
        tuple(int(tasks[at]) for at in order),
        None if succeeded is None else bool(np.any(succeeded[part])),
    )


def _is_measured(stamps: np.ndarray, fps: float) -> bool:
    """Whether stamps are anything else than row / fps."""
    even = np.arange(len(stamps)) / fps
    with np.errstate(invalid="ignore"):
        return not bool(np.all(np.abs(stamps.astype(np.float64) - even) <= _EVEN / fps + 1e-6 * even))
