"""What a writer that died left in its store: removed by the next one, which says what was lost with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Mapping

from robot.files import PARTIAL

EPISODE, EPISODE_SINCE = "episode", "episode_since"  # of a lock's holder, while it writes one
_CHUNKS = "c."  # how names of chunks and shards begin; arrays' metadata may be left without any episode


@dataclass(frozen=True)
class Leftovers:
    """Chunks that were written aside and never got their names.

    Args:
        files, bytes: of all of them.
        oldest_s: when the first of them was written, since 1970; None without one.
    """

    files: int = 0
    bytes: int = 0
    oldest_s: float | None = None


def remove_partial_files(root: Path) -> Leftovers:
    """Delete what dead or interrupted writers left aside. Only the holder of the store's lock may call this."""
    sizes, times = [], []
    for leftover in root.rglob(f"*{PARTIAL}"):
        if leftover.name.startswith(_CHUNKS):
            with suppress(OSError):
                stat = leftover.stat()
                sizes.append(stat.st_size)
                times.append(stat.st_mtime)
        leftover.unlink(missing_ok=True)
    return Leftovers(len(sizes), sum(sizes), min(times, default=None))


def dropped_episode(leftovers: Leftovers, holder: Mapping[str, Any], episodes: int) -> str:
    """One line about an episode that a dead writer had begun and not committed; empty where there was none.

    Args:
        leftovers: of that writer.
        holder: what its lock said of it.
        episodes: committed. A writer that died right after its commit has lost nothing.
    """
    if holder.get(EPISODE) != episodes and not leftovers.files:
        return ""
    files = "1 file" if leftovers.files == 1 else f"{leftovers.files} files"
    written = f"{files}, {leftovers.bytes / 1e6:.1f} MB" if leftovers.files else "less than a file"
    return f"an episode of {written}, begun {_begun(leftovers, holder)}, was not committed: dropped"


def _begun(leftovers: Leftovers, holder: Mapping[str, Any]) -> str:
    try:
        begun = datetime.fromisoformat(holder[EPISODE_SINCE]).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):  # a file can hold anything
        if leftovers.oldest_s is None:
            return "at an unknown time"
        begun = datetime.fromtimestamp(leftovers.oldest_s, UTC)
    return f"{begun:%Y-%m-%d %H:%M:%S} UTC"
