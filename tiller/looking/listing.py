"""All stores, and all episodes of one, as the page lists them."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.checks.report import plain
from data.edit.marks.mark import MOST_LABELS, labels_of
from data.store import layout
from data.store.contents import Contents
from data.store.names import LABELS, has_fact
from robot.errors import TillerError
from tiller.looking.fields import words
from tiller.looking.snapshot import Shelf, Snapshot

LONGEST_WORDS = 400  # of an instruction in the list
LONGEST_FACT = 8_000
SEARCHED = ("instruction", "verdict", "operator", "source", "note")
"""Facts that are words, by which the list can be searched."""


def store_record(shelf: Shelf, number: int, problem: str, **more: Any) -> dict[str, Any]:
    """A store without its episodes."""
    snapshot = shelf[number]
    return {
        "path": words(shelf.path(number), 1000),
        "name": words(shelf.path(number).rstrip("/").rpartition("/")[2] or shelf.path(number)),
        "problem": words(problem, 1000),
        "generation": snapshot.generation,
        "episodes": len(snapshot),
        "unlisted": snapshot.unlisted,
        "rows": int(snapshot.contents.rows),
        "period_s": plain(snapshot.period_s),
        "stamped": snapshot.stamped,
        **more,
    }


def field_records(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every field, by number."""
    return [field.to_json() for field in snapshot.fields]


def episode_columns(snapshot: Snapshot) -> dict[str, Any]:
    """What the list shows of every episode, a list per fact; words once each, with their number per episode."""
    borders = snapshot.borders
    lengths = np.where(borders.usable, borders.ends - borders.starts, 0)
    columns: dict[str, Any] = {"rows": lengths.tolist(), "texts": {}}
    success = _fact(snapshot.contents, "success", len(snapshot))
    columns["success"] = None if success is None else [_truth(each) for each in success]
    for name in SEARCHED:
        values = _fact(snapshot.contents, name, len(snapshot))
        if values is None:
            continue
        numbers: dict[str, int] = {}
        ids = [numbers.setdefault(words(value, LONGEST_WORDS), len(numbers)) for value in values]
        columns["texts"][name] = {"words": list(numbers), "ids": ids}
    columns["labels"] = _labels(snapshot)
    return columns


def _labels(snapshot: Snapshot) -> dict[str, Any] | None:
    """The labels that the store itself gives to its episodes: each list of them once, with its number per episode."""
    values = (
        _fact(snapshot.contents, LABELS.name, len(snapshot)) if has_fact(snapshot.contents.schema, LABELS) else None
    )
    if values is None:
        return None
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(value, len(numbers)) for value in values]
    return {"lists": [[words(each) for each in labels_of(value)][:MOST_LABELS] for value in numbers], "ids": ids}


def episode_record(shelf: Shelf, snapshot: Snapshot, episode: int) -> dict[str, Any]:
    """One episode: its rows, its facts, the samples of its streams, the first stamps."""
    first, end = snapshot.rows(episode)
    facts = {}
    for name in snapshot.contents.meta_keys:
        try:
            value = snapshot.contents.read(layout.meta_path(name), episode, episode + 1).tolist()[0]
        except (TillerError, IndexError) as error:
            value = f"cannot be read: {error}"
        facts[words(name)] = words(value, LONGEST_FACT) if isinstance(value, (str, list, dict)) else plain(value)
    return {"episode": episode, "rows": end - first, "first_row": first, "facts": facts}


def _fact(contents: Contents, name: str, count: int) -> list[Any] | None:
    """A fact of every episode; None where there is none that can be read."""
    if name not in contents.meta_keys:
        return None
    try:
        values = contents.read(layout.meta_path(name), 0, count)
    except TillerError:
        return None
    return values.tolist() if values.shape == (count,) else None


def _truth(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, int, float)) else None
