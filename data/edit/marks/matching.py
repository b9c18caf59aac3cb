"""Whether the episodes of a store are those that were marked."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from data.edit.copying.history import listed
from data.edit.copying.origin import Origin
from data.edit.copying.verification import content_digest
from data.edit.marks.mark import EpisodeMark, Marks
from robot.errors import InputError, cut

_HASHERS = 2  # threads


def blank_mark(origin: Origin, index: int) -> EpisodeMark:
    """A mark of an episode as it is now, that changes nothing.

    Raises:
        DamagedChunkError: a chunk of it is missing or broken.
    """
    return EpisodeMark(origin.length(index), content_digest(origin, index))


def differences(origin: Origin, marks: Marks) -> dict[int, str]:
    """Number of each marked episode that is not the one that was marked -> what is there now, in words.

    Raises:
        DamagedChunkError: a chunk of a marked episode is missing or broken.
    """
    others: dict[int, str] = {}
    with ThreadPoolExecutor(_HASHERS, thread_name_prefix="hash") as threads:
        for index, mark in sorted(marks.episodes.items()):
            if index >= len(origin):
                others[index] = f"no such one of {len(origin)}"
            elif origin.length(index) != mark.rows:
                others[index] = f"one of {origin.length(index)} rows, where one of {mark.rows} was marked"
            elif content_digest(origin, index, threads.map) != mark.digest:
                others[index] = "another one of as many rows"
    return others


def require_marked(origin: Origin, marks: Marks, file: str) -> None:
    """Refuse marks of which one is of another episode than that of its number.

    Args:
        origin: the store.
        marks: of it.
        file: that they are in, for the message.

    Raises:
        InputError: names the first such episode, what is there, and the numbers of all.
        DamagedChunkError: a chunk of a marked episode is missing or broken.
    """
    others = differences(origin, marks)
    if others:
        these, lines = ("it", "its line") if len(others) == 1 else ("them", "their lines")
        raise InputError(
            origin.episode(min(others)),
            expected=f"the episode of '{cut(marks.store)}' that was marked in '{file}'",
            got=others[min(others)] + _all_of(others),
            way_out=f"Look at {these} again with 'tiller data view {origin.name}', or take {lines} out of '{file}'",
        )


def _all_of(others: Mapping[int, str]) -> str:
    if len(others) == 1:
        return ""
    numbers = listed(sorted(others))
    shown = numbers if len(numbers) <= 80 else f"{numbers[:77]}..."
    return f"; {len(others)} marks in all are of other episodes: {shown}"
