"""What is wrong with a store, as validation and repair write it down: errors, and the episodes that each spoils."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from data.checks.report import Finding
from data.store.consistency import Borders
from data.store.contents import Contents

SHOWN = 8


@dataclass(frozen=True, eq=False)
class Blame:
    """An error in a store.

    Args:
        where: array path, or the part of the store that it is about.
        message: what it is.
        episodes: (episodes,) bool, those that it spoils; none of them where a copy into a new store mends it.
        cause: the same for one of these episodes; empty for where and message.
    """

    where: str
    message: str
    episodes: np.ndarray
    cause: str = ""


@dataclass(eq=False)
class Judgement:
    """What is wrong with a store.

    Args:
        contents: of the store.
        borders: where episodes begin and end; None where that is unknown.

    Attributes:
        blames: the errors.
        remarks: warnings and notes, which spoil nothing.
    """

    contents: Contents
    borders: Borders | None
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
