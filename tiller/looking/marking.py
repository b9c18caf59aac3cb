"""Marks that are made in the page: each change goes to the file beside the store at once, and nothing is forgotten."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from data.edit.copying.origin import Origin
from data.edit.marks import EpisodeMark, Marks, blank_mark, mark_of, marks_beside, marks_path
from data.edit.marks import write_marks as write
from robot.errors import InputError, TillerError, nearest, shortened
from tiller.looking.snapshot import Snapshot

CHANGED = ("keep", "success", "instruction", "labels", "cut", "note")
_BLANKS = 10_000  # of episodes, whose hashes are kept


class Marker:
    """Reads and writes the marks of one store; any thread may.

    Args:
        path: of the store.
    """

    def __init__(self, path: str) -> None:
        self._path, self._lock = path, Lock()
        self._signs: tuple[int, ...] | None = None
        self._marks: Marks | None = None
        self._problem, self._version = "", 0
        self._blanks: dict[tuple[tuple[int, int], int], EpisodeMark] = {}
        self.refresh()

    @property
    def version(self) -> int:
        """Grows when the file changes."""
        return self._version

    @property
    def problem(self) -> str:
        """Why nothing can be marked; empty where it can."""
        return self._problem

    @property
    def marks(self) -> Mapping[int, EpisodeMark]:
        """As they were at the last `refresh` or `change`."""
        return self._marks.episodes if self._marks is not None else {}

    def refresh(self) -> None:
        """Look whether another window or program has changed the file."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        try:
            signs = _signs(marks_path(self._path))
            if self._version and signs == self._signs:
                return
            self._signs = signs
            self._marks, self._problem = marks_beside(self._path), ""
        except TillerError as error:
            self._marks, self._problem = None, str(error)
        self._version += 1

    def change(self, snapshot: Snapshot, episode: int, changes: Any) -> EpisodeMark | None:
        """Change what is marked of one episode, and leave all others as they are in the file.

        Args:
            snapshot: of the store as the person sees it.
            episode: that is marked.
            changes: of a browser: key of a mark -> its new value, null for none.

        Returns:
            The episode's mark; None where nothing is left of it.

        Raises:
            InputError: it is no change of a mark, or the episode is another one by now.
            TillerError: the file cannot be written, or the episode is damaged.
        """
        where = f"episode {episode}"
        if not isinstance(changes, Mapping) or not changes:
            raise InputError(f"mark of {where}", expected="a mapping of what changes", got="something else")
        for key in changes:
            if key not in CHANGED:
                raise InputError(
                    f"mark of {where}", expected="a known key", got=shortened(key), way_out=nearest(key[:100], CHANGED)
                )
        blank = self._blank(snapshot, episode)
        with self._lock, _alone(marks_path(self._path)):
            marks = marks_beside(self._path)
            before = marks.episodes.get(episode, blank)
            if (before.rows, before.digest) != (blank.rows, blank.digest):
                before = blank  # it was said of another episode
            values = {key: value for key, value in {**before.to_json(), **changes}.items() if value is not None}
            mark = mark_of(values, f"mark of {where}")
            marks = marks.without_mark(episode) if mark == blank else marks.with_mark(episode, mark)
            write(marks_path(self._path), marks)
            self._refresh()
        return None if mark == blank else mark

    def _blank(self, snapshot: Snapshot, episode: int) -> EpisodeMark:
        """The episode as it is: its rows and its hash, for which all of it is read once."""
        key = (snapshot.key, episode)
        if key not in self._blanks:
            first, end = snapshot.rows(episode)
            if end == first:
                raise InputError(f"episode {episode}", expected="rows, to be marked", got="none")
            blank = blank_mark(Origin(self._path), episode)
            if blank.rows != end - first:
                raise InputError(
                    f"episode {episode}",
                    expected=f"{end - first} rows, as the page shows it",
                    got=f"{blank.rows}",
                    way_out="Load the page anew",
                )
            if len(self._blanks) >= _BLANKS:
                self._blanks.clear()
            self._blanks[key] = blank
        return self._blanks[key]


def _signs(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"marks '{path}'", expected="a file that can be read", got=error.strerror) from error
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else changes the marks meanwhile, also no other process that shows the page."""
    descriptor = -1
    # A folder that cannot be locked, as on some network mounts: the threads of this process still take turns.
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
