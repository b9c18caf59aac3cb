"""Marks of episodes: what a person said of each while looking at it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from data.store.names import INSTRUCTION, LABELS, NOTE, SUCCESS
from robot.errors import InputError, nearest, shortened

MOST_TEXT = 2_000  # characters
MOST_LABELS, LONGEST_LABEL = 32, 100
MOST_EPISODES = 1 << 48  # of which a number can be, and rows of one
_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class EpisodeMark:
    """What a person said of one episode; what is None changes nothing.

    Args:
        rows: that the episode had when it was marked.
        digest: hash of it as it was stored then (`data.edit.copying.verification.content_digest`).
        keep: whether it stays.
        success: whether the task was done.
        instruction: what to do, in words for a policy.
        labels: in a person's words, all that it has.
        cut: rows [first, stop) that stay.
        note: in a person's words.

    Raises:
        InputError: a value is of another type, or outside of its bounds.
    """

    rows: int
    digest: str
    keep: bool | None = None
    success: bool | None = None
    instruction: str | None = None
    labels: tuple[str, ...] | None = None
    cut: tuple[int, int] | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        _check(self.to_json(), "mark")

    @property
    def leaves_out(self) -> bool:
        """Whether the episode does not stay."""
        return self.keep is False

    @property
    def cuts(self) -> bool:
        """Whether rows of the episode do not stay."""
        return self.cut is not None and self.cut != (0, self.rows)

    @property
    def facts(self) -> dict[str, Any]:
        """Fact of the episode (`data.store.names`) -> its value as a store holds it, of those that are marked."""
        labels = None if self.labels is None else json.dumps(self.labels, ensure_ascii=False)
        facts = {
            SUCCESS.name: self.success,
            INSTRUCTION.name: self.instruction,
            LABELS.name: labels,
            NOTE.name: self.note,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without those that change nothing."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }


@dataclass(frozen=True)
class Marks:
    """Marks of episodes of one store.

    Args:
        store: name of its folder or zip, for people: which store it is, the marks' digests say.
        episodes: number of an episode -> what was said of it.

    Raises:
        InputError: a number that no episode can have, or a name that is none.
    """

    store: str
    episodes: Mapping[int, EpisodeMark] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_words(self.store, "store", MOST_TEXT)
        for index in self.episodes:
            if type(index) is not int or not 0 <= index < MOST_EPISODES:
                raise InputError("marks", expected="numbers of episodes, from 0 on", got=_shown(index))

    def with_mark(self, index: int, mark: EpisodeMark) -> Marks:
        """The same with another mark of one episode."""
        return Marks(self.store, {**self.episodes, index: mark})

    def without_mark(self, index: int) -> Marks:
        """The same without a mark of one episode."""
        return Marks(self.store, {number: mark for number, mark in self.episodes.items() if number != index})


def mark_of(mapping: Any, where: str) -> EpisodeMark:
    """The mark that somebody's mapping is.

    Args:
        mapping: plain JSON values, from a file or a browser.
        where: names it, for messages.

    Raises:
        InputError: it is no mapping, a key is unknown or missing, or a value is of another type or outside its bounds.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(where, expected="a mapping of what was marked", got=_shown(mapping))
    known = [each.name for each in fields(EpisodeMark)]
    for key in mapping:
        if key not in known:
            raise InputError(where, expected="a known key", got=_shown(key), way_out=nearest(str(key)[:100], known))
    missing = [key for key in ("rows", "digest") if key not in mapping]
    if missing:
        raise InputError(where, expected="rows and digest of the episode", got=f"no {' and no '.join(missing)}")
    _check(mapping, where)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in mapping.items()}
    return EpisodeMark(**values)


def labels_of(fact: str) -> tuple[str, ...]:
    """The labels in the fact `labels` of an episode; what is no list of words is one label, as it is."""
    try:
        listed = json.loads(fact)
    except (ValueError, RecursionError):
        listed = None
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        return tuple(listed)
    return (fact,) if fact.strip() else ()


def _check(mark: Mapping[str, Any], where: str) -> None:
    """Refuse values that no mark has."""
    rows, digest = mark["rows"], mark["digest"]
    if type(rows) is not int or not 1 <= rows < MOST_EPISODES:
        raise InputError(f"{where}: rows", expected="a number of rows, from 1 on", got=_shown(rows))
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise InputError(f"{where}: digest", expected="32 hexadecimal digits", got=_shown(digest))
    for name in ("keep", "success"):
        if name in mark and not isinstance(mark[name], bool):
            raise InputError(f"{where}: {name}", expected="true or false", got=_shown(mark[name]))
    for name in ("instruction", "note"):
        if name in mark:
            _check_words(mark[name], f"{where}: {name}", MOST_TEXT)
    if "labels" in mark:
        _check_labels(mark["labels"], f"{where}: labels")
    if "cut" in mark:
        _check_cut(mark["cut"], rows, f"{where}: cut")


def _check_cut(cut: Any, rows: int, where: str) -> None:
    numbers = cut if isinstance(cut, (list, tuple)) and len(cut) == 2 else ()
    if not all(type(each) is int for each in numbers) or not numbers or not 0 <= numbers[0] < numbers[1] <= rows:
        raise InputError(
            where, expected=f"[FIRST, STOP] of the rows that stay, 0 <= FIRST < STOP <= {rows}", got=_shown(cut)
        )


def _check_labels(labels: Any, where: str) -> None:
    if not isinstance(labels, (list, tuple)) or len(labels) > MOST_LABELS:
        got = f"{len(labels)}" if isinstance(labels, (list, tuple)) else _shown(labels)
        raise InputError(where, expected=f"a list of at most {MOST_LABELS} labels", got=got)
    for label in labels:
        _check_words(label, where, LONGEST_LABEL)
        if not label.strip() or not label.isprintable():
            raise InputError(where, expected="labels of one line with something to see in it", got=_shown(label))
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InputError(where, expected="each label once", got=f"{_shown(twice)} twice")


def _check_words(words: Any, where: str, most: int) -> None:
    if not isinstance(words, str):
        raise InputError(where, expected="text", got=_shown(words))
    if len(words) > most:
        raise InputError(where, expected=f"at most {most:,} characters", got=f"{len(words):,}")
    try:
        words.encode()
    except UnicodeEncodeError:
        raise InputError(where, expected="text that UTF-8 can hold", got=_shown(words)) from None


def _shown(value: Any) -> str:
    """Somebody's value for a message, of bounded length whatever it is."""
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= MOST_EPISODES:
        return "a number that is too large" if value > 0 else "a number that is too small"
    if isinstance(value, (list, tuple)):
        listed = ", ".join(_shown(each) if isinstance(each, (int, float)) else "..." for each in value[:4])
        return f"[{listed}]" if len(value) <= 4 else f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    return f"a {type(value).__name__}"
