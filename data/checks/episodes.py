"""A table of a store's episodes: how long each is, and its facts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from data.store import layout
from data.store.contents import Contents
from data.store.names import TIME, has_column
from robot.errors import TillerError, cut

_WIDEST = 40  # characters of a fact in the table


@dataclass(frozen=True)
class EpisodeInfo:
    """One episode.

    Args:
        episode: its number.
        first_row: in the store.
        rows: number of them.
        seconds: from its first stamp to its last and a period more, else rows times the period; None where neither is
            known.
        facts: name -> what the store says of it.
        samples: stream -> number of its samples.
    """

    episode: int
    first_row: int
    rows: int
    seconds: float | None
    facts: Mapping[str, Any]
    samples: Mapping[str, int]


def episode_infos(contents: Contents, ends: np.ndarray) -> tuple[EpisodeInfo, ...]:
    """Every episode of a store, from its ends, facts and stamps; facts that cannot be read are left out.

    Args:
        contents: of the store.
        ends: (episodes,) exclusive.
    """
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1].astype(np.int64)])[: len(ends)]
    facts = {name: values for name in contents.meta_keys if (values := _fact(contents, name, len(ends))) is not None}
    samples = {}
    for name in contents.stream_keys:
        stream_ends = _entries(contents, layout.stream_paths(name)[2], len(ends))
        if stream_ends is not None:
            samples[name] = np.diff(stream_ends, prepend=0)
    seconds = _seconds(contents, starts, ends)
    return tuple(
        EpisodeInfo(
            number,
            int(start),
            int(end) - int(start),
            seconds[number],
            {name: values[number] for name, values in facts.items()},
            {name: int(counts[number]) for name, counts in samples.items()},
        )
        for number, (start, end) in enumerate(zip(starts, ends))
    )


def episode_table(episodes: tuple[EpisodeInfo, ...]) -> list[tuple[str, ...]]:
    """A heading and a row per episode; a fact that holds JSON is left out, as format=json shows it."""
    facts = list(episodes[0].facts) if episodes else []
    facts = [name for name in facts if not any(_is_nested(each.facts[name]) for each in episodes)]
    streams = list(episodes[0].samples) if episodes else []
    heading = ("episode", "first row", "rows", "s", *(cut(name) for name in facts), *map(cut, streams))
    return [
        heading,
        *(
            (
                str(each.episode),
                str(each.first_row),
                str(each.rows),
                "?" if each.seconds is None else f"{each.seconds:.2f}",
                *(_shown(each.facts[name]) for name in facts),
                *(str(each.samples[name]) for name in streams),
            )
            for each in episodes
        ),
    ]


def _seconds(contents: Contents, starts: np.ndarray, ends: np.ndarray) -> list[float | None]:
    period_s = contents.schema.period_s if contents.schema is not None else None
    if period_s is None:
        return [None] * len(ends)
    stamps = _entries(contents, layout.row_path(TIME.name), contents.rows) if _has_stamps(contents) else None
    seconds: list[float | None] = []
    for start, end in zip(starts.tolist(), ends.tolist()):
        if stamps is not None and 0 <= start < end <= len(stamps):
            seconds.append((int(stamps[end - 1]) - int(stamps[start])) / 1e9 + period_s)
        else:
            seconds.append((end - start) * period_s)
    return seconds


def _has_stamps(contents: Contents) -> bool:
    return has_column(contents.schema, TIME)


def _entries(contents: Contents, path: str, count: int) -> np.ndarray | None:
    """A list of integers; None where it cannot be read as such, which `validate` reports."""
    try:
        values = contents.read(path, 0, count)
    except TillerError:
        return None
    return values if values.shape == (count,) and values.dtype.kind in "iu" else None


def _fact(contents: Contents, name: str, episodes: int) -> list[Any] | None:
    try:
        values = contents.read(layout.meta_path(name), 0, episodes)
    except TillerError:
        return None
    return values.tolist() if len(values) == episodes else None


def _is_nested(fact: Any) -> bool:
    """Whether a fact is a mapping or list written as JSON, which is no word for a table."""
    if not isinstance(fact, str) or not fact.startswith(("{", "[")):
        return isinstance(fact, (list, dict))
    try:
        return isinstance(json.loads(fact), (dict, list))
    except (ValueError, RecursionError):
        return False


def _shown(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    words = f"{fact:g}" if isinstance(fact, float) else str(fact)
    shown = cut(words)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."
