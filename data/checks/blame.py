"""What is wrong with a store, as validation and repair write it down: errors, and the episodes that each spoils."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from data.checks.report import Finding
from data.checks.rules.spans import Spans
from data.checks.rules.thresholds import ROWS_PER_SECOND, RULES, Thresholds
from data.store import layout
from data.store.consistency import Borders
from data.store.contents import Contents
from data.store.names import TIME, has_column
from robot.errors import TillerError

SHOWN = 8


@dataclass(frozen=True, eq=False)
class Blame:
    """An error in a store.

    Args:
        where: array path, or the part of the store that it is about.
        message: what it is.
        episodes: (episodes,) bool, those that it spoils; none of them where a copy into a new store mends it.
        cause: the same for one of these episodes; empty for where and message.
        finding: as it is reported; None for an error that says it all with where and message.
    """

    where: str
    message: str
    episodes: np.ndarray
    cause: str = ""
    finding: Finding | None = None


@dataclass(eq=False)
class Judgement:
    """What is wrong with a store.

    Args:
        contents: of the store.
        borders: where episodes begin and end; None where that is unknown.
        thresholds: of the rules; None judges only whether the store can be used.

    Attributes:
        blames: the errors.
        remarks: warnings and notes, which spoil nothing.
    """

    contents: Contents
    borders: Borders | None
    thresholds: Thresholds | None = None
    blames: list[Blame] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    @property
    def episodes(self) -> int:
        """Episodes, sound or not."""
        return 0 if self.borders is None else len(self.borders.ends)

    @property
    def spoilt(self) -> np.ndarray:
        """(episodes,) bool, those that an error spoils."""
        return np.any([self.none, *(blame.episodes for blame in self.blames)], axis=0)

    @property
    def none(self) -> np.ndarray:
        """(episodes,) bool, no episode."""
        return np.zeros(self.episodes, bool)

    @property
    def all(self) -> np.ndarray:
        """(episodes,) bool, every episode."""
        return np.ones(self.episodes, bool)

    def blame(self, where: str, message: str, episodes: np.ndarray | None = None) -> None:
        """Note an error that spoils these episodes, none by default."""
        self.blames.append(Blame(where, message, self.none if episodes is None else episodes))

    def blame_used(self, where: str, message: str, episodes: np.ndarray, cause: str = "") -> None:
        """Note an error that spoils these episodes, and only a warning where no episode uses what is wrong."""
        if episodes.any():
            self.blames.append(Blame(where, message, episodes, cause))
        else:
            self.remark("warning", where, f"{message}; no episode that can be used has part in it")

    def remark(self, severity: str, where: str, message: str) -> None:
        """Note a warning or a note, which spoils nothing."""
        self.remarks.append(Finding(severity, where, message))

    def suspect(
        self, rule: str, where: str, message: str, *, episode: int, row: int, second: float | None = None
    ) -> None:
        """Note that an episode breaks a rule; it can be used all the same."""
        thresholds = self.thresholds
        if thresholds is not None and rule not in thresholds.ignore:
            severity = "error" if rule in thresholds.errors else "warning"
            self.remarks.append(self.finding(severity, rule, where, message, episode=episode, row=row, second=second))

    def finding(
        self,
        severity: str,
        rule: str,
        where: str,
        message: str,
        *,
        episode: int,
        row: int,
        second: float | None = None,
    ) -> Finding:
        """What a rule says of a row of an episode, with its second (of the row by default) and what can be done."""
        second = self.second(episode, row) if second is None else second
        return Finding(severity, where, message, rule, episode, second, row, RULES[rule])

    @cached_property
    def spans(self) -> Spans:
        """The episodes whose rows are known."""
        return Spans(self.borders or Borders(np.empty(0, np.int64), 0))

    @property
    def rows_per_second(self) -> float:
        """By the schema, else as the thresholds say or assume."""
        if self.contents.schema is not None:
            return 1 / self.contents.schema.period_s
        given = None if self.thresholds is None else self.thresholds.period_s
        return ROWS_PER_SECOND if given is None else 1 / given

    def second(self, episode: int, row: int) -> float | None:
        """When a row of the store was, in s from its episode's first one; None where nothing says it."""
        assert self.borders is not None
        first = int(self.borders.starts[episode])
        stamps = self.stamp(first), self.stamp(row)
        if stamps[0] is not None and stamps[1] is not None:
            return (stamps[1] - stamps[0]) / 1e9
        given = None if self.thresholds is None else self.thresholds.period_s
        known = self.contents.schema is not None or given is not None
        return (row - first) / self.rows_per_second if known else None

    def stamp(self, row: int) -> int | None:
        """The stamp of a row, ns; None where it has none that can be read."""
        if not has_column(self.contents.schema, TIME):
            return None
        try:
            return int(self.contents.read(layout.row_path(TIME.name), row, row + 1)[0])
        except (TillerError, IndexError, TypeError, ValueError):  # damaged, which is reported with the array
            return None

    def why(self, episode: int) -> str:
        """The errors that spoil an episode, in words; empty where none does."""
        reasons = [blame for blame in self.blames if blame.episodes[episode]]
        return "; ".join(reason.cause or f"'{reason.where}': {reason.message}" for reason in reasons)

    def of_row(self, row: int) -> str:
        """Which episode a row belongs to, in words for a message."""
        episodes = self.none if self.borders is None else self.borders.of(np.array([row]))
        return f" (episode {int(np.argmax(episodes))})" if episodes.any() else ""


def listed(episodes: np.ndarray) -> str:
    """Episodes in words: `episode 3`, `episodes 1 to 4`, `episodes 1, 5, 9`."""
    numbers = np.flatnonzero(episodes)
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    if len(numbers) == numbers[-1] - numbers[0] + 1:
        return f"episodes {numbers[0]} to {numbers[-1]}"
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"episodes {', '.join(map(str, numbers[:SHOWN]))}{more}"
