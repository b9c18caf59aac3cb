"""What an edit has done, or would do, for a person to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """What an edit has done, or would do.

    Args:
        title: of it.
        target: where the new store is, or would be.
        stores: folder within the target (empty for the target itself) -> its episodes and rows.
        notes: what a person should know.
        details: one line for each thing that is changed; a dry run shows them all.
        done: whether it was done; else nothing was written.
    """

    title: str
    target: str
    stores: Sequence[tuple[str, int, int]]
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = field(default=())
    done: bool = True

    def lines(self) -> list[str]:
        """The outcome as lines of text."""
        shown = self.details if not self.done or len(self.details) <= 20 else ()
        names = [f"{self.target}/{name}" if name else self.target for name, _, _ in self.stores]
        width = max(map(len, names))
        made = [
            f"{name.ljust(width)}  {_count(episodes, 'episode')}, {_count(rows, 'row')}"
            for name, (_, episodes, rows) in zip(names, self.stores)
        ]
        end = "Written, and read back: every episode is as it was written" if self.done else "Nothing was written"
        return [self.title, *(f"  {line}" for line in (*shown, *self.notes)), *made, end]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
